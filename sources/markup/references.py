"""Lists of references at the end of scholarly texts: found by heading, or by the look of their lines."""

from __future__ import annotations

import re
from typing import Final

HEADING: Final = re.compile(
    r"^(?:#{1,6}\s*)?(?:\d+\.?\s*)?(?:references|bibliography|literature cited|references and notes|works cited|"
    r"参\s*考\s*文\s*献|引用文献)\s*(?:[(（]?\s*references\s*[)）]?)?\s*[:：]?\s*$",
    re.MULTILINE | re.IGNORECASE,
)
NEXT_HEADING: Final = re.compile(r"^#{1,6}\s+\S.*$|^(?:appendix|附录|supplementary)\b.*$", re.MULTILINE | re.IGNORECASE)
NUMBERED: Final = re.compile(r"^\s*(?:[\[［(（]\s*\d{1,3}\s*[\]］)）]|\d{1,3}\s*[.．、]\s*[A-Z\u4e00-\u9fff])")
CITED: Final = re.compile(
    r"\bdoi\b|https?://|\bet al\b|等\s*[.．,，]|\[[JMDCRPNSGZ](?:/OL)?\]|［[JMDCRPNSZ]］|"
    r"\d+\s*[(（]\d+[)）]\s*[:：,，]\s*[e\d]|"
    r"[(（,，.．]\s*(?:19|20)\d\d[a-z]?\s*[)）.．,，;；:：]|\b\d+\s*[:：]\s*\d+\s*[-–—~]\s*\d+",
    re.IGNORECASE,
)
MIN_LINES: Final = 4
MAX_LINE: Final = 700
EARLIEST: Final = 0.3  # references stand in the last part of a text


def without_references(text: str) -> tuple[str, bool]:
    """The text without its reference list, and whether one was found; what follows the list stays."""
    matches = [match for match in HEADING.finditer(text) if match.start() > EARLIEST * len(text)]
    if matches:
        start, end = matches[-1].start(), matches[-1].end()
        following = NEXT_HEADING.search(text, end)
        tail = text[following.start() :] if following else ""
        if not following:
            tail = _after_list(text[end:])
        return _joined(text[:start], tail), True
    return _without_trailing_list(text)


def is_reference(line: str) -> bool:
    """Whether a line looks like one entry of a reference list."""
    line = line.strip()
    if not 20 <= len(line) <= MAX_LINE:
        return False
    marks = len(CITED.findall(line))
    return marks >= 2 or (marks >= 1 and NUMBERED.match(line) is not None)


def _after_list(text: str) -> str:
    """What stands behind an unclosed list: the part from the first run of lines that are no references."""
    lines = text.split("\n")
    last = max((index for index, line in enumerate(lines) if is_reference(line)), default=None)
    if last is None:
        return text  # a heading without a list: keep all
    rest = "\n".join(lines[last + 1 :]).strip()
    return rest if len(rest) > 400 else ""


def _without_trailing_list(text: str) -> tuple[str, bool]:
    """A list without heading: the lines at the end of which nearly all look like references."""
    lines = text.split("\n")
    filled = [index for index, line in enumerate(lines) if line.strip()]
    best, hits, misses = None, 0, 0
    for index in reversed(filled):
        if is_reference(lines[index]):
            hits += 1
            if hits >= MIN_LINES and misses <= 0.25 * hits:
                best = index
        else:
            misses += 1
            if misses > max(3, 0.3 * hits):
                break
    if best is None or sum(len(line) + 1 for line in lines[:best]) < EARLIEST * len(text):
        return text, False
    return "\n".join(lines[:best]).strip(), True


def _joined(head: str, tail: str) -> str:
    return "\n\n".join(part.strip() for part in (head, tail) if part.strip())
