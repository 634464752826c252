"""Files appear whole or not at all, on disks that know no flush or rename, and in a store."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

from storage import publishing
from storage.json_files import read_json, read_whole_json, write_json
from storage.places import is_local, place
from storage.publishing import append_line, claimed, link_or_copy, published, sweep, write_text


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path if request.param == "local" else place(f"memory://{tmp_path.name}")


def test_a_failed_attempt_leaves_what_was_there(folder: Path) -> None:
    write_text(folder / "a" / "b.txt", "before")
    with contextlib.suppress(RuntimeError), published(folder / "a" / "b.txt") as attempt:
        attempt.write_text("half")
        raise RuntimeError
    assert (folder / "a" / "b.txt").read_text() == "before"
    assert [one.name for one in (folder / "a").iterdir()] == ["b.txt"]


def test_two_attempts_at_one_file_never_mix(tmp_path: Path) -> None:
    target = tmp_path / "one"
    with published(target) as first, published(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # the one that ended last
    assert not list(tmp_path.glob(".*"))


def test_json_is_the_same_bytes_for_the_same_value(folder: Path) -> None:
    write_json(folder / "a.json", {"b": 1, "a": "ü"})
    write_json(folder / "b.json", {"a": "ü", "b": 1})
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()
    assert read_json(folder / "a.json") == {"a": "ü", "b": 1}


@pytest.mark.parametrize("left", [b"", b"\0" * 40, b'{"a": '])
def test_what_a_power_cut_leaves_counts_as_nothing(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "torn.json").write_bytes(left)
    assert read_whole_json(tmp_path / "torn.json") is None
    assert read_whole_json(tmp_path / "missing.json") is None


@pytest.mark.parametrize("refusal", sorted(publishing.NO_FLUSH))
def test_a_disk_without_flush_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(number: int) -> None:
        raise OSError(refusal, "no such call")

    monkeypatch.setattr(publishing.os, "fsync", refuse)
    write_text(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publishing.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "a", "whole")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("refusal", sorted(publishing.NO_RENAME))
def test_a_disk_without_rename_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(refusal, "no such call")

    monkeypatch.setattr(Path, "replace", refuse)
    write_text(tmp_path / "a", "before")
    write_text(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_links_where_the_disk_can_and_copies_where_not(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "from").write_text("content")
    link_or_copy(tmp_path / "from", folder / "deep" / "to")
    link_or_copy(tmp_path / "from", folder / "deep" / "to")
    assert (folder / "deep" / "to").read_text() == "content"
    if is_local(folder):
        assert (folder / "deep" / "to").stat().st_ino == (tmp_path / "from").stat().st_ino
        assert [one.name for one in (folder / "deep").iterdir()] == ["to"]


def test_lines_claims_and_sweeping(folder: Path) -> None:
    append_line(folder / "log", "one") if is_local(folder) else write_text(folder / "log", "one\n")
    append_line(folder / "log", "two")
    assert (folder / "log").read_text() == "one\ntwo\n"
    assert claimed(folder / "x" / "a.claim")
    assert not claimed(folder / "x" / "a.claim")
    write_text(folder / "x" / ".b.json.abc.part", "left by a kill")
    assert sweep(folder) == 1
    assert (folder / "x" / "a.claim").exists()
