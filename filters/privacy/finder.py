"""What a finder is: a hint that Rust can look for in every stretch, and a search where the hint is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from filters.privacy.spans import Span

# How much a text tells of single persons: a journal prints its authors' names, a record the patient's.
Level = Literal["published", "public", "personal"]
LEVELS: Final[tuple[Level, ...]] = ("published", "public", "personal")

Search = Callable[[str, int, int], Iterator[Span]]


@dataclass(frozen=True)
class Finder:
    """`hint` is a plain regular expression (no look-around) that holds wherever `find` finds anything.

    `find(text, low, high)` yields spans of the text that begin in `low:high`; `least` is the level
    from which on it is asked.
    """

    hint: str
    find: Search
    least: Level = "published"


def each_match(
    kind: str, pattern: re.Pattern[str], group: str | int = 0, valid: Callable[[str], object] | None = None
) -> Search:
    """A search that marks a group of every match, where what it matched is `valid`."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            if valid is None or valid(match.group(group)):
                yield Span(match.start(group), match.end(group), kind)

    return find
