"""Editions are compared as numbers, versions and dates, whatever they are written as."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.editions import ordered
from schemas.editions import parse_edition


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("9", "10"), ("1.9", "1.10"), ("3rd edition", "第四版"), ("第九版", "第十版"), ("第十九版", "第二十版"), ("v2", "v10"),
        ("2019", "2023"), ("2019", "2019-05"), ("2023年修订版", "2024 edition"), ("00000009", "00000010"), ("20190501", "2019-06"),
        ("second edition", "3"), ("1.2", "1.2.1"),
    ],
)  # fmt: skip
def test_the_newer_is_newer(older: str, newer: str) -> None:
    one, other = parse_edition(older), parse_edition(newer)
    assert one.scheme == other.scheme
    assert one.key < other.key


@given(st.integers(1, 1800), st.integers(1, 1800))
def test_numbers_sort_as_numbers(one: int, other: int) -> None:
    assert (parse_edition(str(one)).key < parse_edition(f"{other}th edition").key) == (one < other)


def series(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"row": list(range(len(rows))), "series": ["s"] * len(rows), "edition": [one[0] for one in rows],
         "published": [one[1] for one in rows]},
        schema={"row": pl.UInt32, "series": pl.String, "edition": pl.String, "published": pl.String},
    )  # fmt: skip


def test_between_schemes_the_date_decides() -> None:
    found = ordered(series(("3rd edition", "2023-05-01"), ("2019", "2019-05-01")))
    assert found.old["row"].to_list() == [1]
    assert found.newest["row"].to_list() == [0]
    # A year is a date by itself.
    assert ordered(series(("3rd edition", "2023"), ("2019", None))).old["row"].to_list() == [1]


def test_where_nothing_decides_both_stay_and_it_is_said() -> None:
    for rows in ((("3", None), ("2019", "2019")), (("3", "2019"), ("2019", "2019-05-01"))):
        found = ordered(series(*rows))
        assert found.old.is_empty()
        assert sorted(found.undecided["row"].to_list()) == [0, 1]


def test_of_three_schemes_none_goes_in_a_circle() -> None:
    # By number B is newer than A, by date A than C and C than B.
    found = ordered(series(("3", "2023"), ("4", "2018"), ("2020", "2020")))
    stays = set(range(3)) - set(found.old["row"].to_list())
    assert stays == {2}  # the newest of the numbers is of 2018


def test_a_series_alone_has_no_old() -> None:
    assert ordered(series(("2", None), ("2", None))).old.is_empty()
    empty = ordered(series())
    assert empty.old.is_empty()
    assert empty.undecided.is_empty()
