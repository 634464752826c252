"""Two texts side by side: what is equal, and what differs."""

from __future__ import annotations

import difflib
import re

Runs = list[tuple[bool, str]]


def marked_differences(left: str, right: str) -> tuple[Runs, Runs]:
    """Both texts as runs of (differs, text), by words (characters where words are not spaced)."""
    words = [_pieces(left), _pieces(right)]
    sides: tuple[Runs, Runs] = ([], [])
    for kind, a, b, c, d in difflib.SequenceMatcher(None, words[0], words[1], autojunk=False).get_opcodes():
        for side, (start, end) in enumerate(((a, b), (c, d))):
            if end > start:
                sides[side].append((kind != "equal", "".join(words[side][start:end])))
    return sides


def _pieces(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+\s*|\s+", text)
