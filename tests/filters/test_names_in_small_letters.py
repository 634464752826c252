"""Names as people type them to a doctor: in small letters, behind a phrase or a title."""

from __future__ import annotations

import re

import pytest

from filters.privacy.lexicon import load_lexicon
from filters.privacy.names import name_finders


def found(text: str) -> list[str]:
    spans = [
        span
        for finder in name_finders(load_lexicon())
        if re.search(finder.hint, text)
        for span in finder.find(text, 0, len(text))
    ]
    return sorted({text[span.start : span.end] for span in spans})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hello doctor, my name is sarah blenkin and i am 34", ["sarah blenkin"]),
        ("hi, my name's peter, i have a rash", ["peter"]),
        ("mrs. blenkin senior had the same rash", ["blenkin"]),
        ("mrs blenkin and mr. telford came", ["blenkin", "telford"]),
        ("my name is not important, what matters is the pain", []),
        ("the mr imaging showed ms lesions", []),
        ("mr. and mrs. were absent", []),
    ],
)
def test_names_in_small_letters_go_and_words_stay(text: str, names: list[str]) -> None:
    assert found(text) == names
