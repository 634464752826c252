"""What a task held in memory is told, and not what the one before it held."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.connection import Connection

import pytest

BLOCK = 200 << 20


def measured(way: Connection) -> None:
    from storage.memory import forget_peak, peak_bytes

    forget_peak()
    before = peak_bytes()
    block = bytearray(BLOCK)
    full = peak_bytes()
    del block
    forget_peak()
    way.send((before, full, peak_bytes()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux forgets the peak of a process")
def test_the_peak_is_that_of_the_task() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=measured, args=(theirs,))
    process.start()
    before, full, after = ours.recv()
    process.join()
    assert full - before > 0.9 * BLOCK
    assert after < full - 0.9 * BLOCK
