"""A stage that stands still says which rank stands and at what, and ends, instead of holding its machines for nothing.

A collective waits for its slowest rank, and where one hangs, all do, without a word about which. So each rank
ticks as it works, a thread of its own looks at the ticks, and where this rank has not moved for the bound, it reads
all ranks' last ticks from the group's store, names the one that moved longest ago and ends this process. What has
a bound of its own (verifiers, judging models, a server that is down) is waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import torch

LOOKS: Final = 20  # at the ticks within the bound
_now: Watchdog | None = None


class Watchdog:
    """Looks at this process's ticks from the first one on; `bound` in seconds."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self.rank = torch.distributed.get_rank()
        self.store: Any = torch.distributed.distributed_c10d._get_default_store()
        self.doing, self.at, self.paused = "starting", time.time(), False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="watchdog")

    def __enter__(self) -> Watchdog:
        global _now
        _now = self
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        global _now
        _now = None
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        looked = time.time()
        while not self._ended.wait(self.bound / LOOKS):
            asleep = time.time() - looked - self.bound / LOOKS
            looked += asleep + self.bound / LOOKS
            if asleep > self.bound / 4:  # the process was stopped, or its machine slept: nobody hung meanwhile
                self.at += asleep
            told = json.dumps([time.time() if self.paused else self.at, self.doing])
            self.store.set(f"watchdog/{self.rank}", told)
            if not self.paused and time.time() - self.at > self.bound:
                self._end()

    def _end(self) -> None:
        """Name the rank that moved longest ago, and end."""
        ranks = []
        for rank in range(torch.distributed.get_world_size()):
            if self.store.check([f"watchdog/{rank}"]):
                at, doing = json.loads(self.store.get(f"watchdog/{rank}"))
                ranks.append((at, rank, doing))
        at, rank, doing = min(ranks)
        print(
            f"error: rank {rank} has not moved for {time.time() - at:.0f} s: {doing}; the stage ends, call again to go "
            "on from its last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # the thread that hangs may never come back


def tick(doing: str) -> None:
    """This rank has come so far."""
    if _now is not None:
        _now.doing, _now.at = doing, time.time()


@contextlib.contextmanager
def bounded_elsewhere(doing: str) -> Iterator[None]:
    """A block whose waits have bounds of their own."""
    watch = _now
    tick(doing)
    if watch is not None:
        watch.paused = True
    try:
        yield
    finally:
        if watch is not None:
            tick(doing)
            watch.paused = False
