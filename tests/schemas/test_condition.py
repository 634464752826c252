"""Conditions are one expression over a row's own columns: truth or a number, and nothing that reaches further."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from schemas.condition import checked_expression
from schemas.errors import WrongCall

COLUMNS = {
    "title": pl.String(),
    "source_type": pl.String(),
    "difficulty": pl.Int32(),
    "scores": pl.Struct({"words": pl.Float64, "quality": pl.Float64}),
}


@pytest.mark.parametrize(
    "text",
    [
        "true", "NULL", "scores.words > 10", "title = 'O''Brien -- select'", "NOT (title IS NULL)",
        "CASE WHEN difficulty > 2 THEN true ELSE false END", "title LIKE '#%'", "length(title) BETWEEN 2 AND 9",
    ],
)  # fmt: skip
def test_conditions_are_accepted(text: str) -> None:
    checked_expression(text, COLUMNS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("title", "not true or false"),
        ("sorce_type = 'web'", "did you mean 'source_type'"),
        ("scores.qualty > 0.5", "did you mean 'quality'"),
        ("true --", "comment"),
        ("true /* x */", "comment"),
        ("true; drop it", "not an SQL expression"),
        ("true) AS member, (3) AS times FROM documents --", "comment"),
        ("true) AS member, (3) AS times FROM documents", "not an SQL expression"),
        ("EXISTS (SELECT 1)", "not allowed"),
        ("difficulty > avg(difficulty)", "aggregates"),
        ("count(*) > 1", "aggregates"),
        ("row_number() OVER () > 1", "aggregates"),
        ("difficulty = 'web'", "compare"),
        ("", "not an SQL expression"),
    ],
)
def test_anything_else_is_refused_with_why(text: str, why: str) -> None:
    with pytest.raises(WrongCall, match=why):
        checked_expression(text, COLUMNS)


def test_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("name\nx\n")
    for query in (f"title IN (SELECT name FROM read_csv('{tmp_path}/secret.csv'))", f"title = read_csv('{tmp_path}')"):
        with pytest.raises(WrongCall, match="not allowed"):
            checked_expression(query, COLUMNS)


def test_numbers_are_asked_for_as_such() -> None:
    checked_expression("1.5", COLUMNS, "number")
    checked_expression("CASE WHEN scores.quality > 0.5 THEN 2 ELSE 1 END", COLUMNS, "number")
    with pytest.raises(WrongCall, match="not a number"):
        checked_expression("title = 'x'", COLUMNS, "number")
