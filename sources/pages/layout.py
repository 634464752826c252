"""Where text stands on pages: reading order over columns, tables, headings, footnotes, running heads.

Works on lines with boxes, whether a PDF's text layer or OCR gave them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sources.markup.hyphens import joined, words_of

MARGIN_LINES: Final = 2  # how many lines at each end of a page may be running heads
REPEATED_SHARE: Final = 0.4
TABLE_ROWS: Final = 3  # rows of three cells and more from which a table is one
TABLE_CELL: Final = 40  # characters; longer pieces are columns of prose
HEADING_HEIGHT: Final = 1.2  # times the page's usual line height
HEADING_CHARACTERS: Final = 120
FOOTNOTE_HEIGHT: Final = 0.88
FOOTNOTE_ZONE: Final = 0.3  # lower part of the text where footnotes stand
HAN: Final = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")
FOOTNOTE: Final = re.compile(r"^(?:[*†‡§¶]|\[?\d{1,2}[\])]?\s|[①-⑩]|注[:：])")
HEADING: Final = re.compile(r"[A-Za-z\u3400-\u9fff].{2}")  # more than a number or a letter
CAPTION: Final = re.compile(r"^(?:fig(?:ure)?\.?|table|图|表|附图|附表)\s?\d", re.I)


@dataclass(frozen=True)
class Line:
    """A line of text on a page: box in points from the left bottom corner, and its words."""

    left: float
    bottom: float
    right: float
    top: float
    text: str
    kind: str = "text"

    @property
    def height(self) -> float:
        """Height of the box in points."""
        return self.top - self.bottom


@dataclass(frozen=True)
class Page:
    """A page's lines, its width in points, and whether it is a picture without a text layer."""

    lines: list[Line]
    width: float
    is_picture: bool = False
    confidence: float | None = None
    turned: int = 0  # characters that are not shown upright, which are no part of the lines


def document_text(pages: Sequence[Page]) -> str:
    """The text of a document: pages in order, running heads and page numbers left out, notes behind their page."""
    running = running_heads([page.lines for page in pages])
    body: list[Line] = []
    notes: list[Line] = []
    usual = usual_height([line for page in pages for line in page.lines])
    for page in pages:
        lines = [line for line in page.lines if not _is_running(line, running)]
        prose, tables = _tables(lines)
        ordered = reading_order(prose + tables, page.width)
        for line in _told_apart(ordered, usual):
            (notes if line.kind == "note" else body).append(line)
    return "\n\n".join(paragraphs(body) + paragraphs(notes))


def merged(pieces: list[Line]) -> list[Line]:
    """Neighbouring pieces on one baseline joined to lines; a wide gap (a gutter) keeps them apart."""
    lines: list[Line] = []
    for piece in pieces:
        last = lines[-1] if lines else None
        if last is not None:
            overlap = min(last.top, piece.top) - max(last.bottom, piece.bottom)
            gap = piece.left - last.right
            smaller, larger = sorted((last.height, piece.height))
            if overlap > 0.4 * smaller and -0.5 * larger < gap < 1.2 * larger:
                space = "" if gap < 0.12 * larger or (HAN.match(piece.text) and HAN.match(last.text[-1])) else " "
                lines[-1] = Line(
                    last.left,
                    min(last.bottom, piece.bottom),
                    max(last.right, piece.right),
                    max(last.top, piece.top),
                    last.text + space + piece.text,
                )
                continue
        lines.append(piece)
    return lines


def _baselines(lines: list[Line]) -> list[list[Line]]:
    """Lines that stand at one height, from top to bottom, each from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: -(one.top + one.bottom)):
        if rows:
            first = rows[-1][0]
            if abs(first.top + first.bottom - line.top - line.bottom) < 0.9 * min(first.height, line.height):
                rows[-1].append(line)
                continue
        rows.append([line])
    return [sorted(row, key=lambda one: one.left) for row in rows]


def _tables(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """Prose, and the rows of tables, each one line of its cells between bars."""
    rows = _baselines(lines)
    is_row = [len(row) >= 3 and max(len(cell.text) for cell in row) <= TABLE_CELL for row in rows]
    prose: list[Line] = []
    tables: list[Line] = []
    start = 0
    while start < len(rows):
        end = start
        while end < len(rows) and is_row[end]:
            end += 1
        if end - start >= TABLE_ROWS:
            tables += [_table_row(row) for row in rows[start:end]]
        else:
            end = max(end, start + 1)
            prose += [line for row in rows[start:end] for line in row]
        start = end
    return prose, tables


def _table_row(cells: list[Line]) -> Line:
    text = " | ".join(cell.text for cell in cells)
    top, bottom = max(cell.top for cell in cells), min(cell.bottom for cell in cells)
    return Line(cells[0].left, bottom, cells[-1].right, top, text, "row")


def usual_height(lines: Sequence[Line]) -> float:
    """Height of most of a document's characters: that of its running text, whatever its tables are set in."""
    heights = np.repeat([line.height for line in lines], [len(line.text) for line in lines])
    return float(np.median(heights)) if len(heights) else 0.0


def _told_apart(lines: list[Line], usual: float) -> list[Line]:
    """Lines with what they are: heading, note, caption, row, or text."""
    if len(lines) < 3:
        return lines
    low = min(line.bottom for line in lines)
    zone = low + FOOTNOTE_ZONE * (max(line.top for line in lines) - low)
    told: list[Line] = []
    in_note = False
    for line in lines:
        kind = line.kind
        small = line.height < FOOTNOTE_HEIGHT * usual
        if kind == "text":
            in_note = small and line.top < zone and (FOOTNOTE.match(line.text) is not None or in_note)
            if in_note:
                kind = "note"
            elif CAPTION.match(line.text):
                kind = "caption"
            elif line.height > HEADING_HEIGHT * usual and HEADING.search(line.text):
                kind = "heading"
        told.append(replace(line, kind=kind))
    return _short_headings(told)


def _short_headings(lines: list[Line]) -> list[Line]:
    """The same lines; large text that goes on and on is no heading."""
    checked: list[Line] = []
    start = 0
    while start < len(lines):
        end = start + 1
        if lines[start].kind == "heading":
            while end < len(lines) and lines[end].kind == "heading":
                end += 1
            run = lines[start:end]
            long = sum(len(line.text) for line in run) > HEADING_CHARACTERS and len(run) > 1
            checked += [replace(line, kind="text") for line in run] if long else run
        else:
            checked.append(lines[start])
        start = end
    return checked


def reading_order(lines: list[Line], width: float) -> list[Line]:
    """Lines from top to bottom, column by column between lines that span the gutter.

    A page has two columns where a vertical strip near its middle is crossed by few lines; lines
    that cross it (titles, wide tables) cut the page into bands that are read one after the other.
    """
    if len(lines) < 4:
        return sorted(lines, key=lambda line: (-line.top, line.left))
    gutter = _gutter(lines, width)
    if gutter is None:
        return [line for row in _baselines(lines) for line in row]
    ordered: list[Line] = []
    band: list[Line] = []
    for line in _by_rows(lines):
        if line.left < gutter - 4 and line.right > gutter + 4:
            ordered.extend(_columns(band, gutter))
            ordered.append(line)
            band = []
        else:
            band.append(line)
    return ordered + _columns(band, gutter)


def _by_rows(lines: list[Line]) -> list[Line]:
    height = float(np.median([line.height for line in lines]))
    return sorted(lines, key=lambda line: (-round((line.top + line.bottom) / 2 / max(height, 1.0)), line.left))


def _columns(band: list[Line], gutter: float) -> list[Line]:
    left = [line for line in band if (line.left + line.right) / 2 <= gutter]
    right = [line for line in band if (line.left + line.right) / 2 > gutter]
    return [*sorted(left, key=lambda line: -line.top), *sorted(right, key=lambda line: -line.top)]


def _gutter(lines: list[Line], width: float) -> float | None:
    """Middle of the emptiest vertical strip between 35% and 65% of the width, if it is a gutter."""
    places = np.arange(0.35 * width, 0.65 * width, 2.0)
    characters = np.array([len(line.text) for line in lines])
    lefts, rights = np.array([line.left for line in lines]), np.array([line.right for line in lines])
    crossing = [(characters[(lefts < x) & (rights > x)]).sum() for x in places]
    best = np.flatnonzero(np.array(crossing) == min(crossing))
    x = float(places[best[len(best) // 2]])
    on_left, on_right = characters[rights <= x + 2].sum(), characters[lefts >= x - 2].sum()
    total = characters.sum()
    if min(crossing) < 0.35 * total and min(on_left, on_right) > 0.15 * total:
        return x
    return None


def _key(text: str) -> str:
    return re.sub(r"[\divxlc]+", "0", text.lower()).strip()


def running_heads(pages: list[list[Line]]) -> set[str]:
    """Texts (digits aside) at the top or bottom of many pages; of a few pages, at one height of all, standing apart."""
    counts: Counter[str] = Counter()
    apart: Counter[tuple[str, int]] = Counter()
    for lines in pages:
        by_height = sorted(lines, key=lambda line: -line.top)
        edge = by_height[:MARGIN_LINES] + by_height[-MARGIN_LINES:]
        counts.update({_key(line.text) for line in edge})
        apart.update({(_key(line.text), round(line.bottom)) for line in _standing_apart(by_height)})
    needed = max(3, REPEATED_SHARE * len(pages))
    often = {text for text, count in counts.items() if count >= needed}
    return often | {text for (text, _), count in apart.items() if len(pages) > 1 and count == len(pages)}


def _standing_apart(by_height: list[Line]) -> list[Line]:
    """The first and the last line of a page, where more than a line's height parts them from the rest."""
    if len(by_height) < 3:
        return []
    first, second, *_ = by_height
    *_, before, last = by_height
    found = [first] if first.bottom - second.top > 1.5 * first.height else []
    return [*found, last] if before.bottom - last.top > 1.5 * last.height else found


def _is_running(line: Line, running: set[str]) -> bool:
    return _key(line.text) in running or re.fullmatch(r"[-–—\s]*\d{1,4}[-–—\s]*", line.text) is not None


def paragraphs(lines: list[Line]) -> list[str]:
    """Lines joined to paragraphs: hyphens at line ends repaired, a new one at gaps and short ends.

    Headings stand alone behind `## `, rows of a table one below the other.
    """
    blocks: list[str] = []
    previous: Line | None = None
    words = words_of("\n".join(line.text for line in lines))
    for line in lines:
        if previous is not None and line.kind == previous.kind == "row":
            blocks[-1] += "\n" + line.text
        elif line.kind == "heading":
            same = previous is not None and previous.kind == "heading" and previous.bottom - line.top < line.height
            if same:
                blocks[-1] = _joined(blocks[-1], line.text, words)
            else:
                blocks.append(f"## {line.text}")
        elif (previous is not None and line.kind == previous.kind and _continues(previous, line)) or (
            previous is not None and (previous.kind, line.kind) == ("caption", "text") and _continues(previous, line)
        ):
            blocks[-1] = _joined(blocks[-1], line.text, words)
        else:
            blocks.append(line.text)
        previous = line
    return blocks


def _continues(previous: Line, line: Line) -> bool:
    """Whether `line` goes on with the paragraph of `previous`."""
    ends = previous.text.rstrip()[-1:] in ".!?。！？:："
    same_size = 0.8 < line.height / max(previous.height, 0.1) < 1.25
    next_column = line.top > previous.top + 2 * previous.height
    if next_column:
        return not ends and same_size and not re.match(r"[#•\-–]|\d+[.)]\s", line.text)
    gap = previous.bottom - line.top
    near = gap < 0.9 * max(previous.height, line.height)
    indented = line.left > previous.left + 0.8 * previous.height and ends
    short_end = ends and previous.right < line.right - 4 * line.height
    bullet = re.match(r"[•●▪◦‣]|\(?\d{1,2}[.)]\s", line.text) is not None
    return near and same_size and not indented and not short_end and not bullet


def _joined(text: str, following: str, words: frozenset[str]) -> str:
    whole = joined(text, following, words)
    if whole is not None:
        return whole
    if text.endswith("-"):
        return text + following
    if HAN.search(text[-1:]) and HAN.match(following):
        return text + following
    return f"{text} {following}"


def largest_text(lines: list[Line]) -> str:
    """The text set largest in the upper half of the first page: its title."""
    if not lines:
        return ""
    tops = [line.top for line in lines]
    upper = [line for line in lines if line.top > (max(tops) + min(tops)) / 2 and len(line.text) > 3] or lines
    size = max(line.height for line in upper)
    return " ".join(line.text for line in upper if line.height > 0.9 * size)[:300]
