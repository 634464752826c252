"""A checkpoint is believed only by checksum: what is damaged is named, never trained on or exported, and gone around."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from schemas.errors import CurateError
from storage.json_files import write_json
from trainers.launch.fallback import set_damaged_aside
from trainers.loop.checksums import checked_while, damaged_file, write_checksums
from trainers.loop.position import latest


def checkpoint(out: Path, step: int) -> Path:
    folder = out / "checkpoints" / f"step-{step:08d}"
    folder.mkdir(parents=True)
    for name in ("__0_0.distcp", "__1_0.distcp", ".metadata", "common.pt"):
        (folder / name).write_bytes(name.encode() * 1000 + bytes([step]))
    position = {"step": step, "samples": 0, "manifest_digest": "", "mixture": "", "trajectory_digest": ""}
    write_json(folder / "position.json", position)
    write_checksums(folder)
    return folder


def flip(folder: Path) -> None:
    data = bytearray((folder / "__1_0.distcp").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "__1_0.distcp").write_bytes(bytes(data))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "__1_0.distcp": flip,
    ".metadata": lambda folder: (folder / ".metadata").unlink(),
    "common.pt": lambda folder: (folder / "common.pt").write_bytes(b""),
    "position.json": lambda folder: (folder / "position.json").write_text(""),
    "checksums.json": lambda folder: (folder / "checksums.json").write_text("{"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_named_and_gone_around(name: str, tmp_path: Path) -> None:
    first, second = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20)
    assert damaged_file(second) is None
    DAMAGES[name](second)
    found = damaged_file(second)
    assert found is not None
    assert found.name == name
    told: list[str] = []
    set_damaged_aside(tmp_path, told.append)
    assert latest(tmp_path) == first
    assert (tmp_path / "checkpoints" / "damaged-step-00000020").is_dir()
    assert name in told[0]


def test_reading_is_refused_whatever_it_gave(tmp_path: Path) -> None:
    checkpoint(tmp_path, 10)
    folder = checkpoint(tmp_path, 20)
    assert checked_while(folder, lambda: {"read": 1}) == {"read": 1}
    flip(folder)
    with pytest.raises(CurateError, match=r"__1_0.distcp is not what was saved; .*--fallback .* step-00000010"):
        checked_while(folder, lambda: {"read": 1})

    def fails() -> dict[str, object]:
        raise ValueError("torn")

    with pytest.raises(CurateError, match="is not what was saved"):
        checked_while(folder, fails)


def test_an_error_of_reading_stays_where_files_are_whole(tmp_path: Path) -> None:
    def fails() -> dict[str, object]:
        raise ValueError("another layout")

    with pytest.raises(ValueError, match="another layout"):
        checked_while(checkpoint(tmp_path, 10), fails)


def test_without_any_whole_one_training_does_not_begin_anew_in_silence(tmp_path: Path) -> None:
    flip(checkpoint(tmp_path, 10))
    with pytest.raises(CurateError, match="no whole checkpoint left"):
        set_damaged_aside(tmp_path, lambda told: None)


def test_checkpoints_of_before_have_none_and_are_read(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 10)
    (folder / "checksums.json").unlink()
    shutil.copy(folder / "common.pt", folder / "other.pt")
    assert damaged_file(folder) is None
