"""One writer a folder: refused while the holder lives, taken over at once when it is dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from schemas.errors import WrongCall
from storage import lease
from storage.lease import FILE, Holder, acquire, leased, read_lease, this_machine
from storage.places import place
from tests.conftest import REPOSITORY

PAUSED = """
import sys, time
from pathlib import Path
from storage import lease
lease.TOUCH_SECONDS = 0.1
with lease.leased(Path(sys.argv[1]), "test"):
    print("held", flush=True)
    try:
        time.sleep(60)
    finally:
        Path(sys.argv[1], "saved").touch()
"""
HOLD = "import sys,time;from pathlib import Path;from storage.lease import acquire;acquire(Path(sys.argv[1]),'test');print('held',flush=True);time.sleep(60)"


def holding(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def test_a_living_holder_is_named_and_a_dead_one_replaced_at_once(tmp_path: Path) -> None:
    process = holding(tmp_path)
    try:
        with pytest.raises(WrongCall, match=f"in use by process {process.pid} on .* begun .* ago"):
            acquire(tmp_path, "second")
    finally:
        process.kill()
        process.wait()
    started = time.monotonic()
    with leased(tmp_path, "second"):
        assert time.monotonic() - started < 3
        assert read_lease(tmp_path).pid == os.getpid()
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", [b"", b"\0\0", b"garbage", b'{"pid": 1}', b"[]", b'{"host": 1}'])
def test_a_lease_that_says_nothing_holds_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with leased(tmp_path, "test"):
        assert read_lease(tmp_path).pid == os.getpid()


def elsewhere(folder: Path) -> Holder:
    """A lease that a process of another machine left."""
    holder = Holder("far", "another machine", 1, 1, "test", "token", time.time())
    (folder / FILE).write_text(json.dumps(asdict(holder)))
    return holder


def test_a_silent_holder_elsewhere_is_waited_for_and_then_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SILENCE_SECONDS", 1.0)
    elsewhere(tmp_path)
    told: list[str] = []
    with leased(tmp_path, "test", told.append):
        assert read_lease(tmp_path).machine == this_machine()
    assert "waiting up to" in told[0]
    assert "far" in told[0]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_holder_elsewhere_that_gives_signs_of_life_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Its clock may be a day off: what counts is that the touch changes."""
    monkeypatch.setattr(lease, "SILENCE_SECONDS", 5.0)
    elsewhere(tmp_path)
    touch = "import os,sys,time;time.sleep(0.7);os.utime(sys.argv[1],(time.time()+int(sys.argv[2]),)*2)"
    process = subprocess.Popen([sys.executable, "-c", touch, str(tmp_path / FILE), str(jump)])
    with pytest.raises(WrongCall, match="in use by process 1 on far"):
        acquire(tmp_path, "test")
    process.wait()


def test_a_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    mine = acquire(tmp_path, "test")
    mine.release()
    (tmp_path / FILE).write_text(json.dumps(asdict(replace(mine.holder, started=mine.holder.started - 5))))
    acquire(tmp_path, "test").release()


def test_a_holder_notices_that_it_lost_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "TOUCH_SECONDS", 0.05)
    lost = threading.Event()
    first = acquire(tmp_path, "test")
    first.release()
    held = lease.Lease(tmp_path, first.holder, lambda held: lost.set())
    (tmp_path / FILE).write_text(json.dumps(asdict(replace(held.holder, token="other"))))
    assert lost.wait(10)
    held.release()
    assert (tmp_path / FILE).exists()  # another's is left to it


def test_a_holder_that_was_paused_writes_nothing_beside_its_successor(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSED, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    holder = read_lease(tmp_path)
    assert holder is not None
    (tmp_path / FILE).write_text(json.dumps(asdict(replace(holder, token="other"))))
    process.send_signal(signal.SIGCONT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == lease.LOST
    assert b"taken over by another process" in told
    assert not (tmp_path / "saved").exists()  # what runs at the end of a process did not


def test_helpers_end_with_their_holder(tmp_path: Path) -> None:
    process = holding(tmp_path)
    helper = subprocess.Popen(
        [sys.executable, "-c", "import sys,time;from pathlib import Path;from storage.lease import end_with_holder;end_with_holder(Path(sys.argv[1]));time.sleep(60)", str(tmp_path)],
        cwd=REPOSITORY,
    )  # fmt: skip
    time.sleep(1.0)
    assert helper.poll() is None
    process.kill()
    process.wait()
    assert helper.wait(timeout=5) == 1


def test_a_folder_in_memory_is_leased_too() -> None:
    folder = place("memory://leased")
    with leased(folder, "test"):
        with pytest.raises(WrongCall, match="in use"):
            acquire(folder, "again")
    assert not (folder / FILE).exists()
