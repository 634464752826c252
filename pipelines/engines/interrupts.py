"""Ctrl-C reaches the command and none of its workers, which end with it: one line instead of a traceback each.

A terminal sends SIGINT to the whole group. It is blocked while workers are started, which they inherit, and a
thread of ours waits for it and wakes the main thread by another signal.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.resource_tracker
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

import multiprocess.resource_tracker

LOOK_SECONDS: Final = 0.2
WAKES: Final = signal.SIGUSR2


@contextlib.contextmanager
def interrupts_here_alone() -> Iterator[None]:
    """Within, SIGINT raises KeyboardInterrupt in the main thread, whatever else it breaks off there.

    Nothing is changed in another thread, nor where signals cannot be waited for.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main or not hasattr(signal, "sigtimedwait"):
        yield
        return
    interrupted, finished = threading.Event(), threading.Event()

    def wait() -> None:
        while not finished.is_set():
            found = signal.sigtimedwait({signal.SIGINT}, LOOK_SECONDS)
            # After a stop that outlasts the wait CPython gives a number that no signal has.
            if found is not None and found.si_signo == signal.SIGINT:
                signal.pthread_kill(main.ident or 0, WAKES)

    def wake(number: int, frame: Any) -> None:
        # What libraries have to say of their own broken connections helps nobody from here on.
        interrupted.set()
        logging.disable(logging.CRITICAL)
        threading.excepthook = lambda told: None
        raise KeyboardInterrupt

    for library in (multiprocess, multiprocessing):  # each unblocks SIGINT when it starts its tracker
        library.resource_tracker.ensure_running()
    quiet, hook = logging.root.manager.disable, threading.excepthook
    # A library may unblock SIGINT again; it then means the same.
    before = {number: signal.signal(number, wake) for number in (WAKES, signal.SIGINT)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        if interrupted.is_set():  # what was broken off may have raised something else on its way out
            raise KeyboardInterrupt from None
        raise
    finally:
        finished.set()
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        logging.disable(quiet)
        threading.excepthook = hook
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
