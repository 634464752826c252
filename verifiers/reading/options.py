"""Lettered options: what is chosen of them, and where their texts stand in other words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LETTERS: Final = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Choice:
    """Letters that were chosen, those that were denied, or why nothing was chosen."""

    letters: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    why: str = ""


NONE: Final = Choice()


def squeezed(text: str) -> str:
    """Lower case, words apart by one blank, other marks gone; `/`, `-`, `+` and `.` within a word stay as blanks."""
    return " ".join(re.findall(r"[a-z0-9µα-ω%²³⁺⁻]+|[^\W\d_a-z]", text.casefold()))


ARTICLES: Final = re.compile(r"^(?:(?:an?|the|give|start|use|prescribe|order|perform) (?=[a-z]{2}))+")


def bare(text: str) -> str:
    """`squeezed` without an article before it."""
    return ARTICLES.sub("", squeezed(text))


def found_options(words: str, options: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Options whose text stands in `words` (squeezed), as (start, end, letter), the longer before what it holds."""
    found: list[tuple[int, int, str]] = []
    padded = f" {words} "
    for letter, text in sorted(options.items(), key=lambda one: -len(one[1])):
        wanted = bare(text)
        if not wanted:
            continue
        at = padded.find(f" {wanted} ")
        while at >= 0:
            start, end = at, at + len(wanted)
            if all(end <= other[0] or start >= other[1] for other in found):
                found.append((start, end, letter))
            at = padded.find(f" {wanted} ", at + 1)
    return sorted(found)


_GLUE: Final = re.compile(r"^(?:and|the|a|an|plus|as|well|with|both|和|及|与|以|以及| )*$")


def between_options(words: str, found: list[tuple[int, int, str]]) -> list[str]:
    """The words between each two options that were found in `words` (squeezed)."""
    return [words[max(0, one[1]) : two[0]].strip() for one, two in itertools.pairwise(found)]


def only_glue(words: str, found: list[tuple[int, int, str]]) -> bool:
    """Whether nothing but "and" stands between options that were found in `words` (squeezed)."""
    return all(_GLUE.match(one) for one in between_options(words, found))
