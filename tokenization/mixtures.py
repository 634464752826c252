"""Which documents a mixture's components take, and how often, by their SQL conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from schemas.condition import Wanted, checked_expression
from schemas.errors import CurateError, WrongCall
from schemas.recipe import Component, Mixture
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
    columns = []
    for mixture_name, mixture in mixtures.items():
        for component in mixture.components:
            name = member_column(mixture_name, component.name)
            found = _evaluated(frame, component, f"mixture '{mixture_name}', component '{component.name}'")
            times = found["times"].fill_null(0.0).clip(0.0, MAX_REPEATS)
            count = times.floor() + (chance < times - times.floor()).cast(pl.Float64)
            member = found["member"].fill_null(False)
            columns.append((count * member.cast(pl.Float64)).cast(pl.Int32).alias(name))
    return pl.DataFrame(columns)


def _evaluated(frame: pl.DataFrame, component: Component, told: str) -> pl.DataFrame:
    """Of each row, whether it belongs to the component (`member`), and how often it comes (`times`)."""
    asked = {"member": component.where, "times": component.repeat or "1"}
    values = [_value(frame, text, name, told).alias(name) for name, text in asked.items()]
    try:
        return frame.with_columns(values).select(pl.col("member").cast(pl.Boolean), pl.col("times").cast(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise CurateError(f"{told}: {str(error).splitlines()[0]}") from None


def _value(frame: pl.DataFrame, text: str, name: str, told: str) -> pl.Expr:
    field = "where" if name == "member" else "repeat"
    wanted: Wanted = "condition" if name == "member" else "number"
    try:
        return checked_expression(text, frame.schema, wanted)
    except WrongCall as error:
        raise WrongCall(f"{told}: `{field}: {text}`: {error}") from None
