"""The first rank works alone, and the others wait for its heartbeat, not for a clock.

A collective gives up after the process group's limit, however busy the others are. Work that only the
first rank does (indices over a large corpus, say) may take hours; so the others look at a key of the
store that the first one counts up while it works, and give up only when it stops counting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch

from schemas.errors import CurateError
from trainers.parallel.groups import is_first
from trainers.parallel.watchdog import bounded_elsewhere, tick

Built = TypeVar("Built")
BEAT_SECONDS = 1.0
SILENCE_SECONDS = 120.0  # a rank without a beat for so long is taken for dead
_uses = 0


def first_alone(build: Callable[[], Built]) -> Built:
    """`build` on the first rank, then on the others, which find on disk what it made."""
    built = first_only(build)
    return cast(Built, built) if is_first() else build()


def first_only(work: Callable[[], Built]) -> Built | None:
    """`work` on the first rank, while the others wait as long as it gives signs of life, and get None."""
    global _uses
    _uses += 1
    if torch.distributed.get_world_size() == 1:
        with bounded_elsewhere("working alone"):
            return work()
    store: Any = torch.distributed.distributed_c10d._get_default_store()
    name = f"first-alone-{_uses}"
    if is_first():
        with _Beating(store, name), bounded_elsewhere("working alone"):
            built = work()
        store.set(f"{name}/done", "1")
        return built
    _wait(store, name)
    return None


class _Beating:
    """Counts a key up while a block runs; says so where it fails."""

    def __init__(self, store: Any, name: str) -> None:
        self.store, self.name = store, name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._ended.set()
        self._thread.join()
        if error is not None:
            self.store.set(f"{self.name}/failed", str(error))

    def _beat(self) -> None:
        while True:
            self.store.add(f"{self.name}/beat", 1)
            if self._ended.wait(BEAT_SECONDS):
                return


def _wait(store: Any, name: str) -> None:
    beat, heard = -1, time.monotonic()
    while not store.check([f"{name}/done"]):
        tick("waiting for the first rank, which gives signs of life")
        if store.check([f"{name}/failed"]):
            store.wait([f"{name}/failed"], timedelta(seconds=5))
            raise CurateError(f"the first rank failed: {store.get(f'{name}/failed').decode()}")
        now = store.add(f"{name}/beat", 0)
        if now != beat:
            beat, heard = now, time.monotonic()
        elif time.monotonic() - heard > SILENCE_SECONDS:
            raise CurateError(
                f"the first rank has given no sign of life for {SILENCE_SECONDS:.0f} s; it is dead or hangs"
            )
        time.sleep(BEAT_SECONDS / 4)
