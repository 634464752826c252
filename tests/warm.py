"""Processes that begin with everything imported: half a minute of imports is paid once a worker of pytest.

They are forked by the standard library's fork server, so they share nothing with the tests' own process, can be
killed, and end with an exit status like any other. What such a process is given at its start (a closed stream,
variables that libraries read when they are loaded) is tried with `subprocess` instead.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

PRELOADED = [
    "curate.cli",
    "curate.run_commands",
    "pipelines.execute",
    "pipelines.engines.datatrove_engine",
    "pipelines.engines.beam_engine",
    "pipelines.preloaded",
    "rapidocr.main",
    "trainers.train",
    "tests.trainers.ranks",
    "tests.frozen",
]
SERVER = multiprocessing.get_context("forkserver")


class Warm:
    """A process that calls a function; what tests need of `subprocess.Popen`, with both streams in files."""

    def __init__(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        argv: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        new_session: bool = False,
        largest_file: int | None = None,
    ) -> None:
        SERVER.set_forkserver_preload(PRELOADED)
        self._streams = [tempfile.NamedTemporaryFile(prefix="warm-") for _ in range(2)]  # noqa: SIM115
        names = [stream.name for stream in self._streams]
        told = {**(environment or os.environ)}
        begin = (names, argv or sys.argv, told, str(cwd or Path.cwd()), new_session, largest_file)
        self._process: ForkServerProcess = SERVER.Process(target=_begin, args=(begin, call, arguments))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit status, or None while the process lives."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """The exit status; negative where a signal ended the process."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; `TimeoutExpired` where it takes longer."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote to both streams, once it has ended."""
        self.wait(timeout)
        return self.written(0), self.written(1)

    def written(self, stream: int) -> str:
        """What it has written so far, to standard output (0) or error (1)."""
        return Path(self._streams[stream].name).read_text(errors="replace")

    def send_signal(self, number: int) -> None:
        """Send a signal, where the process lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _begin(begin: tuple[Any, ...], call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    names, argv, environment, cwd, new_session, largest_file = begin
    if new_session:
        os.setsid()
    if largest_file is not None:  # in blocks, as `ulimit -f` counts
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file * 1024, largest_file * 1024))
    for number, name in enumerate(names, 1):
        opened = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = argv
    call(*arguments)


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call `curate` in a process of its own, wait for its end, and tell what it said."""
    process = called(*arguments, cwd=cwd)
    out, errors = process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(["curate", *map(str, arguments)], process.returncode, out, errors)


def here(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call `curate` within this process, and tell what it said and how it would have ended."""
    from curate.cli import entry

    words, status = ["curate", *arguments], 0
    with _streams_kept() as streams, contextlib.chdir(cwd):
        sys.argv = words
        try:
            entry()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        said = [Path(stream.name).read_text(errors="replace") for stream in streams]
    return subprocess.CompletedProcess(words, status, *said)


@contextlib.contextmanager
def _streams_kept() -> Iterator[list[Any]]:
    """What is written to both streams goes into files for a while, by Python and by what lies below it."""
    before = sys.stdout, sys.stderr, sys.argv
    kept = [os.dup(1), os.dup(2)]
    with tempfile.NamedTemporaryFile(prefix="here-") as out, tempfile.NamedTemporaryFile(prefix="here-") as errors:
        for number, stream in enumerate((out, errors), 1):
            os.dup2(stream.fileno(), number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        try:
            yield [out, errors]
        finally:
            sys.stdout, sys.stderr, sys.argv = before
            for number, old in enumerate(kept, 1):
                os.dup2(old, number)
                os.close(old)


def called(*arguments: object, cwd: Path, new_session: bool = False) -> Warm:
    """A process that performs a command of `curate`."""
    return Warm(_command, argv=["curate", *map(str, arguments)], cwd=cwd, new_session=new_session)


def _command() -> None:
    from curate.cli import entry

    entry()


def training(*arguments: object, largest_file: int | None = None, **environment: str) -> Warm:
    """A process that trains one stage: configuration, manifest, folder."""
    argv = ["trainers.train", *map(str, arguments)]
    told = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return Warm(_training, argv=argv, environment=told, new_session=True, largest_file=largest_file)


def _training() -> None:
    import torch

    from trainers.train import main

    torch.set_num_threads(1)
    main()


def wait_until(found: Callable[[], object], process: Warm, seconds: float = 120) -> None:
    """Wait until something is so, while the process lives."""
    deadline = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, process.written(1)
        assert time.monotonic() < deadline
        time.sleep(0.005)
