"""Which documents a mixture's components take, and how often, by their SQL conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

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
    context = pl.SQLContext(documents=frame.with_row_index("_row"), eager=True)
    chance = (
        shuffle_keys(frame["id"], seed ^ REPEAT_SEED).cast(pl.Float64) / 2.0**64
        if frame.height
        else pl.Series([], dtype=pl.Float64)
    )
    columns = []
    for mixture_name, mixture in mixtures.items():
        for component in mixture.components:
            name = member_column(mixture_name, component.name)
            query = (
                f"SELECT ({component.where}) AS member, ({component.repeat or 1}) AS times FROM documents ORDER BY _row"
            )
            found = context.execute(query)
            times = found["times"].cast(pl.Float64).fill_null(0.0).clip(0.0, MAX_REPEATS)
            count = times.floor() + (chance < times - times.floor()).cast(pl.Float64)
            member = found["member"].cast(pl.Boolean).fill_null(False)
            columns.append((count * member.cast(pl.Float64)).cast(pl.Int32).alias(name))
    return pl.DataFrame(columns)
