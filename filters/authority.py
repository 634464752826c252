"""Grade authority from A to E by a table of rules, each grade with its reason.

The table tells study designs from titles and abstracts, ranks publishers and journals, and then
applies its rules in order; a team lays its own table over the bundled one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from filters.step import Batch, Outcome, step
from schemas.document import AUTHORITY_GRADES
from schemas.errors import WrongCall

TABLE: Final = Path(__file__).with_name("authority.yaml")
# How much of a text says what its study is: title, abstract, first lines of the methods.
HEAD_CHARACTERS: Final = 3000
BOUND: Final = re.compile(r"^(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)$")
Column = Literal[
    "source_type",
    "publisher",
    "article_type",
    "retracted",
    "licence",
    "title",
    "source",
    "design",
    "tier",
    "impact",
    "year",
    "age",
    "uri",
]


class Table(BaseModel):
    """A part of a table; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Design(Table):
    """A study design and the words that tell it; `not` are words that speak against it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    name: str
    words: str
    title_only: bool = False
    unless: str | None = None


class Journal(Table):
    """What is known of a journal."""

    name: str
    tier: int
    impact: float | None = None


class AuthorityRule(Table):
    """A grade, the conditions that all must hold, and the reason in words."""

    grade: Literal["A", "B", "C", "D", "E"]
    when: dict[Column, list[str] | bool | str]
    because: str


class Adjustment(Table):
    """Grades up (positive) or down, where all conditions hold."""

    by: int
    when: dict[Column, list[str] | bool | str]
    because: str


class AuthorityTable(Table):
    """The whole table; see `authority.yaml`."""

    designs: list[Design] = []
    publishers: dict[int, str] = {}
    journals: dict[str, Journal] = {}
    rules: list[AuthorityRule] = []
    adjustments: list[Adjustment] = []


@lru_cache(maxsize=4)
def authority_table(path: str | None = None) -> AuthorityTable:
    """The bundled table, with the user's laid over it; a malformed or contradictory one is a `WrongCall`."""
    bundled = _read_table(TABLE)
    if path is None:
        return bundled
    own = _read_table(Path(path))
    tiers = sorted({*bundled.publishers, *own.publishers})
    return AuthorityTable(
        designs=[*own.designs, *bundled.designs],
        publishers={
            tier: "|".join(filter(None, (own.publishers.get(tier), bundled.publishers.get(tier)))) for tier in tiers
        },
        journals={**bundled.journals, **own.journals},
        rules=[*own.rules, *bundled.rules],
        adjustments=[*own.adjustments, *bundled.adjustments],
    )


def _read_table(path: Path) -> AuthorityTable:
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        raw = {"rules": raw} if isinstance(raw, list) else raw
        for design in raw.get("designs", []):
            if "not" in design:
                design["unless"] = design.pop("not")
        table = AuthorityTable.model_validate(raw)
    except OSError as error:
        raise WrongCall(f"authority table {path}: {error.strerror}") from None
    except (YAMLError, AttributeError, TypeError) as error:
        raise WrongCall(f"authority table {path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise WrongCall(f"authority table {path}: {place}: {first['msg']}") from None
    _check_rules(table, path)
    return table


def _check_rules(table: AuthorityTable, path: Path) -> None:
    """Two rules of one condition and different grades contradict each other; a pattern must compile."""
    seen: dict[str, AuthorityRule] = {}
    for number, rule in enumerate(table.rules, 1):
        key = repr(sorted((column, str(wanted)) for column, wanted in rule.when.items()))
        other = seen.setdefault(key, rule)
        if other.grade != rule.grade:
            raise WrongCall(
                f"authority table {path}: rule {number} gives {rule.grade} where an earlier rule of the same "
                f"conditions gives {other.grade} ({other.because})"
            )
    patterns = [one.words for one in table.designs] + list(table.publishers.values())
    patterns += [one.unless for one in table.designs if one.unless]
    patterns += [value for rule in table.rules for value in rule.when.values() if isinstance(value, str)]
    for pattern in patterns:
        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            raise WrongCall(f"authority table {path}: '{pattern}' is no regular expression: {error}") from None


def _condition(column: str, wanted: list[str] | str | bool) -> pl.Expr:
    if isinstance(wanted, bool):
        return pl.col(column).fill_null(False) == wanted
    if isinstance(wanted, list):
        return pl.col(column).is_in(wanted).fill_null(False)
    bound = BOUND.match(wanted)
    if bound:
        value, sign = float(bound[2]), bound[1]
        found = pl.col(column).cast(pl.Float64)
        held = {"<": found < value, "<=": found <= value, ">": found > value, ">=": found >= value}[sign]
        return held.fill_null(False)
    return pl.col(column).str.contains(wanted).fill_null(False)


def _holds(when: dict[Any, Any]) -> pl.Expr:
    return pl.all_horizontal([_condition(column, wanted) for column, wanted in when.items()])


def study_designs(title: pl.Series, text: pl.Series, table: AuthorityTable) -> pl.Series:
    """The design of each study by title and abstract, null where none is told."""
    heads = pl.DataFrame({"title": title.fill_null(""), "head": text.fill_null("").str.head(HEAD_CHARACTERS)})
    design = pl.lit(None, pl.String)
    # Titles decide before abstracts, and earlier designs before later ones.
    for column in ("head", "title"):
        for one in reversed(table.designs):
            if one.title_only and column == "head":
                continue
            found = pl.col(column).str.contains("(?i)" + one.words)
            if one.unless:
                found = found & ~pl.col("title").str.contains("(?i)" + one.unless)
                found = found & ~pl.col("head").str.contains("(?i)" + one.unless)
            design = pl.when(found).then(pl.lit(one.name)).otherwise(design)
    return heads.select(design.alias("design")).to_series()


def _impacts(frame: pl.DataFrame, table: AuthorityTable) -> pl.Series:
    """Impact of the journal as the table has it, null where it has none."""
    known = {issn: journal.impact for issn, journal in table.journals.items() if journal.impact is not None}
    best = [
        max((known[one] for one in (value or "").split("; ") if one in known), default=None) for value in frame["issn"]
    ]
    return pl.Series("impact", best, dtype=pl.Float64)


def _tiers(frame: pl.DataFrame, table: AuthorityTable) -> pl.Series:
    """Rank of journal or publisher, 3 where nothing is known."""
    tier = pl.lit(3)
    for number, pattern in sorted(table.publishers.items(), reverse=True):
        tier = pl.when(pl.col("publisher").str.contains(pattern).fill_null(False)).then(pl.lit(number)).otherwise(tier)
    ranks = {issn: journal.tier for issn, journal in table.journals.items()}
    by_issn = [
        min((ranks[one] for one in (value or "").split("; ") if one in ranks), default=None) for value in frame["issn"]
    ]
    known = pl.Series("known", by_issn, dtype=pl.Int32)
    return frame.select(pl.coalesce(known, tier).cast(pl.Int32).alias("tier")).to_series()


def graded(frame: pl.DataFrame, text: pl.Series, table: AuthorityTable, as_of: int | None) -> pl.DataFrame:
    """Columns `authority`, `because` and `design`, shape (rows,); grade E where no rule holds.

    `as_of` is the year from which ages count; without it nothing ages.
    """
    is_study = frame["source_type"] == "literature"
    designs = study_designs(frame["title"], text, table)
    year = frame["published"].str.extract(r"^(\d{4})").cast(pl.Int32, strict=False)
    known = frame.with_columns(
        pl.DataFrame({"d": designs, "s": is_study}).select(design=pl.when("s").then("d").otherwise(None)).to_series(),
        _tiers(frame, table),
        _impacts(frame, table),
        year.alias("year"),
        (pl.lit(as_of, pl.Int32) - year).alias("age"),
    )
    grade, because = pl.lit("E"), pl.lit("no rule")
    for rule in reversed(table.rules):
        holds = _holds(dict(rule.when))
        grade = pl.when(holds).then(pl.lit(rule.grade)).otherwise(grade)
        because = pl.when(holds).then(pl.lit(rule.because)).otherwise(because)
    given = pl.col("authority").is_not_null() & ~pl.col("retracted").fill_null(False)
    known = known.with_columns(
        grade=pl.when(given).then(pl.col("authority")).otherwise(grade),
        because=pl.when(given).then(pl.lit("given by the recipe")).otherwise(because),
        given=given,
    )
    for change in table.adjustments:
        applies = _holds(dict(change.when)) & ~pl.col("given") & (pl.col("grade") != "E")
        place = pl.col("grade").replace_strict(list(AUTHORITY_GRADES), list(range(5)), return_dtype=pl.Int32)
        moved = (
            (place - change.by)
            .clip(0, 4)
            .replace_strict(list(range(5)), list(AUTHORITY_GRADES), return_dtype=pl.String)
        )
        told = pl.concat_str(pl.col("because"), pl.lit(f", {change.because}"))
        known = known.with_columns(
            grade=pl.when(applies).then(moved).otherwise("grade"),
            because=pl.when(applies).then(told).otherwise("because"),
        )
    return known.select(pl.col("grade").alias("authority"), "because", "design")


@step(
    "authority",
    names_files=("table",),
    source="Oxford Centre for Evidence-Based Medicine, Levels of Evidence (2011); docs/authority.md",
    example={"as_of": 2026},
)
def authority(
    batch: Batch, *, table: str | None = None, keep: list[str] | None = None, as_of: int | None = None
) -> Outcome:
    """Grade A to E by kind of material, publisher, journal, study design, age and retraction, with the reason.

    `table` is laid over the bundled one; `as_of` is the year from which ages count; `keep` drops other grades.
    """
    grades = graded(batch.frame, batch.text, authority_table(table), as_of)
    reasons = None
    if keep is not None:
        reasons = (
            grades.select(
                pl.when(pl.col("authority").is_in(keep))
                .then(None)
                .otherwise(pl.format("authority={} ({}) not in {}", "authority", "because", pl.lit(", ".join(keep))))
            )
            .to_series()
            .cast(pl.String)
        )
    columns = {
        "authority": grades["authority"],
        "authority_reason": grades["because"],
        "design": grades["design"],
    }
    return Outcome(columns=columns, reasons=reasons)
