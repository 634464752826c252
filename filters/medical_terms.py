"""Is it about medicine: the density of medical words, against a list that a team can replace.

A plain measure for pages of the open web, where most text is about something else. A trained
classifier tells more; this needs no labels and says its number.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from filters.step import Batch, Outcome, Rule, first_failures, step
from schemas.errors import WrongCall

TERMS: Final = Path(__file__).with_name("medical_terms.yaml")
# Measured on the real data (docs/quality.md): 95% of textbook sections lie above 2.5 and 95% of
# consultations above 3.6; of 78 web pages in English and Chinese, mostly about other things, 9% lie above 2.
MIN_TERMS: Final = 2.0
UNSPACED_MIN_TERMS: Final = 2.0


@lru_cache(maxsize=2)
def term_patterns(path: str | None = None) -> tuple[str, str]:
    """Regular expressions of the English and the Chinese terms."""
    location = Path(path) if path else TERMS
    try:
        raw = YAML(typ="safe").load(location.read_text(encoding="utf-8"))
        english, chinese = raw["english"], raw["chinese"]
    except (OSError, YAMLError, KeyError, TypeError) as error:
        raise WrongCall(f"medical terms {location}: {error}; it needs the lists `english` and `chinese`") from None
    return r"(?i)\b(?:" + "|".join(map(re.escape, english)) + ")", "|".join(map(re.escape, chinese))


@step(
    "medical_terms",
    scores=("medical_terms",),
    names_files=("terms",),
    source="rules of this house; docs/quality.md",
    example={"min_terms": 1.0, "where": "source_type = 'web'"},
)
def medical_terms(
    batch: Batch,
    *,
    min_terms: float = MIN_TERMS,
    unspaced_min_terms: float = UNSPACED_MIN_TERMS,
    terms: str | None = None,
) -> Outcome:
    """Drop texts with fewer than so many medical words in a hundred (of characters, in Chinese)."""
    english, chinese = term_patterns(terms)
    unspaced = batch.unspaced
    counts = pl.DataFrame({"text": batch.text, "unspaced": unspaced}).select(
        pl.when(pl.col("unspaced"))
        .then(pl.col("text").str.count_matches(chinese))
        .otherwise(pl.col("text").str.count_matches(english))
    )
    density = 100 * counts.to_series().to_numpy() / np.maximum(batch.column.unit_counts, 1)
    scores = {"medical_terms": np.round(density, 3)}
    lower = np.where(unspaced, unspaced_min_terms, min_terms)
    return Outcome(
        scores=scores, reasons=first_failures(scores, [Rule("medical_terms", "below", lower, "min_terms")], len(batch))
    )
