"""Rich Text Format by striprtf, which knows its code pages, destinations and escapes.

What it lets go is marked before it reads and read out again behind it: cells of tables, raised figures, headings
(by outline level), footnotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from striprtf.striprtf import rtf_to_text

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import squeeze
from sources.markup.raised import raised

# Characters of Unicode's private area stand for the marks; RTF writes them as signed 16-bit numbers.
CELL, RAISED, LOWERED_BACK, HEADING, NOTE, NOTE_END = "\ue100", "\ue101", "\ue102", "\ue103", "\ue104", "\ue105"
HEADINGS: Final = {"\ue110": 1, "\ue111": 2, "\ue112": 3, "\ue113": 4, "\ue114": 5, "\ue115": 6}
MARKS: Final = "".join((CELL, RAISED, LOWERED_BACK, NOTE, NOTE_END, *HEADINGS))
SUPER: Final = re.compile(r"\\super(?![a-z0-9])(?!0) ?")
BACK: Final = re.compile(r"\\(?:nosupersub|super0|plain)(?![a-z]) ?")
OUTLINE: Final = re.compile(r"\\outlinelevel([0-5])(?!\d)")
MAX_GROUPS: Final = 10_000
INFO: Final = re.compile(r"\{\\title ([^{}]*)\}")
CREATED: Final = re.compile(r"\\(?:revtim|creatim)\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")


@reader(
    "rtf",
    ".rtf",
    sniff=lambda head: head.lstrip()[:5] == b"{\\rtf",
    priority=FIRST,
    source="Rich Text Format 1.9.1, by striprtf",
    example='{name: pathways, files: "**/*.rtf", source_type: clinical_pathway}',
)
def read_rtf(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One document: headings, paragraphs, tables as rows, footnotes; no pictures, no running headers."""
    data = blob.read_all()
    written = data.decode("latin-1")
    if _depth(written) > MAX_GROUPS:
        raise Unreadable(f"groups nested deeper than {MAX_GROUPS:,}")
    if not written.rstrip("\x00 \r\n\t").endswith("}"):
        raise Unreadable("RTF file is truncated: its last group is not closed")
    try:
        text = rtf_to_text(_marked(written), encoding="cp1252", errors="replace")
    except (ValueError, LookupError, IndexError, OverflowError) as error:
        raise Unreadable(f"not well-formed RTF: {type(error).__name__}: {error}") from None
    body = _read_out(text)
    if not body:
        raise Unreadable("the document holds no text")
    title = INFO.search(written)
    when = CREATED.search(written)
    yield Draft(
        text=body,
        raw_sha256=sha256(data),
        title=squeeze(rtf_to_text("{\\rtf1 " + title[1] + "}", errors="replace")) or None if title else None,
        published=f"{when[1]}-{int(when[2]):02d}-{int(when[3]):02d}" if when else None,
    )


def _depth(text: str) -> int:
    depth = deepest = 0
    for one in re.findall(r"\\[\\{}]|[{}]", text):
        if len(one) == 1:
            depth += 1 if one == "{" else -1
            deepest = max(deepest, depth)
    return deepest


def _sign(mark: str) -> str:
    return f"{{\\uc1\\u{ord(mark) - 65536}?}}"


def _marked(text: str) -> str:
    """The file with marks where the stripper would leave nothing."""
    text = re.sub(r"\\(?:nest)?cell(?![a-z]) ?", lambda _: _sign(CELL), text)
    text = _groups(text, r"\{\\footnote(?![a-z])", lambda inner: f"{_sign(NOTE)}{{{inner}}}{_sign(NOTE_END)}")
    text = OUTLINE.sub(lambda match: match[0] + " " + _sign([*HEADINGS][int(match[1])]), text)
    pieces, at = [], 0
    for match in SUPER.finditer(text):
        if match.start() < at:
            continue
        end = _end_of_group(text, match.end())
        back = BACK.search(text, match.end(), end)
        stop = back.start() if back else end
        pieces += [text[at : match.end()], _sign(RAISED), text[match.end() : stop], _sign(LOWERED_BACK)]
        at = stop
    return "".join([*pieces, text[at:]])


def _groups(text: str, begins: str, told) -> str:  # type: ignore[no-untyped-def]
    """Groups that begin so, each replaced by what `told` makes of its inside."""
    pieces, at = [], 0
    for match in re.finditer(begins, text):
        if match.start() < at:
            continue
        end = _end_of_group(text, match.end())
        pieces += [text[at : match.start()], told(text[match.end() : end])]
        at = end + 1
    return "".join([*pieces, text[at:]])


def _end_of_group(text: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"\\[\\{}]|[{}]").finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            if not depth:
                return match.start()
            depth -= 1
    return len(text)


def _read_out(text: str) -> str:
    """Marks turned into the plain form that all readers write."""
    text = re.sub(f"{RAISED}([^{LOWERED_BACK}\n]*){LOWERED_BACK}", lambda match: _power(text, match), text)
    notes: list[str] = []

    def note(match: re.Match[str]) -> str:
        notes.append(squeeze(match[1]))
        return f" [{len(notes)}]"

    text = re.sub(rf"\s*{NOTE}([^{NOTE_END}]*){NOTE_END}", note, text)
    blocks: list[str] = []
    rows: list[str] = []
    for line in text.split("\n"):
        if CELL in line:
            rows.append(" | ".join(squeeze(cell) for cell in line.rstrip().removesuffix(CELL).split(CELL)))
            continue
        if rows:
            blocks.append("\n".join(rows))
            rows = []
        level = next((HEADINGS[one] for one in line if one in HEADINGS), 0)
        if words := squeeze(re.sub(f"[{MARKS}]", "", line)):
            blocks.append(f"{'#' * level} {words}" if level else words)
    if rows:
        blocks.append("\n".join(rows))
    return "\n\n".join([*blocks, *(f"[{number}] {one}" for number, one in enumerate(notes, 1))])


def _power(text: str, match: re.Match[str]) -> str:
    before = re.sub(f"[{MARKS}]", "", text[max(0, match.start() - 60) : match.start()])
    return raised(before[-40:], match[1], text[match.end() : match.end() + 3])
