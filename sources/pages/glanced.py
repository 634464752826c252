"""What a page says at a glance: its bytes without markup, scripts and styles, with no regard to layout.

Enough to tell its language and its subject; extraction proper costs twenty to a hundred times as much.
"""

from __future__ import annotations

import html
import re
from typing import Final

from sources.decoding import decode

MOST_BYTES: Final = 384 << 10  # of a page; what is longer is judged by its beginning
# Elements whose content is not shown or is none of the page's own, and comments. Forms are read: some pages are one.
HIDDEN: Final = re.compile(
    rb"<!--(?s:.)*?-->|<(?i:(script|style|noscript|svg|template|iframe|select|head|nav|footer|aside))\b"
    rb"(?:[^>]*/>|(?s:.)*?</(?i:\1)\s*>)"
)
TAG: Final = re.compile(rb"<[^<>]*>")
TITLE: Final = re.compile(rb"(?is)<title[^>]*>(.*?)</title")
PARAGRAPH: Final = re.compile(rb"(?is)<(p|h1|h2|li|td)\b[^>]*>(.*?)(?=</\1|<(?:p|h1|h2|div|li|td)\b)")
MOST_WORDS: Final = 16_000  # bytes of words that are looked at
ENOUGH: Final = 600  # bytes of paragraphs: with fewer the whole page is looked at


def glanced_text(data: bytes, declared: str | None = None) -> str:
    """Title, then the words of paragraphs and headings; where there are few of them, all words of the page."""
    data = data[:MOST_BYTES]
    title = TITLE.search(data[: 1 << 16])
    shown = HIDDEN.sub(b" ", data)
    pieces: list[bytes] = []
    size = 0
    for one in PARAGRAPH.finditer(shown):
        pieces.append(TAG.sub(b"", one[2]).strip())
        size += len(pieces[-1]) + 1
        if size > MOST_WORDS:
            break
    words = b" ".join(pieces) if size >= ENOUGH else TAG.sub(b" ", shown)[:MOST_WORDS]
    decoded = decode((title[1] + b". " if title else b"") + words, declared)
    return " ".join(html.unescape(decoded.text).split())
