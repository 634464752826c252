"""How long each part of the work took, over how much text: what `curate run --profile` adds up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

One = TypeVar("One")


class Stopwatch:
    """Seconds and bytes of text by part, within one task."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.bytes: dict[str, int] = {}

    @contextmanager
    def of(self, part: str, size: int) -> Iterator[None]:
        """Time a block that works on `size` bytes of text."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started
            self.bytes[part] = self.bytes.get(part, 0) + size

    def each(self, part: str, items: Iterable[One]) -> Iterator[One]:
        """The items, the time of making each counted; `add` says how large they were."""
        iterator = iter(items)
        while True:
            started = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started
            yield item

    def add(self, part: str, size: int) -> None:
        """Count bytes of a part that `each` timed."""
        self.bytes[part] = self.bytes.get(part, 0) + size

    def rounded(self) -> dict[str, list[float]]:
        """Seconds and bytes by part, for the log."""
        return {part: [round(seconds, 4), self.bytes.get(part, 0)] for part, seconds in self.seconds.items()}
