"""Grade authority from A to E by a table of rules that a team can replace with its own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.errors import WrongCall
from schemas.step import Batch, Outcome, step

TABLE: Final = Path(__file__).with_name("authority.yaml")
Column = Literal["source_type", "publisher", "article_type", "retracted", "licence", "title", "source"]


class AuthorityRule(BaseModel):
    """One line of the table: a grade, the conditions that all must hold, and the reason in words."""

    model_config = ConfigDict(extra="forbid")
    grade: Literal["A", "B", "C", "D", "E"]
    when: dict[Column, list[str] | str | bool]
    because: str


@lru_cache(maxsize=4)
def authority_table(path: str | None = None) -> tuple[AuthorityRule, ...]:
    """The rules in `path`, else the bundled table; a malformed table is a `WrongCall`."""
    location = Path(path) if path else TABLE
    try:
        raw = YAML(typ="safe").load(location.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[AuthorityRule]).validate_python(raw))
    except OSError as error:
        raise WrongCall(f"authority table {location}: {error.strerror}") from None
    except YAMLError as error:
        raise WrongCall(f"authority table {location}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongCall(f"authority table {location}: rule {first['loc']}: {first['msg']}") from None


def _condition(column: str, wanted: list[str] | str | bool) -> pl.Expr:
    if isinstance(wanted, bool):
        return pl.col(column).fill_null(False) == wanted
    if isinstance(wanted, str):
        return pl.col(column).str.contains(wanted).fill_null(False)
    return pl.col(column).is_in(wanted).fill_null(False)


def graded(frame: pl.DataFrame, rules: tuple[AuthorityRule, ...]) -> pl.DataFrame:
    """Columns `authority` and `because` by the first rule that holds; grade E where none does."""
    grade, because = pl.lit("E"), pl.lit("no rule")
    for rule in reversed(rules):
        holds = pl.all_horizontal([_condition(column, wanted) for column, wanted in rule.when.items()])
        grade = pl.when(holds).then(pl.lit(rule.grade)).otherwise(grade)
        because = pl.when(holds).then(pl.lit(rule.because)).otherwise(because)
    given = pl.col("authority").is_not_null() & ~pl.col("retracted").fill_null(False)
    return frame.select(
        pl.when(given).then(pl.col("authority")).otherwise(grade).alias("authority"),
        pl.when(given).then(pl.lit("given by the recipe")).otherwise(because).alias("because"),
    )


@step("authority")
def authority(batch: Batch, *, table: str | None = None, keep: list[str] | None = None) -> Outcome:
    """Grade A to E by source type, publisher, article type and retraction; optionally keep only some."""
    grades = graded(batch.frame, authority_table(table))
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
    return Outcome(columns={"authority": grades["authority"]}, reasons=reasons)
