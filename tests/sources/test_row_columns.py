"""What rows tell of a document is kept, by name or by the recipe; what does not fit is said and left out."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.execute import execute
from sources.row_columns import ABSENT, MISFIT, told_by
from storage.json_files import read_json
from tests.conftest import write_recipe


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("2021-03-04", "2021-03-04"),
        ("2021-3", "2021-03"),
        (2021, "2021"),
        ("20210304", "2021-03-04"),
        ("2021/3/4", "2021-03-04"),
        ("2021.03", "2021-03"),
        ("2021年3月4日", "2021-03-04"),
        ("2021年3月", "2021-03"),
        ("2021年", "2021"),
        ("2021-03-04T10:20:30Z", "2021-03-04"),
        ("2021-03-04 10:20", "2021-03-04"),
        (date(2021, 3, 4), "2021-03-04"),
        (datetime(2021, 3, 4, 5, 6), "2021-03-04"),
        ("4 March 2021", "2021-03-04"),
        ("March 4, 2021", "2021-03-04"),
        ("Mar 2021", "2021-03"),
        ("1596", "1596"),
        ("2021-13-01", None),
        ("2021-02-30", None),
        ("03/04/2021", None),
        ("last week", None),
        ("0000", None),
        ("9999", None),
    ],
)
def test_dates_of_many_forms_become_one_and_none_is_guessed(given: object, taken: str | None) -> None:
    found, said = told_by({"day": given}, {"published": "day"})
    assert found.get("published") == taken
    assert said == ([] if taken else ["published" + MISFIT])


@pytest.mark.parametrize(
    ("column", "given", "taken"),
    [
        ("authority", " b ", "B"),
        ("authority", "Z", None),
        ("retracted", "Yes", True),
        ("retracted", False, False),
        ("retracted", 1, True),
        ("retracted", "0", False),
        ("retracted", "maybe", None),
        ("language", "en-US", "en"),
        ("language", "zh_Hans", "zh"),
        ("language", "ENG", "en"),
        ("language", "中文", "zh"),
        ("language", "fr", "fr"),
        ("language", "the language of the patient", None),
        ("doi", "https://doi.org/10.1000/ABC.1", "10.1000/abc.1"),
        ("doi", "no doi", None),
        ("licence", "CC-BY-4.0", "CC-BY-4.0"),
        ("licence", "a licence\nof two lines", None),
        ("edition", 3, "3"),
        ("series", "x" * 400, None),
    ],
)
def test_values_are_taken_where_they_fit(column: str, given: object, taken: object) -> None:
    found, said = told_by({column: given}, None)
    assert found.get(column) == taken
    assert said == ([] if taken is not None else [column + MISFIT])


def test_empty_values_are_nothing_and_a_named_column_that_a_row_lacks_is_said() -> None:
    assert told_by({"date": "", "licence": None}, None) == ({}, [])
    assert told_by({"when": None}, {"published": "when"}) == ({}, [])
    assert told_by({"date": "2020"}, {"published": "when"}) == ({}, ["published" + ABSENT])


RECIPE = """
name: rows
sources:
  - name: lines
    files: "*.jsonl"
    source_type: literature
    licence: CC0-1.0
    language: zh
    authority: C
    columns: {published: when, authority: grade}
  - {name: cells, files: "*.csv", source_type: literature, columns: {edition: ed}}
  - {name: table, files: "*.parquet", source_type: literature}
steps: [normalise]
dedup: {minhash: false}
tokenizer: {train: {vocab_size: 300}}
mixtures: {pretrain: {components: [{name: all}]}}
max_quarantined: 1.0
"""


def test_a_delivery_keeps_its_columns_and_the_run_says_what_did_not_fit(tmp_path: Path) -> None:
    rows = [
        {"text": "Metformin lowers glucose.", "when": "2021/3/4", "grade": "a", "lang": "en", "license": "CC-BY-4.0"},
        {"text": "Aspirin thins the blood.", "when": "some day", "grade": "very good", "retracted": "true"},
        {"text": "Salbutamol opens the airways."},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "cells.csv").write_text("text,ed\nWarfarin needs checks of the INR.,3rd\n")
    (tmp_path / "other.csv").write_text("text,edition\nInsulin is kept cold.,3rd\n")
    table = {"text": ["Digoxin slows the heart."], "published": [date(2020, 5, 6)], "series": ["labels"]}
    pl.DataFrame(table).write_parquet(tmp_path / "table.parquet")
    execute(write_recipe(tmp_path, RECIPE), tmp_path, tmp_path / "run")
    found = {row["text"].split()[0]: row for row in pl.read_parquet(tmp_path / "run/curated/*.parquet").to_dicts()}
    first, second, third = found["Metformin"], found["Aspirin"], found["Salbutamol"]
    told = ("published", "authority", "language", "licence")
    assert [first[name] for name in told] == ["2021-03-04", "A", "en", "CC-BY-4.0"]
    assert [second[name] for name in told] == [None, "E", "zh", "CC0-1.0"]  # retracted
    assert third["authority"] == "C"
    assert found["Warfarin"]["edition"] == "3rd"
    assert (found["Digoxin"]["published"], found["Digoxin"]["series"]) == ("2020-05-06", "labels")
    broken = pl.read_parquet(tmp_path / "run/quarantined/*.parquet")
    assert "no column 'ed', which `columns` names for edition" in broken["error"].item()
    notes = [note for note in read_json(tmp_path / "run" / "notes.json") if "of its rows" in note]
    assert [note.split(";")[0] for note in notes] == [
        "source 'lines': authority is not in the row, though the recipe says where, in 1 of its rows",
        "source 'lines': authority of the row does not fit, in 1 of its rows",
        "source 'lines': published is not in the row, though the recipe says where, in 1 of its rows",
        "source 'lines': published of the row does not fit, in 1 of its rows",
    ]
