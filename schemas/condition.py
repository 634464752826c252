"""Conditions of recipes: one SQL expression over the columns of one table, checked before anything is read.

An expression is all that a condition may be. polars reads files from within a sub-query (`read_csv`), so a recipe
from elsewhere could choose documents by what lies on this machine; and an aggregate would see a batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import polars as pl

from schemas.errors import WrongCall
from schemas.nearest import nearest

# Texts in quotes, which may hold any word; then what is no part of one expression.
QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`")
REACHES_OUT: Final = re.compile(r"\b(select|with|values|table|read_\w+|scan_\w+)\b", re.IGNORECASE)
COMMENT: Final = re.compile(r"--|/\*|#")
UNKNOWN_COLUMN: Final = re.compile(r'unable to find column "([^"]+)"')
UNKNOWN_FIELD: Final = re.compile(r'field[^"]*"([^"]+)"')
NOT_BY_ROW: Final = ('"Agg"', '"Len"', '"Over"', '"Window"', '"SubPlan"')
WINDOW: Final = re.compile(r"\bover\s*\(", re.IGNORECASE)

Wanted = Literal["condition", "number"]


def row_expression(text: str) -> pl.Expr:
    """The SQL expression `text`; sub-queries, comments and aggregates are refused with a `WrongCall`."""
    bare = QUOTED.sub("''", text)
    if found := REACHES_OUT.search(bare):
        raise WrongCall(f"`{found.group()}` is not allowed: a condition sees the row's own columns alone")
    if COMMENT.search(bare):
        raise WrongCall("a condition holds no comment; write it as one of YAML (#)")
    try:
        expression = pl.sql_expr(text)
    except Exception as error:
        raise WrongCall(f"not an SQL expression: {_first_line(error)}") from None
    told = expression.meta.serialize(format="json")
    if WINDOW.search(bare) or any(mark in told for mark in NOT_BY_ROW):
        raise WrongCall("aggregates and windows are not allowed: they would see a part of the documents, not all")
    return expression


def checked_expression(text: str, columns: Mapping[str, pl.DataType], wanted: Wanted = "condition") -> pl.Expr:
    """`row_expression`, with its columns looked up, and its kind: a truth value, or a number.

    NULL counts as no, and is allowed. Raises `WrongCall` with the nearest column or score.
    """
    return _checked(text, tuple(columns.items()), wanted)


@lru_cache(maxsize=256)  # a partition asks for the same ones as the last
def _checked(text: str, columns: tuple[tuple[str, pl.DataType], ...], wanted: Wanted) -> pl.Expr:
    expression = row_expression(text)
    try:
        found = pl.DataFrame(schema=dict(columns)).lazy().select(value=expression).collect().schema["value"]
    except Exception as error:
        raise WrongCall(_told(error, dict(columns))) from None
    fits = found.is_numeric() if wanted == "number" else found == pl.Boolean
    if not fits and found != pl.Null:
        kind = "a number" if wanted == "number" else "true or false"
        raise WrongCall(f"it gives {found}, not {kind}")
    return expression


def _told(error: Exception, columns: Mapping[str, pl.DataType]) -> str:
    message = _first_line(error)
    if found := UNKNOWN_COLUMN.search(message):
        return f"there is no column '{found[1]}'{nearest(found[1], columns)}"
    scores = columns.get("scores")
    if isinstance(error, pl.exceptions.StructFieldNotFoundError) and isinstance(scores, pl.Struct):
        names = [field.name for field in scores.fields]
        missing = UNKNOWN_FIELD.search(message)
        name = missing[1] if missing else message
        return f"there is no score '{name}' here{nearest(name, names)}"
    return message


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
