"""Lines of a web page that extractors leave standing and that are none of its text: pointers, sharing, links alone.

The phrases are data (`boilerplate.yaml`). Only whole blocks go, headings of the first level never do, and what the
phrases say is looked for at a block's beginning: a sentence that holds them stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from sources.markup.elements import squeeze

PHRASES: Final = Path(__file__).with_name("boilerplate.yaml")
MAX_POINTER: Final = 200  # characters of a block that points elsewhere
MAX_TAIL: Final = 600  # of what follows a pointer at a page's end: a quarter of a short page, a tenth of a long one
MAX_TAIL_BLOCK: Final = 220
MIN_LINK: Final = 15  # letters of a block that is nothing but a link; a shorter one may be a word of its own
_MARKS: Final = "#>-* \t"


@lru_cache(maxsize=1)
def _phrases() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What begins a pointer, and what a whole line of furniture is."""
    told = YAML(typ="safe").load(PHRASES.read_text(encoding="utf-8"))
    pointers, lines = ("|".join(one for part in told[key].values() for one in part) for key in ("pointers", "lines"))
    return re.compile(rf"(?i)[\W_]*(?:{pointers})(?!\w)"), re.compile(rf"(?i)[\W_]*(?:{lines})[\W_]*")


def without_boilerplate(blocks: Sequence[str], links: frozenset[str]) -> list[str]:
    """The blocks of a page without those that are furniture; `links` are the texts of its links, by `plain`."""
    pointer, line = _phrases()
    kept: list[str] = []
    left = sum(map(len, blocks))
    most = max(min(MAX_TAIL, left // 4), left // 10)
    for number, block in enumerate(blocks):
        words = block.lstrip(_MARKS)
        if len(words) < MAX_POINTER and "\n" not in words and pointer.match(words):
            if left < most and kept and all(len(one) < MAX_TAIL_BLOCK for one in blocks[number + 1 :]):
                break
        elif not (line.fullmatch(words) or is_link(block, links)):
            kept.append(block)
        left -= len(block)
    return kept


def is_link(block: str, links: frozenset[str]) -> bool:
    """Whether a block is one link and nothing else."""
    words = plain(block.lstrip(_MARKS))
    return not block.startswith(("# ", "- ")) and len(words) >= MIN_LINK and words in links


def link_texts(root: Any) -> frozenset[str]:
    """The texts of a page's links to other pages."""
    places = ((one, one.get("href") or "") for one in root.iter("a"))
    return frozenset(plain(one.text_content()) for one, place in places if place and not place.startswith("#"))


def plain(text: str) -> str:
    """A text to compare by: single spaces, no case."""
    return squeeze(text).lower()
