"""Which documents of a series are old: within a scheme of editions by their order, between two by the dates.

Where no date tells, both stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.editions import DATED, parse_edition


def parsed(editions: pl.Series) -> pl.DataFrame:
    """Columns scheme and edition_key of a column of editions; null where there is none."""
    known = {text: parse_edition(text) for text in editions.drop_nulls().unique()}
    columns = {"scheme": [one.scheme for one in known.values()], "edition_key": [one.key for one in known.values()]}
    frame = pl.DataFrame(
        {"_edition": list(known), **columns}, schema=dict.fromkeys(("_edition", *columns), pl.String())
    )
    return (
        pl.DataFrame({"_edition": editions})
        .join(frame, on="_edition", how="left", maintain_order="left")
        .select(*columns)
    )


@dataclass(frozen=True)
class Series:
    """What is known of the series of a corpus.

    `old`: rows of which a newer edition is there (row, series, scheme, edition_key: those of the newer one).
    `newest`: rows of the newest editions (the same columns). `undecided`: rows of which an edition in another
    scheme is there, and no date says which is newer (row, series, other: that edition).
    """

    old: pl.DataFrame
    newest: pl.DataFrame
    undecided: pl.DataFrame


def ordered(candidates: pl.DataFrame) -> Series:
    """The older and newer documents of every series; `candidates` has row, series, edition and published.

    Documents without series or edition belong to none.
    """
    known = candidates.select("row", "series", "edition", "published").drop_nulls(["series", "edition"])
    known = known.hstack(parsed(known["edition"]))
    known = known.with_columns(top=pl.col("edition_key").max().over("series", "scheme"))
    is_top = pl.col("edition_key") == pl.col("top")
    # A year is a date by itself, unless a closer one is given.
    own = pl.when(pl.col("scheme") == DATED).then("edition_key")
    tops = (
        known.filter(is_top)
        .group_by("series", "scheme")
        .agg(
            edition_key=pl.col("top").first(), edition=pl.col("edition").min(), date=pl.coalesce("published", own).max()
        )
        .with_columns(schemes=pl.len().over("series"))
        .sort("series", "scheme")
    )
    winners, undecided = _between_schemes(tops.filter(pl.col("schemes") > 1))
    judged = tops.select("series", "scheme", win_scheme="scheme", win_key="edition_key").update(
        winners, on=["series", "scheme"]
    )
    joined = known.join(judged, on=["series", "scheme"])
    wins = (pl.col("scheme") == pl.col("win_scheme")) & (pl.col("edition_key") == pl.col("win_key"))
    told = ("row", "series", pl.col("win_scheme").alias("scheme"), pl.col("win_key").alias("edition_key"))
    return Series(
        old=joined.filter(~wins).select(*told),
        newest=joined.filter(wins).select(*told),
        undecided=joined.filter(wins).join(undecided, on=["series", "scheme"]).select("row", "series", "other"),
    )


def _between_schemes(tops: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of series with several schemes, which newest edition takes the place of which, by their dates.

    Returns (series, scheme, win_scheme, win_key) and (series, scheme, other: the edition it cannot be told from).
    """
    won: list[tuple[str, str, str, str]] = []
    open_: list[tuple[str, str, str]] = []
    for (series,), rows in tops.group_by("series", maintain_order=True):
        editions = rows.to_dicts()
        best = max(editions, key=lambda one: (one["date"] or "", one["scheme"]))
        for one in editions:
            if one is best:
                others = [
                    other for other in editions if other is not one and not is_earlier(other["date"], one["date"])
                ]
                open_ += [(str(series), one["scheme"], others[0]["edition"])] if others else []
            elif is_earlier(one["date"], best["date"]):
                won.append((str(series), one["scheme"], best["scheme"], best["edition_key"]))
            else:
                open_.append((str(series), one["scheme"], best["edition"]))
    return _strings(won, "series", "scheme", "win_scheme", "win_key"), _strings(open_, "series", "scheme", "other")


def is_earlier(one: str | None, other: str | None) -> bool:
    """Whether a date lies before another, as far as both tell: of 2023 and 2023-05-01 neither does."""
    if not one or not other:
        return False
    length = min(len(one), len(other))
    return one[:length] < other[:length]


def _strings(rows: Iterable[tuple[Any, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String()), orient="row")
