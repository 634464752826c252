"""PDF by pypdfium2: the text layer in reading order; pages without one are rendered and read by OCR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pypdfium2 as pdfium

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.references import without_references
from sources.pages.layout import Page, document_text, largest_text, merged
from sources.pages.ocr import MAX_SIDE, POINTS_AN_INCH, RENDER_DPI, fitted, ocr_is_installed, read_picture
from sources.pages.pdf_text import page_text
from sources.readers.image import checked_confidence

MIN_CHARACTERS_A_PAGE: Final = 32  # a page of less text that holds a picture was scanned
MAX_PAGES: Final = 5000
# Titles that a program made up from a file name.
FILE_TITLE: Final = re.compile(
    r"(?i)\.(?:html?|docx?|pdf|tex|dvi|indd|qxd|pptx?)$|^(?:microsoft word|untitled|document\d*)"
)


@reader("pdf", ".pdf", sniff=lambda head: b"%PDF-" in head[:1024], version=2, source="ISO 32000, by pypdfium2")
def read_pdf(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The text of a PDF, by OCR where pages are pictures."""
    yield pdf_draft(blob.read_all(), source)


def pdf_draft(data: bytes, source: Source) -> Draft:
    """The draft of one PDF; encrypted and damaged ones, and scans that cannot be read, are `Unreadable`."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        reason = "encrypted" if "assword" in str(error) else "damaged or cut short"
        raise Unreadable(f"PDF is {reason}: {error}") from None
    try:
        if len(document) > MAX_PAGES:
            raise Unreadable(f"PDF has {len(document)} pages, more than {MAX_PAGES}")
        pages = [_read_page(document[index]) for index in range(len(document))]
        scanned = [number for number, page in enumerate(pages) if page.is_picture]
        is_read = source.ocr.enabled and ocr_is_installed()
        if is_read:
            for number in scanned:
                pages[number] = _scanned_page(document[number])
        metadata = document.get_metadata_dict()
    except pdfium.PdfiumError as error:
        raise Unreadable(f"PDF is damaged: {error}") from None
    finally:
        document.close()
    if (scanned and not is_read) or not any(page.lines for page in pages):
        which = ", ".join(str(number + 1) for number in scanned[:5]) + (", …" if len(scanned) > 5 else "")
        raise Unreadable(f"no text layer ({len(scanned)} of {len(pages)} pages{': ' + which if which else ''})")
    confidence = checked_confidence(pages, source) if scanned else None
    text, cut = without_references(document_text(pages))
    title = (metadata.get("Title") or "").strip()
    if not title or FILE_TITLE.search(title):
        title = largest_text(pages[0].lines)
    created = re.match(r"D:(\d{4})(\d{2})(\d{2})", metadata.get("CreationDate") or "")
    edits: tuple[tuple[str, int], ...] = (("reference list removed", 1),) if cut else ()
    if turned := sum(page.turned for page in pages):
        edits += (("turned characters left out", turned),)
    if scanned:
        edits += (("pages read by OCR", len(scanned)),)
    return Draft(
        text=text,
        raw_sha256=sha256(data),
        title=title or None,
        published="-".join(created.groups()) if created else None,
        ocr=None if confidence is None else round(confidence, 4),
        edits=edits,
    )


def _scanned_page(page: Any) -> Page:
    """The page rendered and read; one of absurd size is rendered no larger than is read."""
    width, height = page.get_size()
    scale = min(RENDER_DPI / POINTS_AN_INCH, MAX_SIDE / max(width, height, 1.0))
    pixels = page.render(scale=scale).to_numpy()
    whole = fitted(np.ascontiguousarray(pixels[:, :, :3]))
    return read_picture(whole, width * whole.shape[1] / pixels.shape[1])


def _read_page(page: Any) -> Page:
    """Lines of a page, from the characters that pdfium finds."""
    found = page_text(page, page.get_textpage())
    width, _ = page.get_size()
    few = sum(len(piece.text) for piece in found.pieces) < MIN_CHARACTERS_A_PAGE
    is_picture = few and any(True for _ in page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE]))
    return Page(merged(found.pieces), width, is_picture, turned=found.turned)
