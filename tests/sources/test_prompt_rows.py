"""Rows that become prompts: how a difficulty may be told, and benchmarks as they are published."""

from __future__ import annotations

import pytest

from schemas.errors import Unreadable
from sources.conversation_rows import number_of
from sources.prompt_rows import prompt_from_row


@pytest.mark.parametrize(
    ("told", "number"),
    [(3, 3), ("3", 3), (2.0, 2), ("2.0", 2), ("easy", 1), ("Hard", 3), ("Level 4", 4), ("难度：中等", 2), ("", None)],
)
def test_a_difficulty_is_a_number_or_one_of_the_usual_words(told: object, number: int | None) -> None:
    assert number_of(told) == number


@pytest.mark.parametrize("told", ["purple", 0.5, float("nan"), [1]])
def test_another_difficulty_is_refused_by_name(told: object) -> None:
    with pytest.raises(Unreadable, match="difficulty"):
        number_of(told)


def test_a_benchmark_as_it_is_published_is_a_prompt_without_being_called_one() -> None:
    row = {
        "id": "1",
        "question": "Antidote for heparin?\nAnswer Choices: (A) Protamine (B) Vitamin K",
        "label": ["A"],
    }
    told, named = prompt_from_row(row, "auto"), prompt_from_row(row, "benchmark")
    assert told == named
    assert (told.verifier, told.reference) == ("exam", {"key": "A", "options": {"A": "Protamine", "B": "Vitamin K"}})
    assert told.turns[-1].content.startswith("Antidote for heparin?\nA. Protamine\nB. Vitamin K")
