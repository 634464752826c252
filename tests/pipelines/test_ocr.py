"""Pages as pictures: read in the order of columns, tables as rows, and refused where they cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.pages.layout import Line, Page, document_text, reading_order
from sources.reading import read_frames

Image = pytest.importorskip("PIL.Image")
from PIL import ImageDraw, ImageFont  # noqa: E402

LEFT = [
    "Aspirin",
    "lowers",
    "the",
    "risk",
    "of",
    "a",
    "second",
    "heart",
    "attack",
    "and",
    "is",
    "taken",
    "once",
    "a",
    "day",
    "for",
    "life",
    "after",
    "the",
    "first",
    "one",
]
RIGHT = [
    "Statins",
    "lower",
    "cholesterol",
    "and",
    "are",
    "given",
    "to",
    "most",
    "people",
    "who",
    "have",
    "had",
    "a",
    "stroke",
    "or",
    "who",
    "live",
    "with",
    "diabetes",
]


def picture(columns: list[list[str]], size: tuple[int, int] = (1100, 700), angle: float = 0.0) -> Image.Image:
    """Words of each column set five to a line."""
    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(26)
    for place, words in enumerate(columns):
        for line in range(0, len(words), 4):
            draw.text((50 + place * 540, 60 + line * 14), " ".join(words[line : line + 4]), fill="black", font=font)
    return image.rotate(angle, fillcolor="white", resample=Image.Resampling.BICUBIC)


def png(image: Image.Image, kind: str = "PNG", dpi: int = 200, pages: int = 2) -> bytes:
    out = io.BytesIO()
    more = {"save_all": True, "append_images": [image] * (pages - 1)} if kind in ("TIFF", "PDF") else {}
    image.save(out, kind, resolution=dpi, **more)
    return out.getvalue()


def read(folder: Path, name: str, data: bytes, **source: object):  # type: ignore[no-untyped-def]
    (folder / name).write_bytes(data)
    given = Source(name="scans", files=[name], source_type="textbook", **source)  # type: ignore[arg-type]
    frames = list(read_frames(find_inputs(given, folder)[0], given))
    documents = [row for frame, _ in frames for row in frame.iter_rows(named=True)]
    broken = [row for _, frame in frames for row in frame.iter_rows(named=True)]
    return documents, broken


def letters(text: str) -> str:
    return "".join(text.lower().split())


@pytest.mark.parametrize("angle", [0.0, 2.0])
def test_two_columns_are_read_one_after_the_other(tmp_path: Path, angle: float) -> None:
    documents, broken = read(tmp_path, "page.png", png(picture([LEFT, RIGHT], angle=angle)))
    assert broken == []
    text = letters(documents[0]["text"])
    assert text.index("aspirin") < text.index("firstone") < text.index("statins") < text.index("diabetes")
    assert documents[0]["ocr"] > 0.8
    assert documents[0]["edits"] == [{"step": "read", "what": "pages read by OCR", "count": 1}]


def test_scanned_pdf_and_tiff_of_two_pages(tmp_path: Path) -> None:
    for kind, name in (("PDF", "scan.pdf"), ("TIFF", "scan.tif")):
        documents, broken = read(tmp_path, name, png(picture([LEFT]), kind))
        assert broken == []
        assert letters(documents[0]["text"]).count("aspirin") == 2
    documents, broken = read(tmp_path, "scan.pdf", png(picture([LEFT]), "PDF"), ocr=False)
    assert documents == []
    assert "no text layer (2 of 2 pages: 1, 2)" in broken[0]["error"]


def test_what_cannot_be_read_is_quarantined(tmp_path: Path) -> None:
    whole = png(picture([LEFT]))
    cases = {
        "cut.png": (whole[: len(whole) // 2], "cut short"),
        "empty.png": (b"", "empty file"),
        "fake.jpg": (b"\xff\xd8\xff not a picture", "damaged"),
        "bomb.png": (bomb(60_000, 60_000), "bomb"),
        "white.png": (png(Image.new("RGB", (400, 300), "white")), "OCR"),
    }
    for name, (data, told) in cases.items():
        documents, broken = read(tmp_path, name, data)
        assert documents == [], name
        assert told in broken[0]["error"], (name, broken[0]["error"])
    documents, broken = read(tmp_path, "sure.png", whole, ocr={"min_confidence": 1.0})
    assert documents == []
    assert "< min_confidence 1" in broken[0]["error"]


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge; its data is short."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_a_very_wide_page_is_read_small(tmp_path: Path) -> None:
    wide = Image.new("RGB", (12_000, 300), "white")
    ImageDraw.Draw(wide).text((240, 60), "Hypertension", fill="black", font=ImageFont.load_default(150))
    documents, broken = read(tmp_path, "wide.png", png(wide))
    assert broken == []
    assert letters(documents[0]["text"]).startswith("hyper")
    documents, broken = read(tmp_path, "wide.pdf", png(wide, "PDF", dpi=72, pages=1))  # a page of 12,000 points
    assert len(documents) + len(broken) == 1
    assert all("hyper" in letters(one["text"]) for one in documents)


def line(x: float, y: float, text: str, width: float = 200, height: float = 10) -> Line:
    return Line(x, y, x + width, y + height, text)


def test_layout_tells_tables_headings_notes_and_running_heads_apart() -> None:
    pages = []
    for number in range(1, 5):
        lines = [line(50, 780, "Journal of examples"), line(280, 20, str(number), 10)]
        lines += [line(50, 740 - 14 * row, f"Page {number} line {row} goes on and on without", 480) for row in range(6)]
        lines += [line(50, 640, f"Results of part {number}", 200, 16)]
        lines += [line(50 + 150 * cell, 600 - 14 * row, f"r{row}c{cell}", 40) for row in range(3) for cell in range(4)]
        lines += [line(50, 540 - 14 * row, f"Below the table line {row} continues here", 480) for row in range(3)]
        lines += [Line(50, 60, 300, 67, f"1 A note {'abcd'[number - 1]} in small letters.")]
        pages.append(Page(lines, 612))
    text = document_text(pages)
    assert "Journal of examples" not in text
    assert "\n\n## Results of part 2\n\n" in text
    assert "r0c0 | r0c1 | r0c2 | r0c3\nr1c0 | r1c1" in text
    assert text.rindex("Below the table") < text.index("1 A note a in small letters.")


def test_reading_order_of_any_lines_keeps_all() -> None:
    chance = np.random.default_rng(3)
    for _ in range(50):
        lines = [line(*chance.uniform(0, 500, 2), f"t{number}") for number in range(int(chance.integers(0, 30)))]
        assert sorted(one.text for one in reading_order(lines, 612)) == sorted(one.text for one in lines)
