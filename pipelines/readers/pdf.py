"""PDF by pypdfium2: lines in reading order over columns, paragraphs rejoined, running heads removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pypdfium2 as pdfium

from pipelines.draft import Blob, Broken, Draft, reader, sha256
from pipelines.references import without_references
from schemas.errors import Unreadable
from schemas.recipe import Source

MIN_CHARACTERS_A_PAGE: Final = 32  # a page of less text that holds a picture was scanned
MAX_PAGES: Final = 5000
MARGIN_LINES: Final = 2  # how many lines at each end of a page may be running heads
REPEATED_SHARE: Final = 0.4
# Titles that a program made up from a file name.
FILE_TITLE: Final = re.compile(
    r"(?i)\.(?:html?|docx?|pdf|tex|dvi|indd|qxd|pptx?)$|^(?:microsoft word|untitled|document\d*)"
)
HAN: Final = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")


@dataclass(frozen=True)
class Line:
    """A line of text on a page: box in points from the left bottom corner, and its words."""

    left: float
    bottom: float
    right: float
    top: float
    text: str

    @property
    def height(self) -> float:
        """Height of the box in points."""
        return self.top - self.bottom


@dataclass(frozen=True)
class Page:
    """A page's lines, its width in points, and whether it is a picture without a text layer."""

    lines: list[Line]
    width: float
    is_picture: bool


@reader("pdf", ".pdf", sniff=lambda head: b"%PDF-" in head[:1024])
def read_pdf(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The text layer of a PDF; without one the document waits in quarantine for OCR."""
    yield pdf_draft(blob.read_all())


def pdf_draft(data: bytes) -> Draft:
    """The draft of one PDF; encrypted, damaged and scanned ones are `Unreadable`."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "encrypted" if "assword" in str(error) else "damaged or cut short"
        raise Unreadable(f"PDF is {reason}: {error}") from None
    try:
        if len(document) > MAX_PAGES:
            raise Unreadable(f"PDF has {len(document)} pages, more than {MAX_PAGES}")
        pages = [_read_page(document[index]) for index in range(len(document))]
        metadata = document.get_metadata_dict()
    except pdfium.PdfiumError as error:
        raise Unreadable(f"PDF is damaged: {error}") from None
    finally:
        document.close()
    pictures = [number for number, page in enumerate(pages, 1) if page.is_picture]
    if pictures or not any(page.lines for page in pages):
        which = ", ".join(map(str, pictures[:5])) + (", …" if len(pictures) > 5 else "")
        raise Unreadable(f"no text layer ({len(pictures)} of {len(pages)} pages{': ' + which if which else ''})")
    running = _running_heads([page.lines for page in pages])
    ordered = [
        [line for line in reading_order(page.lines, page.width) if not _is_running(line, running)] for page in pages
    ]
    text, cut = without_references("\n\n".join(paragraphs([line for lines in ordered for line in lines])))
    title = (metadata.get("Title") or "").strip()
    if not title or FILE_TITLE.search(title):
        title = _largest(pages[0].lines)
    created = re.match(r"D:(\d{4})(\d{2})(\d{2})", metadata.get("CreationDate") or "")
    edits = (("reference list removed", 1),) if cut else ()
    return Draft(
        text=text,
        raw_sha256=sha256(data),
        title=title or None,
        published="-".join(created.groups()) if created else None,
        edits=edits,
    )


def _read_page(page: Any) -> Page:
    """Lines of a page, from the text rectangles that pdfium finds."""
    text_page = page.get_textpage()
    width, _ = page.get_size()
    pieces: list[Line] = []
    for index in range(text_page.count_rects()):
        left, bottom, right, top = text_page.get_rect(index)
        text = text_page.get_text_bounded(left, bottom, right, top)
        text = re.sub(r"\s+", " ", text.replace("\ufffe", "-").replace("\x02", "-")).strip()
        if text:
            pieces.append(Line(left, bottom, right, top, text))
    few = sum(len(piece.text) for piece in pieces) < MIN_CHARACTERS_A_PAGE
    is_picture = few and any(True for _ in page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE]))
    return Page(_merged(pieces), width, is_picture)


def _merged(pieces: list[Line]) -> list[Line]:
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


def reading_order(lines: list[Line], width: float) -> list[Line]:
    """Lines from top to bottom, column by column between lines that span the gutter.

    A page has two columns where a vertical strip near its middle is crossed by few lines; lines
    that cross it (titles, wide tables) cut the page into bands that are read one after the other.
    """
    if len(lines) < 4:
        return sorted(lines, key=lambda line: (-line.top, line.left))
    gutter = _gutter(lines, width)
    if gutter is None:
        return _by_rows(lines)
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


def _running_heads(pages: list[list[Line]]) -> set[str]:
    """Texts (digits aside) that stand at the top or bottom of many pages."""
    counts: Counter[str] = Counter()
    for lines in pages:
        by_height = sorted(lines, key=lambda line: -line.top)
        edge = by_height[:MARGIN_LINES] + by_height[-MARGIN_LINES:]
        counts.update({_key(line.text) for line in edge})
    needed = max(3, REPEATED_SHARE * len(pages))
    return {text for text, count in counts.items() if count >= needed}


def _is_running(line: Line, running: set[str]) -> bool:
    return _key(line.text) in running or re.fullmatch(r"[-–—\s]*\d{1,4}[-–—\s]*", line.text) is not None


def paragraphs(lines: list[Line]) -> list[str]:
    """Lines joined to paragraphs: hyphens at line ends repaired, a new one at gaps and short ends."""
    blocks: list[str] = []
    previous: Line | None = None
    for line in lines:
        if previous is not None and _continues(previous, line):
            blocks[-1] = _joined(blocks[-1], line.text)
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


def _joined(text: str, following: str) -> str:
    if re.search(r"[a-z]-$", text) and re.match(r"[a-z]", following):
        return text[:-1] + following
    if text.endswith("-"):
        return text + following
    if HAN.search(text[-1:]) and HAN.match(following):
        return text + following
    return f"{text} {following}"


def _largest(lines: list[Line]) -> str:
    """The text set largest in the upper half of the first page: its title."""
    if not lines:
        return ""
    tops = [line.top for line in lines]
    upper = [line for line in lines if line.top > (max(tops) + min(tops)) / 2 and len(line.text) > 3] or lines
    size = max(line.height for line in upper)
    return " ".join(line.text for line in upper if line.height > 0.9 * size)[:300]
