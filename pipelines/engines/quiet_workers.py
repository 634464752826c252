"""Beam's workers write to the terminal that started them: here into a file instead, and none of it is in the way.

They are processes of their own, started by Beam with our standard error; interrupted or out of space each of them
tells its traceback. What matters comes back as the error of the pipeline. CURATE_DEBUG=1 shows everything.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Final

STDERR: Final = 2


@contextlib.contextmanager
def quiet_workers(library: str) -> Iterator[None]:
    """Within, what child processes and the library's own loggers say goes to a file that is thrown away.

    Our own words still reach standard error. Nothing is changed where there is no such stream.
    """
    stream = sys.stderr
    if os.environ.get("CURATE_DEBUG") or not _is_real(stream):
        yield
        return
    stream.flush()
    shown = os.dup(STDERR)
    # Of the same kind: the command's own standard error may forgive that nobody reads it.
    raw = type(stream.buffer.raw)(shown, "w")  # type: ignore[attr-defined, union-attr]
    ours = io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True)
    logger = logging.getLogger(library)
    propagates, handlers, hook = logger.propagate, list(logger.handlers), threading.excepthook
    with _file() as told:
        os.dup2(told.fileno(), STDERR)
        sys.stderr = ours
        logger.propagate, logger.handlers = False, [logging.NullHandler()]
        threading.excepthook = lambda told: None  # of threads that lose their worker
        try:
            yield
        finally:
            ours.flush()
            os.dup2(shown, STDERR)
            sys.stderr = stream
            logger.propagate, logger.handlers, threading.excepthook = propagates, handlers, hook
            ours.close()


def _is_real(stream: Any) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == STDERR
    except (OSError, ValueError):
        return False


def _file() -> Any:
    """A file without a name; nothing at all where there is no place for one."""
    try:
        return tempfile.TemporaryFile(prefix="curate-workers-")
    except OSError:
        return open(os.devnull, "wb")
