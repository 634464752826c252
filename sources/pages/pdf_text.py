"""Pieces of text on a PDF's page, from its characters: where each line stands as the page is shown.

A line's box is that of its font and not of its letters, so that a line without tall or hanging letters is as high as
its neighbours. Text that is not shown upright (watermarks, notes along an edge) is told apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from ctypes import byref, c_double
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2.raw as pdfium

from sources.markup.characters import plain_characters
from sources.pages.layout import Line

UPRIGHT: Final = math.radians(8)  # a scan may lean by so much
WIDE_GAP: Final = 1.2  # times a line's height: columns and cells of tables
ABOVE: Final = 0.72  # of a font's size: capitals over the baseline
BELOW: Final = 0.2  # letters that hang below it
LOOSE: Final = 1.15  # height of a font's box in sizes, where it says nothing else
LYING: Final = 0.9  # share of a page's characters that lie alike, from which the page does
MOST_LOOKED_AT: Final = 2000  # characters
HYPHENS: Final = (0x02, 0xFFFE)  # what pdfium gives for a hyphen at a line's end, the word's own or not


@dataclass(frozen=True)
class PageText:
    """Pieces of upright lines in the page's own order, and how many characters are turned."""

    pieces: list[Line]
    turned: int


@dataclass(frozen=True)
class _Character:
    text: str
    left: float
    right: float
    base: float
    size: float


def page_text(page: Any, text_page: Any) -> PageText:
    """What stands on a page, as it is shown: a page that is turned reads as it is seen."""
    pieces: list[Line] = []
    current: list[_Character] = []
    turned = 0
    for one in _characters(page, text_page.raw):
        if one is None:
            turned += 1
        elif isinstance(one, str) or _apart(current, one):
            pieces += _piece(current)
            current = [] if isinstance(one, str) else [one]
        else:
            current.append(one)
    return PageText([*pieces, *_piece(current)], turned)


def _characters(page: Any, raw: Any) -> Iterator[_Character | str | None]:
    """Characters with their places; a string where a line ends, None for one that is not upright."""
    rotation, width, height = _orientation(page, raw)
    left, right, bottom, top, x, y = (c_double() for _ in range(6))
    loose = pdfium.FS_RECTF()
    for at in range(pdfium.FPDFText_CountChars(raw)):
        code = pdfium.FPDFText_GetUnicode(raw, at)
        if code in (0x0A, 0x0D):
            yield "\n"
            continue
        generated = pdfium.FPDFText_IsGenerated(raw, at) == 1
        if generated and code == 0x20:
            yield _Character(" ", math.nan, math.nan, math.nan, math.nan)
            continue
        if not generated and not _is_upright(pdfium.FPDFText_GetCharAngle(raw, at), rotation):
            yield None
            continue
        pdfium.FPDFText_GetCharBox(raw, at, byref(left), byref(right), byref(bottom), byref(top))
        pdfium.FPDFText_GetCharOrigin(raw, at, byref(x), byref(y))
        pdfium.FPDFText_GetLooseCharBox(raw, at, byref(loose))
        boxes = [(left.value, bottom.value, right.value, top.value), (loose.left, loose.bottom, loose.right, loose.top)]
        tight, whole = (_shown(box, rotation, width, height) for box in boxes)
        base = _shown((x.value, y.value, x.value, y.value), rotation, width, height)[1]
        size = (whole[3] - whole[1]) / LOOSE
        if size < 1:
            size = max(pdfium.FPDFText_GetFontSize(raw, at), tight[3] - tight[1], 1.0)
        text = "-" if code in HYPHENS else chr(code) if 0x20 <= code < 0xD800 or code >= 0xE000 else ""
        if text:
            yield _Character(text, min(tight[0], whole[0]), max(tight[2], whole[2]), base, size)


def _orientation(page: Any, raw: Any) -> tuple[int, float, float]:
    """How the page is to be turned to be read, with its size then: as it is shown, unless nearly all of it lies."""
    rotation = page.get_rotation()
    width, height = page.get_size()
    quarters: Counter[int] = Counter()
    for at in range(min(pdfium.FPDFText_CountChars(raw), MOST_LOOKED_AT)):
        angle = pdfium.FPDFText_GetCharAngle(raw, at)
        if angle >= 0 and pdfium.FPDFText_IsGenerated(raw, at) != 1:
            quarters[round((math.degrees(angle) + rotation) / 90) % 4] += 1
    turned, count = quarters.most_common(1)[0] if quarters else (0, 0)
    if turned == 0 or count < LYING * quarters.total():
        return rotation, width, height
    size = (height, width) if turned % 2 else (width, height)
    return (rotation - 90 * turned) % 360, *size


def _is_upright(angle: float, rotation: int) -> bool:
    """Whether a character stands upright on the page as it is shown (`rotation` degrees clockwise)."""
    shown = (angle + math.radians(rotation) + math.pi) % (2 * math.pi) - math.pi
    return abs(shown) <= UPRIGHT


def _shown(
    box: tuple[float, float, float, float], rotation: int, width: float, height: float
) -> tuple[float, float, float, float]:
    """A box of the page's own space (left, bottom, right, top) on the page as it is shown, `width` by `height`."""
    left, bottom, right, top = box
    if rotation == 90:
        return bottom, height - right, top, height - left
    if rotation == 180:
        return width - right, height - top, width - left, height - bottom
    if rotation == 270:
        return width - top, left, width - bottom, right
    return box


def _apart(current: list[_Character], after: _Character) -> bool:
    """Whether a character begins another piece than those before it; blanks have no place of their own."""
    before = next((one for one in reversed(current) if not math.isnan(one.base)), None)
    if before is None or math.isnan(after.base):
        return False
    size = max(before.size, after.size)
    back = before.left - after.left > 0.3 * size  # letters of a ligature share one place
    return abs(after.base - before.base) > 0.6 * size or back or after.left - before.right > WIDE_GAP * size


def _piece(characters: list[_Character]) -> list[Line]:
    """One line of characters, or several where a wide gap parts them; blanks at the ends go."""
    placed = [one for one in characters if not math.isnan(one.base)]
    text = plain_characters(re.sub(r"\s+", " ", "".join(one.text for one in characters))).strip()
    if not placed or not text:
        return []
    sizes = sorted(one.size for one in placed)
    bases = sorted(one.base for one in placed)
    size, base = sizes[len(sizes) // 2], bases[len(bases) // 2]
    return [
        Line(
            min(one.left for one in placed),
            base - BELOW * size,
            max(one.right for one in placed),
            base + ABOVE * size,
            text,
        )
    ]
