"""Whether a process was asked to stop, as schedulers ask before they take a machine away, and people with Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

ASKING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def held_back() -> Iterator[None]:
    """Processes started within are told of SIGTERM and SIGINT only once they listen, not before, not by halves.

    torchrun never listens so, and does not cut off the ranks that are saving.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass
class StopSignals:
    """Notes SIGTERM and SIGINT; the step under way is finished and saved before the process ends."""

    asked: bool = False

    def listen(self) -> None:
        """Begin to notice, also what came while it was held back; only the main thread can."""
        for number in ASKING:
            signal.signal(number, self._told)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)

    def close(self) -> None:
        """All is saved: asked again, the process still ends with its own status."""
        for number in ASKING:
            signal.signal(number, signal.SIG_IGN)

    def _told(self, *_: Any) -> None:
        self.asked = True
