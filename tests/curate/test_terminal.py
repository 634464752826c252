"""Words of documents are data wherever they are shown."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.page import page_of
from curate.streams import UNSEEN, visible
from curate.terminal import json_line, print_frame


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert not UNSEEN.search(visible(text))
    line = json_line({"text": text})
    assert not UNSEEN.search(line)
    assert "\n" not in line
    assert json.loads(line)["text"] == text


def test_numbers_that_json_has_none_of_are_null() -> None:
    told = json_line({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -float("inf")}})
    assert json.loads(told) == {"a": None, "b": [1.5, None], "c": {"d": None}}


def test_tables_show_brackets_and_whole_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "duplicate_lines=0.41 > max_duplicate_lines=0.30 " + "x" * 150
    print_frame(
        pl.DataFrame({"title": ["[/b] [corrected] \x1b[2J", None], "n": [1.0, None], "why": [reason, ""]}), False
    )
    shown = capsys.readouterr().out
    assert "[/b] [corrected] \\x1b[2J" in shown
    assert reason in shown


def test_pages_shorten_and_write_out(tmp_path: Path) -> None:
    page = page_of("audit.html")
    place = {
        "class": "NAME",
        "document": "d",
        "source": "s",
        "before": "<script>\u202e",
        "mark": "[NAME]",
        "after": "x" * 9000,
    }
    told = page.render(run="r", marks=[place], suspects=[])
    assert "&lt;script&gt;\\u202e" in told
    assert "x" * 2500 not in told
