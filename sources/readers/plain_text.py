"""Plain text in any encoding; the encoding is recorded in `edits`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.decoding import decode
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import LAST, reader
from sources.markup.set_lines import unset

MAX_TITLE: Final = 120
MAX_CONTROL_SHARE: Final = 0.05
# Tags of Chinese e-book collections: <篇名>, <目录>, and fields such as 书名：
TITLE_TAG: Final = re.compile(r"^\s*<篇名>\s*(.+)$", re.MULTILINE)
BOOK_FIELD: Final = re.compile(r"^\s*书名[:：]\s*(.+)$", re.MULTILINE)
SECTION_TAG: Final = re.compile(r"^[ \t\u3000]*<(篇名|目录|卷名)>[ \t\u3000]*(.*)$", re.MULTILINE)
CONTENT_FIELD: Final = re.compile(r"^[ \t\u3000]*(?:内容|属性)[:：]", re.MULTILINE)


# A document of one element is XML, not words.
ROOT: Final = re.compile(
    r"\A\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE[^>]*>\s*)?"
    r"<([A-Za-z_][\w:.-]*)(?:\s[^>]*)?>.*</\1>\s*\Z",
    re.DOTALL,
)


# One after the last: whatever is no binary data and that no other takes.
@reader(
    "text", ".txt", ".text", sniff=lambda head: b"\x00" not in head[:1024], priority=LAST + 1, by_suffix=True, version=3
)
def read_text(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One document; lines wrapped at a fixed width are joined again."""
    data = blob.read_all()
    decoded = decode(data)
    if control_share(decoded.text) > MAX_CONTROL_SHARE:
        raise Unreadable("binary data, not text")
    if unknown := ROOT.match(decoded.text):
        raise Unreadable(f"XML of a kind that no reader knows: its root is <{unknown[1]}>")
    title_match = BOOK_FIELD.search(decoded.text) or TITLE_TAG.search(decoded.text)
    text = unset(tagged_headings(decoded.text))
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    title = title_match.group(1).strip() if title_match else first.lstrip("# ")
    rewrapped = text.count("\n") < 0.8 * decoded.text.count("\n")
    edits = (*decoded.edits, *((("wrapped lines joined", 1),) if rewrapped else ()))
    yield Draft(text=text, raw_sha256=sha256(data), title=title if 0 < len(title) <= MAX_TITLE else None, edits=edits)


def control_share(text: str) -> float:
    """Share of characters that no text has: control characters and replacement marks."""
    sample = text[:100_000]
    bad = sum((ord(char) < 32 and char not in "\t\n\r\f\v") or char == "\ufffd" for char in sample)
    return bad / max(len(sample), 1)


def tagged_headings(text: str) -> str:
    """Section tags as headings, and the field name before a section's content taken away."""
    if "<篇名>" not in text:
        return text
    text = SECTION_TAG.sub(
        lambda match: f"\n\n## {match.group(2).strip()}\n\n" if match.group(2).strip() else "\n", text
    )
    return CONTENT_FIELD.sub("", text)
