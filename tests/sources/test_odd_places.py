"""What lies among the data and is none, or is not named as others are: passed over, quarantined or carried, never fatal."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from schemas.document import READ_COLUMNS
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import batched_frames, read_frames
from storage.fingerprints import fingerprint_of
from storage.json_files import read_json, whole_lines, write_json
from storage.publishing import append_line


def source(pattern: str) -> Source:
    return Source(name="s", files=[pattern], source_type="web")


def test_pipes_and_devices_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    os.symlink("/dev/zero", tmp_path / "zero.txt")
    (tmp_path / "good.txt").write_text("Aspirin relieves pain.")
    found = find_inputs(source("*"), tmp_path)
    assert [file.uri for file in found] == ["good.txt", "pipe.txt", "zero.txt"]
    assert fingerprint_of(str(tmp_path / "pipe.txt")) == ""
    broken = [row for file in found[1:] for _, rows in read_frames(file, source("*")) for row in rows["error"]]
    assert broken == ["not a regular file"] * 2


def test_runs_and_trainings_among_the_data_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    for name, signs in (
        ("run", ("recipe.yaml", "plan.json", "curated/00000.parquet")),
        ("model", ("train.json", "model.json")),
    ):
        for sign in signs:
            (tmp_path / "out" / name / sign).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "out" / name / sign).write_text("{}")
    (tmp_path / "a.txt").write_text("a")
    assert [file.uri for file in find_inputs(source("**/*"), tmp_path)] == ["a.txt"]
    asked = find_inputs(source("out/*/curated/*.parquet"), tmp_path)
    assert [file.uri for file in asked] == ["out/run/curated/00000.parquet"]
    assert len(find_inputs(source("out/run/**/*"), tmp_path)) == 3


def test_names_that_are_not_utf8_are_carried(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller.txt")
    (tmp_path / name).write_text("Aspirin relieves pain.")
    (file,) = find_inputs(source("*"), tmp_path)
    assert file.uri == "M%FCller.txt"
    (frame,) = [frame for frame, _ in read_frames(file, source("*"))]
    assert frame["text"].to_list() == ["Aspirin relieves pain."]
    write_json(tmp_path / "plan.json", {"location": file.location})
    assert read_json(tmp_path / "plan.json")["location"] == file.location


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf", b"\xff\xfe", b"  \n\t ", b"\0" * 4096, b"\n"])
@pytest.mark.parametrize("suffix", ["txt", "md", "html", "jsonl", "csv"])
def test_files_of_nothing_are_in_quarantine(data: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(data)
    (file,) = find_inputs(source("*"), tmp_path)
    frames = list(read_frames(file, source("*")))
    assert sum(frame.height for frame, _ in frames) == 0
    assert [row for _, rows in frames for row in rows["error"]] == [
        "nothing but a byte-order mark, blanks or zero bytes in it"
    ]


def test_small_files_come_in_batches_and_in_order(tmp_path: Path) -> None:
    for number in range(2500):
        (tmp_path / f"{number:05d}.txt").write_text(f"Note {number}.")
    files = find_inputs(source("*"), tmp_path)
    frames = list(batched_frames(pair for file in files for pair in read_frames(file, source("*"))))
    assert len(frames) == 2
    texts = pl.concat([frame for frame, _ in frames])["text"].to_list()
    assert texts == [f"Note {number}." for number in range(2500)]
    assert list(batched_frames(iter(()))) == []
    assert set(READ_COLUMNS) <= set(frames[0][0].columns)


def test_a_torn_line_harms_neither_its_reader_nor_the_next_line(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append_line(log, '{"a": 1}')
    log.write_bytes(log.read_bytes() + b'{"b": ')
    append_line(log, '{"c": 3}')
    log.write_bytes(log.read_bytes() + b"\0" * 20)
    assert list(whole_lines(log.read_text())) == [{"a": 1}, {"c": 3}]
