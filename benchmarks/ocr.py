"""Character error of OCR on pages rendered from known text: clean and noisy, both languages, columns, a table, skew.

    python benchmarks/ocr.py --data ../shared/data --pages 4

Needs a font with Chinese characters (Debian: fonts-noto-cjk). The error is the edit distance between
the text read and the text set, white space aside, over its length.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.curation import base_documents
from sources.pages.layout import document_text
from sources.pages.ocr import read_picture

WIDTH, HEIGHT, MARGIN, SIZE = 1654, 2339, 140, 30  # A4 at 200 dots an inch, 11 points


def font_file() -> str:
    """A font that has both scripts."""
    found = subprocess.run(["fc-match", "-f", "%{file}", "Noto Sans CJK SC"], capture_output=True, text=True)
    return found.stdout


def wrapped(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int, chinese: bool) -> list[str]:
    """Lines of at most this width."""
    lines, line = [], ""
    for piece in list(text) if chinese else text.split():
        tried = line + piece if chinese or not line else f"{line} {piece}"
        if draw.textlength(tried, font=font) > width and line:
            lines.append(line)
            line = piece
        else:
            line = tried
    return [*lines, line]


def page(text: str, chinese: bool, columns: int, table: bool, rng: random.Random) -> tuple[Image.Image, str]:
    """A picture of a page and the text that stands on it, in reading order."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(font_file(), SIZE)
    gutter = 80
    across = (WIDTH - 2 * MARGIN - gutter * (columns - 1)) // columns
    told: list[str] = []
    bottom = HEIGHT - MARGIN - (600 if table else 0)
    lines = wrapped(draw, text, font, across, chinese)
    for column in range(columns):
        y = MARGIN
        while y < bottom and lines:
            line = lines.pop(0)
            draw.text((MARGIN + column * (across + gutter), y), line, fill="black", font=font)
            told.append(line)
            y += int(SIZE * 1.5)
    if table:
        names = ["药物", "剂量", "频次", "疗程"] if chinese else ["Drug", "Dose", "Frequency", "Weeks"]
        rows = [names] + [
            [
                rng.choice(["阿司匹林", "氨氯地平", "二甲双胍"])
                if chinese
                else rng.choice(["Aspirin", "Amlodipine", "Metformin"]),
                f"{rng.choice([5, 10, 75, 500])} mg",
                rng.choice(["每日两次", "每日一次"]) if chinese else rng.choice(["twice daily", "once daily"]),
                str(rng.randint(2, 24)),
            ]
            for _ in range(6)
        ]
        y = bottom + 60
        for row in rows:
            for number, cell in enumerate(row):
                draw.text((MARGIN + number * 340, y), cell, fill="black", font=font)
            told.append(" | ".join(row))
            y += int(SIZE * 1.8)
    return image, "\n".join(told)


def spoilt(image: Image.Image, rng: np.random.Generator, skew: float) -> Image.Image:
    """Grey noise, specks, a little blur, and skew, as a bad scanner leaves them."""
    from PIL import ImageFilter

    turned = image.rotate(skew, expand=False, fillcolor="white", resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(turned.filter(ImageFilter.GaussianBlur(0.8))).astype(np.float64)
    pixels += rng.normal(0, 22, pixels.shape)
    specks = rng.random(pixels.shape[:2]) < 0.002
    pixels[specks] = 60
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def distance(left: str, right: str) -> int:
    """Levenshtein distance, by rows in numpy."""
    row = np.arange(len(right) + 1)
    codes = np.frombuffer(right.encode("utf-32-le"), np.uint32)
    for number, char in enumerate(left, 1):
        changed = row[:-1] + (codes != ord(char))
        best = np.minimum(changed, row[1:] + 1)
        row = np.concatenate(([number], best))
        row = np.minimum.accumulate(row - np.arange(len(row))) + np.arange(len(row))
    return int(row[-1])


def squeezed(text: str) -> str:
    import unicodedata

    folded = unicodedata.normalize("NFKC", text).replace("|", "")
    return "".join(char for char in folded if not char.isspace() and char not in "#")


def main() -> None:
    """Print one line a kind of page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    rng, noise = random.Random(17), np.random.default_rng(17)
    texts: dict[str, list[str]] = {"zh": [], "en": []}
    for language, text in base_documents(arguments.data):
        paragraph = " ".join(
            line
            for line in text.split("\n")
            if len(line) > 80 and "$" not in line and "|" not in line and "#" not in line
        )
        if len(paragraph) > 3000 and len(texts[language]) < 40:
            texts[language].append(paragraph[200:3400])
    rates: dict[bool, list[float]] = {False: [], True: []}
    for language in ("en", "zh"):
        for columns in (1, 2):
            for table in (False, True):
                for bad in (False, True):
                    errors = length = 0
                    started = time.perf_counter()
                    scores = []
                    for number in range(arguments.pages):
                        image, truth = page(texts[language][number], language == "zh", columns, table, rng)
                        skew = [2.0, -2.0, 1.0, -1.0][number % 4]
                        picture = spoilt(image, noise, skew) if bad else image
                        read = read_picture(np.asarray(picture))
                        text = document_text([read])
                        scores.append(read.confidence)
                        wrong, size = distance(squeezed(text), squeezed(truth)), len(squeezed(truth))
                        errors, length = errors + wrong, length + size
                        if arguments.show and number == 0:
                            print("   ", repr(text[:300]), "\n   ", repr(truth[:300]))
                            if table:
                                print("   ", repr(text[-200:]))
                    rate = errors / length
                    rates[bad].append(rate)
                    seconds = (time.perf_counter() - started) / arguments.pages
                    what = f"{language}, {columns} column{'s' if columns > 1 else ''}{', table' if table else ''}, {'noise and skew' if bad else 'clean'}"
                    print(
                        f"{what:45} character error {rate:6.2%}  confidence {np.mean(scores):.3f}  {seconds:.1f} s a page",
                        flush=True,
                    )
    print(f"clean {np.mean(rates[False]):.2%} (goal 3%), noisy {np.mean(rates[True]):.2%} (goal 8%)")


if __name__ == "__main__":
    main()
