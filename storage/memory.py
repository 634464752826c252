"""What memory a process holds: pages of freed arrays are kept, since a batch allocates what the one before it freed.

glibc gives large blocks back to the system at once and takes new, zeroed pages for the next one;
with arrays of many megabytes a batch that was a fifth of all time.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from pathlib import Path
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_TOP_PAD: Final = -2
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
KEPT_BYTES: Final = 256 << 20  # what a process may hold for its next batch
MOST_KEPT: Final = (1 << 31) - 1  # glibc takes no more
LARGEST_BLOCK: Final = 32 << 20  # glibc takes no higher threshold on 64 bits


def release_freed_pages() -> None:
    """Give back to the system what has been kept for a next batch: another stage has other batches."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> None:
    """Measure the peak of this process's memory from here on; where the system knows no such thing, from its start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak resident set is reset


def peak_bytes() -> int:
    """The most that this process has held in memory at once, pages of mapped files included."""
    try:
        told = Path("/proc/self/status").read_text()
        return int(told.split("VmHWM:")[1].split()[0]) << 10
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def keep_freed_pages(kept_bytes: int = KEPT_BYTES, one_arena: bool = False) -> None:
    """Ask glibc to reuse freed memory; elsewhere nothing happens.

    `one_arena`: what one thread freed is there for all, as between forward and backward passes.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
    mallopt(M_TRIM_THRESHOLD, kept_bytes)
    if one_arena:
        mallopt(M_ARENA_MAX, 1)
    mallopt(M_TOP_PAD, LARGEST_BLOCK)
