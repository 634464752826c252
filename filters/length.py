"""Length in characters."""

from __future__ import annotations

import numpy as np

from filters.step import Batch, Outcome, Rule, first_failures, step


@step(
    "length",
    scores=("length",),
    source="rules of this house",
    example={"min_characters": 200, "unspaced_min_characters": 60},
)
def length(
    batch: Batch,
    *,
    min_characters: int = 200,
    max_characters: int | None = None,
    unspaced_min_characters: int | None = None,
) -> Outcome:
    """Drop texts that are too short or too long; an ideograph counts as one character.

    A Chinese text says in about a third of the characters what an English one says, so the lower
    bound for unspaced scripts is a third of `min_characters` unless given.
    """
    unspaced = min_characters // 3 if unspaced_min_characters is None else unspaced_min_characters
    lower = np.where(batch.unspaced, float(unspaced), float(min_characters))
    scores = {"length": batch.column.characters}
    rules = [
        Rule("length", "below", lower, "min_characters"),
        Rule("length", "above", max_characters, "max_characters"),
    ]
    return Outcome(scores=scores, reasons=first_failures(scores, rules, len(batch)))
