"""OCR of pictures of pages with RapidOCR (PP-OCR models on ONNX, Chinese and English, in its package).

One thread an engine: results do not depend on how many workers there are, and workers share the cores.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.errors import Unreadable
from sources.pages.layout import Line, Page

RENDER_DPI: Final = 200
POINTS_AN_INCH: Final = 72
MAX_SIDE: Final = 4000  # pixels; a larger picture is made smaller before it is read
MAX_PIXELS: Final = 200_000_000  # above that a picture is refused before it is unpacked
MOST_OBLONG: Final = 4  # sides of a page to one another
MIN_LINE_SCORE: Final = 0.3
MIN_BOX_HEIGHT: Final = 4  # pixels
Pixels = npt.NDArray[np.uint8]


# The same words whatever is installed: reasons are part of what a run's digest covers.
NOT_READ: Final = "a picture of a page, on which no text was read"


@lru_cache(maxsize=1)
def ocr_is_installed() -> bool:
    """Whether pages can be read from their pictures: the package's extra `ocr`."""
    return all(importlib.util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime", "PIL"))


@lru_cache(maxsize=1)
def ocr_engine() -> Any:
    """The engine, loaded once a process; without the package the page cannot be read."""
    try:
        from rapidocr import RapidOCR
    except ImportError:
        raise Unreadable(NOT_READ) from None
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    with contextlib.suppress(Exception):
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
    settings = {
        "Global.log_level": "error",
        "Global.max_side_len": MAX_SIDE,
        # Its classifier of upside-down lines turned one clean line in thirty; pages stand upright.
        "Global.use_cls": False,
        # What is read badly counts against the page's confidence; dropped lines would not.
        "Global.text_score": MIN_LINE_SCORE,
        # Wide pictures are pages too, not one line of text.
        "Global.width_height_ratio": -1,
    }
    return RapidOCR(params={**threads, **settings})


def read_picture(pixels: Pixels, width: float | None = None) -> Page:
    """Lines of a page from its picture (height, width, 3), straightened; boxes in points of a page `width` wide.

    The page's confidence is the mean over its characters of the recogniser's score, 0 where nothing was read.
    """
    found = ocr_engine()(pixels)
    height, across = pixels.shape[:2]
    scale = (width or across * POINTS_AN_INCH / RENDER_DPI) / across
    if found.boxes is None or not len(found.boxes):
        return Page([], across * scale, is_picture=True, confidence=0.0)
    boxes = np.asarray(found.boxes, dtype=np.float64)
    boxes = _straightened(boxes, across, height)
    lines = []
    for box, text in zip(boxes, found.txts, strict=True):
        left, right = box[:, 0].min(), box[:, 0].max()
        # The middle of the slanted sides: a skewed box is no taller than its letters.
        top, bottom = box[:2, 1].mean(), box[2:, 1].mean()
        if text.strip() and bottom - top >= MIN_BOX_HEIGHT:
            lines.append(
                Line(left * scale, (height - bottom) * scale, right * scale, (height - top) * scale, text.strip())
            )
    weights = np.array([len(text) for text in found.txts], dtype=np.float64)
    confidence = (
        float(np.average(np.asarray(found.scores, dtype=np.float64), weights=weights)) if weights.sum() else 0.0
    )
    return Page(_same_heights(lines), across * scale, is_picture=True, confidence=confidence)


def _straightened(boxes: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
    """Boxes turned back by the page's skew: the median slope of the upper edges of long lines."""
    edges = boxes[:, 1] - boxes[:, 0]
    long = edges[:, 0] > 0.15 * width
    if not long.any():
        return boxes
    angle = float(np.median(np.arctan2(edges[long, 1], edges[long, 0])))
    cosine, sine = np.cos(-angle), np.sin(-angle)
    centre = np.array([width / 2, height / 2])
    turned: npt.NDArray[np.float64] = (boxes - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return turned


def _same_heights(lines: list[Line]) -> list[Line]:
    """Heights of boxes vary with their letters; those near the usual height are given it, to be compared."""
    if len(lines) < 3:
        return lines
    usual = float(np.median([line.height for line in lines]))
    evened = []
    for line in lines:
        if 0.75 < line.height / usual < 1.3:
            middle = (line.top + line.bottom) / 2
            line = Line(line.left, middle - usual / 2, line.right, middle + usual / 2, line.text)
        evened.append(line)
    return evened


def fitted(pixels: Pixels) -> Pixels:
    """The picture, made smaller where a side is longer than is read, and a strip widened to a page."""
    longest = max(pixels.shape[:2])
    if longest > MAX_SIDE:
        from PIL import Image

        factor = MAX_SIDE / longest
        size = (max(1, int(pixels.shape[1] * factor)), max(1, int(pixels.shape[0] * factor)))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    height, width = pixels.shape[:2]
    missing = max(height, width) // MOST_OBLONG - np.array([height, width])
    if missing.max() > 0:  # the detector would blow a strip up to many times its size
        pads = [(0, int(max(missing[0], 0))), (0, int(max(missing[1], 0))), (0, 0)]
        pixels = np.pad(pixels, pads, constant_values=255)
    return pixels
