"""Segmentation and line features against plain Python."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from textcolumns.columns import TextColumn

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_units_cover_everything_but_white_space(texts: list[str]) -> None:
    column = TextColumn(pl.Series(texts))
    for row, text in enumerate(texts):
        units = column.units
        first, last = units.bounds[row], units.bounds[row + 1]
        data = text.encode()
        joined = b"".join(data[units.starts[i] : units.ends[i]] for i in range(first, last)).decode()
        classes = [char for char in text if char in joined]
        assert "".join(joined.split()) == joined or not joined.isascii()
        assert len(joined) <= len(text)
        assert units.lengths[first:last].sum() == len(joined)
        assert {char for char in text if char.isalnum()} <= set(classes)


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_lines_and_characters_match_python(texts: list[str]) -> None:
    column = TextColumn(pl.Series(texts))
    assert column.characters.tolist() == [len(text) for text in texts]
    for row, text in enumerate(texts):
        first, last = column.lines.bounds[row], column.lines.bounds[row + 1]
        assert column.lines.lengths[first:last].tolist() == [len(line) for line in text.split("\n")]


def test_units_of_both_scripts() -> None:
    text = "Hello, patient's 3.5 mg; 患者5mg。"
    column = TextColumn(pl.Series([text]))
    units = [column.data[a:b].tobytes().decode() for a, b in zip(column.units.starts, column.units.ends, strict=True)]
    assert units == ["Hello", ",", "patient", "'s", "3.5", "mg", ";", "患", "者", "5mg", "。"]


def test_folds_ignore_case_width_and_accents() -> None:
    column = TextColumn(pl.Series(["Café ABC", "CAFE ａｂｃ"]))
    half = len(column.units.folds) // 2
    assert np.array_equal(column.units.folds[:half], column.units.folds[half:])
    assert not np.array_equal(column.units.hashes[:half], column.units.hashes[half:])


def test_sentences_do_not_end_inside_numbers() -> None:
    column = TextColumn(pl.Series(["The dose is 2.5 mg. Give it twice! 每日一次。好吗？"]))
    assert column.lines.sentences.tolist() == [4]
    assert re.findall(r"\d\.\d", "2.5")


ARRAYS = {
    "units": ("bounds", "starts", "ends", "lengths", "hashes", "folds", "flags"),
    "lines": ("bounds", "lengths", "stripped", "firsts", "lasts", "dots", "words", "longest", "sentences", "hashes"),
}


@given(st.lists(st.tuples(TEXT, st.booleans(), st.booleans()), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_what_is_kept_is_what_would_be_found_anew(
    rows: list[tuple[str, bool, bool]], first_asked: bool, between_asked: bool
) -> None:
    texts = pl.Series([text for text, _, _ in rows])
    column = TextColumn(texts)
    if first_asked:
        assert len(column.units.bounds) == len(column.lines.bounds) == len(rows) + 1
    once = pl.Series([kept for _, kept, _ in rows])
    left = texts.filter(once)
    between = column.kept(once.to_numpy(), left)
    if between_asked:
        assert len(between.units.lengths) == between.units.bounds[-1]
        assert len(between.lines.hashes) == between.lines.bounds[-1]
    twice = pl.Series([kept for _, held, kept in rows if held], dtype=pl.Boolean)
    kept, anew = between.kept(twice.to_numpy(), left.filter(twice)), TextColumn(left.filter(twice))
    for kind, names in ARRAYS.items():
        for name in names:
            assert np.array_equal(getattr(getattr(kept, kind), name), getattr(getattr(anew, kind), name)), name
