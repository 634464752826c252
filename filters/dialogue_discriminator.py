"""Tell useful consultations and records from empty, off-topic, advertising, canned and harmful ones.

Rules first, each with its number and reason; a classifier (`fasttext_classifier`) may stand beside.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from filters.medical_terms import term_patterns
from filters.step import Batch, Outcome, Rule, first_failures, step
from schemas.errors import WrongCall

MARKERS: Final = Path(__file__).with_name("dialogue_markers.yaml")
KINDS: Final = ("advertising", "template", "harmful", "no_answer")
# Measured on 7,644 real consultations (docs/quality.md): answers have 119 characters and more, 99% of them
# share a pair of letters with their question, and 99% consist of set phrases to less than a tenth.
MIN_ANSWER: Final = 15
MIN_OVERLAP: Final = 0.001
MAX_TEMPLATE: Final = 0.6

SCORES: Final = ("answer_length", "answer_overlap", "answer_template", "advertising", "harmful")


@lru_cache(maxsize=2)
def dialogue_markers(path: str | None = None) -> dict[str, str]:
    """One regular expression a kind of marker, from the bundled table or the user's."""
    location = Path(path) if path else MARKERS
    try:
        raw = YAML(typ="safe").load(location.read_text(encoding="utf-8"))
        table = {kind: "(?i)" + "|".join(f"(?:{pattern})" for pattern in raw[kind]) for kind in KINDS}
        for pattern in table.values():
            re.compile(pattern)
            pl.Series([""]).str.contains(pattern)
    except (OSError, YAMLError, KeyError, TypeError, re.error, pl.exceptions.ComputeError) as error:
        raise WrongCall(f"dialogue markers {location}: {error}; it needs the lists {', '.join(KINDS)}") from None
    return table


def turns(text: pl.Series, question: str, answer: str) -> tuple[pl.Series, pl.Series]:
    """Question and answer of each text, by the marks that the recipe's template put before them."""
    cut = text.str.split_exact(answer, 1).struct
    asked, answered = cut.field("field_0"), cut.field("field_1").fill_null("")
    rest = text.str.extract(f"(?s){re.escape(answer)}(.*)", 1).fill_null(answered)
    return asked.str.replace(re.escape(question), "").str.strip_chars(), rest.str.strip_chars()


def pair_overlap(left: pl.Series, right: pl.Series) -> np.ndarray:
    """Share of the answer's pairs of neighbouring letters that the question has too, shape (rows,)."""
    shares = np.zeros(len(left))
    for row, (one, other) in enumerate(zip(left, right, strict=True)):
        a, b = _pairs(one), _pairs(other)
        shares[row] = len(a & b) / max(len(b), 1)
    return shares


def _pairs(text: str) -> set[str]:
    letters = "".join(char for char in text.lower() if char.isalnum())
    return {letters[at : at + 2] for at in range(len(letters) - 1)}


def _share_matched(text: pl.Series, pattern: str) -> np.ndarray:
    lengths = text.str.len_chars().to_numpy()
    left = text.str.replace_all(pattern, "").str.len_chars().to_numpy()
    return (lengths - left) / np.maximum(lengths, 1)


@step(
    "dialogue_discriminator",
    scores=SCORES,
    names_files=("markers",),
    source="rules of this house; docs/quality.md",
    example={"min_answer": 20, "where": "source_type = 'dialogue'"},
)
def dialogue_discriminator(
    batch: Batch,
    *,
    question: str = "问：",
    answer: str = "答：",
    min_answer: int = MIN_ANSWER,
    min_overlap: float = MIN_OVERLAP,
    max_template: float = MAX_TEMPLATE,
    max_advertising: int = 1,
    max_harmful: int = 0,
    markers: str | None = None,
) -> Outcome:
    """Drop consultations that are unanswered, off topic, advertising, canned, or carry harmful advice.

    `question` and `answer` are the marks before the turns, as the source's `text` template writes them.
    """
    table = dialogue_markers(markers)
    asked, answered = turns(batch.text, question, answer)
    empty = answered.str.replace_all(table["no_answer"], "").str.strip_chars(" 。，,.!！?？~")
    english, chinese = term_patterns()
    medical = (answered.str.contains(english) | answered.str.contains(chinese)).fill_null(False).to_numpy()
    overlap = pair_overlap(asked, answered)
    scores: dict[str, Any] = {
        "answer_length": empty.str.len_chars().to_numpy().astype(np.float64),
        "answer_overlap": np.round(overlap, 4),
        "answer_template": np.round(_share_matched(answered, table["template"]), 4),
        "advertising": batch.text.str.count_matches(table["advertising"]).to_numpy().astype(np.float64),
        "harmful": answered.str.count_matches(table["harmful"]).to_numpy().astype(np.float64),
    }
    rules = [
        Rule("answer_length", "below", float(min_answer), "min_answer"),
        Rule("harmful", "above", float(max_harmful), "max_harmful"),
        Rule("advertising", "above", float(max_advertising), "max_advertising"),
        Rule("answer_template", "above", max_template, "max_template"),
        # An answer of other words than the question is on topic all the same where it speaks of medicine.
        Rule("answer_overlap", "below", np.where(medical, np.nan, min_overlap), "min_overlap"),
    ]
    return Outcome(scores=scores, reasons=first_failures(scores, rules, len(batch)))
