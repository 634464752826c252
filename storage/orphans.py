"""A worker whose run was killed ends itself: nobody waits for what it makes, and another may write there by then."""

from __future__ import annotations

import functools
import os
import threading
import time
from typing import Final

import psutil

LOOK_SECONDS: Final = 1.0
_forks_watched = False
_watched: set[tuple[int, tuple[int, float]]] = set()
STATUS: Final = os.EX_TEMPFAIL


def own_process() -> tuple[int, float]:
    """This process as others can tell it from a later one of the same number: its number, and when it began."""
    return os.getpid(), psutil.Process().create_time()


def end_with(process: tuple[int, float]) -> None:
    """End this process soon after another one is gone, whatever it does by then; nothing where it is that one."""
    here = (os.getpid(), process)  # a thread does not live on in a fork, what is written here does
    if process[0] == os.getpid() or here in _watched:
        return
    _watched.add(here)

    def watch() -> None:
        while _lives(process):
            time.sleep(LOOK_SECONDS)
        os._exit(STATUS)

    threading.Thread(target=watch, daemon=True).start()


def forks_end_with_this() -> None:
    """Whatever is forked from this process from now on ends with it: a pool's manager, a writer of checkpoints."""
    global _forks_watched
    if not _forks_watched:
        _forks_watched = True
        os.register_at_fork(after_in_child=functools.partial(end_with, own_process()))


def _lives(process: tuple[int, float]) -> bool:
    number, began = process
    try:
        found = psutil.Process(number)
        return found.create_time() == began and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
