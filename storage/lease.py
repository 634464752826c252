"""Who writes a folder: a lease that names host and process, and ends with them.

`lease.json` lies in the folder while its holder lives. The holder touches it every few seconds. On
the same machine another process asks the system whether the holder still runs, and takes a dead
one's lease at once. Of another machine it watches for the touch, by its own monotonic clock, so that
clocks that differ or jump decide nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import psutil

from schemas.errors import WrongCall
from storage.places import Place, is_local, make_folder, remove
from storage.publishing import write_text

FILE: Final = "lease.json"
TOUCH_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 20.0  # without a touch for so long, a holder elsewhere is taken for dead
LOOK_SECONDS: Final = 0.25  # how often a helper looks whether its holder is still there
ORPHANS_SECONDS: Final = 1.0  # by then the helpers of a dead holder have ended
LOST: Final = 75  # exit status of a holder that lost its folder (EX_TEMPFAIL of sysexits.h)


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: `machine` and `started` tell the process from others with its number."""

    host: str
    machine: str
    pid: int
    started: int
    purpose: str
    token: str
    since: float

    @property
    def here(self) -> bool:
        """Whether its process number means something on this machine."""
        return self.machine == this_machine()

    @property
    def alive(self) -> bool:
        """Whether the process still runs; only meaningful for a holder on this machine."""
        return _started(self.pid) == self.started


class Held(WrongCall):
    """The folder has a living holder."""

    def __init__(self, holder: Holder) -> None:
        age = _told(time.time() - holder.since)
        super().__init__(
            f"in use by process {holder.pid} on {holder.host} ({holder.purpose}, begun {age} ago); "
            "wait for it, stop it, or choose another folder"
        )
        self.holder = holder


@lru_cache(maxsize=1)
def this_machine() -> str:
    """What processes that can see each other's numbers have in common: boot, and namespace of numbers."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + ":" + os.readlink("/proc/self/ns/pid")
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> int:
    """When a process began, in ticks since boot where the system tells; 0 where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        pass
    try:
        return int(psutil.Process(pid).create_time()) if not Path("/proc/self").exists() else 0
    except psutil.Error:
        return 0


def _told(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )


def _leave(lease: Lease) -> None:
    """End this process where it stands: whatever it still wrote would stand beside another's work.

    No handlers run, since those would save what was done, and helpers end with their holder.
    """
    sys.stderr.write(
        f"{lease.folder} was taken over by another process while this one gave no sign of life (paused, or its "
        "machine asleep); this one ends here and writes nothing more. Call it again to go on.\n"
    )
    sys.stderr.flush()
    os._exit(LOST)


@dataclass
class Lease:
    """A lease that this process holds; `on_loss` is called once another has taken it."""

    folder: Place
    holder: Holder
    on_loss: Callable[[Lease], None] = _leave

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="lease")
        self._thread.start()

    def _keep(self) -> None:
        while not self._ended.wait(TOUCH_SECONDS):
            found = read_lease(self.folder)
            if found is None or found.token != self.holder.token:
                self.on_loss(self)
                return
            with contextlib.suppress(OSError):  # a full disk must not end what it cannot stop
                _touch(self.folder / FILE)

    def release(self) -> None:
        """Give the folder up."""
        self._ended.set()
        self._thread.join()
        with _alone(self.folder):
            found = read_lease(self.folder)
            if found is not None and found.token == self.holder.token:
                with contextlib.suppress(OSError):
                    remove(self.folder / FILE)


@contextlib.contextmanager
def leased(folder: Place, purpose: str, say: Callable[[str], None] = lambda text: None) -> Iterator[Lease]:
    """Hold a folder while the block runs; should another take it over meanwhile, this process ends.

    Raises:
        Held: where a living process holds it.
    """
    lease = acquire(folder, purpose, say)
    try:
        yield lease
    finally:
        lease.release()


def acquire(folder: Place, purpose: str, say: Callable[[str], None] = lambda text: None) -> Lease:
    """Take a folder's lease, if need be from a dead holder; `say` is told what is waited for."""
    make_folder(folder)
    pid = os.getpid()
    mine = Holder(socket.gethostname(), this_machine(), pid, _started(pid), purpose, secrets.token_hex(8), time.time())
    while True:
        with _alone(folder):
            found, seen = read_lease(folder), _touched(folder)
            took_over = found is not None
            if found is None or (found.here and not found.alive):
                write_text(folder / FILE, json.dumps(asdict(mine), sort_keys=True) + "\n")
                break
        if found.here:
            raise Held(found)
        say(f"{folder} was last written by process {found.pid} on {found.host}; waiting up to "
            f"{SILENCE_SECONDS:.0f} s for a sign of life")  # fmt: skip
        if not _silent(folder, found, seen):
            raise Held(found)
        with _alone(folder):
            if read_lease(folder) == found and _touched(folder) == seen:
                write_text(folder / FILE, json.dumps(asdict(mine), sort_keys=True) + "\n")
                break
    if took_over:
        time.sleep(ORPHANS_SECONDS)
    return Lease(folder, mine)


def read_lease(folder: Place) -> Holder | None:
    """The holder that a folder names; None where there is no lease, or one that is empty or garbage."""
    try:
        told: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = Holder(**told)
        return found if isinstance(found.pid, int) and isinstance(found.started, int) else None
    except (OSError, ValueError, TypeError):
        return None


def end_with_holder(folder: Place) -> None:
    """In a helper of the holder: end this process soon after the holder has ended."""
    holder = read_lease(folder)
    if holder is None or not holder.here or holder.pid == os.getpid():
        return

    def watch() -> None:
        while holder.alive:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="holder").start()


def _silent(folder: Place, found: Holder, seen: float) -> bool:
    """Whether the lease stays untouched for as long as no living holder leaves it."""
    until = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        if read_lease(folder) != found or _touched(folder) != seen:
            return False
    return True


def _touched(folder: Place) -> float:
    try:
        told = (folder / FILE).stat()
    except OSError:
        return 0.0
    return float(getattr(told, "st_mtime_ns", 0) or getattr(told, "st_mtime", 0.0))


def _touch(path: Place) -> None:
    if is_local(path):
        os.utime(path)
    else:
        write_text(path, path.read_text(encoding="utf-8"))


_in_process = threading.Lock()


@contextlib.contextmanager
def _alone(folder: Place) -> Iterator[None]:
    """One process at a time, for the moment of looking and taking."""
    with _in_process:
        if not is_local(folder):
            yield
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # file systems without locks: the lease alone must do
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
