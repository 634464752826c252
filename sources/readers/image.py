"""Pictures of pages: PNG, JPEG, TIFF (many pages), WebP and BMP, read by OCR."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Final

import numpy as np

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.pages.layout import Page, document_text, largest_text
from sources.pages.ocr import MAX_PIXELS, NOT_READ, fitted, read_picture

MAX_PICTURES: Final = 500
MAGIC: Final = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")


def is_picture(head: bytes) -> bool:
    """Whether these are the first bytes of a picture."""
    return head.startswith(MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


@reader(
    "image",
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".webp",
    ".bmp",
    sniff=is_picture,
    source="RapidOCR (PP-OCR models)",
)
def read_image(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The text of a scanned page or of all pages of a TIFF; little confidence is quarantined by recipe."""
    data = blob.read_all()
    yield ocr_draft(list(pictures(data)), data, source)


def pictures(data: bytes) -> Iterator[Page]:
    """Pages of a picture file; bombs, cut and damaged ones are `Unreadable`."""
    try:
        from PIL import Image, ImageSequence
    except ImportError:
        raise Unreadable(NOT_READ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data))
        if picture.width * picture.height > MAX_PIXELS:
            raise Unreadable(f"picture of {picture.width} x {picture.height} pixels, more than {MAX_PIXELS:,}")
        for number, frame in enumerate(ImageSequence.Iterator(picture), 1):
            if number > MAX_PICTURES:
                raise Unreadable(f"more than {MAX_PICTURES} pages in one picture file")
            if frame.width * frame.height > MAX_PIXELS:
                raise Unreadable(f"picture of {frame.width} x {frame.height} pixels, more than {MAX_PIXELS:,}")
            yield read_picture(fitted(np.asarray(frame.convert("RGB"))))
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        raise Unreadable(f"picture is a bomb: {error}") from None
    except Exception as error:  # Pillow raises many kinds
        raise Unreadable(f"picture is damaged or cut short: {error}") from None


def ocr_draft(pages: list[Page], data: bytes, source: Source) -> Draft:
    """The draft of a document read by OCR; below the recipe's confidence it is `Unreadable`."""
    confidence = checked_confidence(pages, source)
    text = document_text(pages)
    if not text.strip():
        raise Unreadable(NOT_READ)
    title = largest_text(pages[0].lines) or None
    return Draft(
        text=text,
        raw_sha256=sha256(data),
        title=title,
        ocr=round(confidence, 4),
        edits=(("pages read by OCR", len(pages)),),
    )


def checked_confidence(pages: list[Page], source: Source) -> float:
    """Mean over the characters of all pages that were read by OCR; too little for the recipe is `Unreadable`."""
    read = [
        (page.confidence, sum(len(line.text) for line in page.lines)) for page in pages if page.confidence is not None
    ]
    letters = sum(count for _, count in read)
    confidence = sum(share * count for share, count in read) / letters if letters else 0.0
    if source.ocr.min_confidence is not None and confidence < source.ocr.min_confidence:
        raise Unreadable(f"OCR confidence {confidence:.2f} < min_confidence {source.ocr.min_confidence:g}")
    return confidence
