"""Words that a line's end cut: joined again, true hyphens kept. One model for wrapped text and pages.

A soft hyphen only marks where a word may be cut. A hard one at a line's end is either the cut's or the word's own:
the text itself is asked first (does the word stand somewhere else, whole or with its hyphen?), then the first part
(well-, long-, self- and the like begin compounds).
"""

from __future__ import annotations

import re
from typing import Final

SOFT: Final = "\u00ad"
HYPHENS: Final = "-\u2010\u00ad"
# First parts of compounds that keep their hyphen; what begins words of one piece (re-, un-, sub-) is not here.
_FIRST: Final = """
    long short well ill self high low mid full half part first second third one two three four five six seven eight
    nine ten non cross all ever evidence time dose drug blood age sex year day week month hour follow double single beta
    alpha gamma t b x c gram
"""
COMPOUND: Final = frozenset(_FIRST.split())
CUT: Final = re.compile(rf"([^\W\d_]+)[{HYPHENS}]$")
WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def joined(before: str, after: str, words: frozenset[str]) -> str | None:
    """Two lines of one paragraph as one, where the first ends in a cut word; None where it does not.

    `words`: words of the whole text in small letters, those with hyphens among them.
    """
    cut = CUT.search(before)
    first = re.match(r"[^\W\d_]+", after)
    if cut is None or first is None:
        return None
    if before.endswith(SOFT):
        return before[:-1] + after
    if not first[0][0].islower():
        return before + after if cut[1][0].isupper() or len(cut[1]) > 1 else None
    whole, parted = (cut[1] + first[0]).lower(), f"{cut[1]}-{first[0]}".lower()
    if parted in words and whole not in words:
        return before[:-1] + "-" + after
    if whole not in words and cut[1].lower() in COMPOUND:
        return before[:-1] + "-" + after
    return before[:-1] + after


def words_of(text: str) -> frozenset[str]:
    """Words of a text in small letters, hyphenated ones whole; those that a line's end cuts are left out."""
    return frozenset(one.lower() for one in WORD.findall(re.sub(rf"[^\W\d_]+[{HYPHENS}]\s*\n\s*[^\W\d_]+", " ", text)))
