"""Which documents a mixture's components take, and how often, by their SQL conditions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import polars as pl

from schemas.condition import Wanted, checked_expression
from schemas.errors import CurateError, WrongCall
from schemas.recipe import Mixture
from tokenization.shards import shuffle_keys

MAX_REPEATS: Final = 100.0
REPEAT_SEED: Final = 0x7265706561  # apart from the seed of the shards' order


def member_column(mixture: str, component: str) -> str:
    """Name of the column that says whether a row belongs to a component."""
    return f"in:{mixture}/{component}"


def members(frame: pl.DataFrame, mixtures: Mapping[str, Mixture], seed: int = 0) -> pl.DataFrame:
    """One column of counts a component: how often each document comes, by its SQL conditions.

    A fractional `repeat` is rounded up for as many documents as the fraction says, by the hash of the id.
    """
    chance = (
        shuffle_keys(frame["id"], seed ^ REPEAT_SEED).cast(pl.Float64) / 2.0**64
        if frame.height
        else pl.Series([], dtype=pl.Float64)
    )
    asked = tuple(
        Asked(mixture, one.name, one.where, one.repeat or "1")
        for mixture, wanted in mixtures.items()
        for one in wanted.components
    )
    counts = [
        _count(member, times, pl.lit(chance)).alias(member_column(one.mixture, one.component))
        for one, (member, times) in zip(asked, _expressions(asked, tuple(frame.schema.items())), strict=True)
    ]
    try:
        return frame.with_columns(counts).select(one.meta.output_name() for one in counts)
    except pl.exceptions.PolarsError as error:
        raise CurateError(f"{_first_wrong(frame, asked)}: {str(error).splitlines()[0]}") from None


class Asked(NamedTuple):
    """What a component asks of a document, in SQL."""

    mixture: str
    component: str
    where: str
    repeat: str

    def told(self) -> str:
        """Where it stands in the recipe."""
        return f"mixture '{self.mixture}', component '{self.component}'"


def _count(member: pl.Expr, times: pl.Expr, chance: pl.Expr) -> pl.Expr:
    """How often a document comes."""
    often = times.cast(pl.Float64).fill_null(0.0).clip(0.0, MAX_REPEATS)
    count = often.floor() + (chance < often - often.floor()).cast(pl.Float64)
    return (count * member.cast(pl.Boolean).fill_null(False).cast(pl.Float64)).cast(pl.Int32)


@lru_cache(maxsize=16)  # every partition asks the same
def _expressions(
    asked: tuple[Asked, ...], columns: tuple[tuple[str, pl.DataType], ...]
) -> list[tuple[pl.Expr, pl.Expr]]:
    """Whether a document belongs to each component, and how often it comes."""
    known = dict(columns)
    return [(_checked(one, "where", known, "condition"), _checked(one, "repeat", known, "number")) for one in asked]


def _checked(one: Asked, field: str, columns: Mapping[str, pl.DataType], wanted: Wanted) -> pl.Expr:
    text = str(getattr(one, field))
    try:
        return checked_expression(text, columns, wanted)
    except WrongCall as error:
        raise WrongCall(f"{one.told()}: `{field}: {text}`: {error}") from None


def _first_wrong(frame: pl.DataFrame, asked: tuple[Asked, ...]) -> str:
    """The first component whose condition or number fails on these documents."""
    for one, expressions in zip(asked, _expressions(asked, tuple(frame.schema.items())), strict=True):
        try:
            frame.select(told.alias(str(at)) for at, told in enumerate(expressions))
        except pl.exceptions.PolarsError:
            return one.told()
    return asked[0].told()
