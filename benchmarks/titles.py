"""Titles of preprints that OCR wrote as Markdown, beside those that a reader found.

    python benchmarks/titles.py --data ../shared/data

`titles_checked.csv` has 600 preprints by their public ids, in three samples of 200, each with a hash of the letters and
figures of its right title ("none" where the text has none). The second and third sample were first read by rules that
had been mended on those before; what they got then stands in `docs/quality.md`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sources.markup.titles import first_title
from sources.readers.markdown import plain_characters, plain_text

CHECKED = Path(__file__).with_name("titles_checked.csv")


def digest(title: str) -> str:
    """A hash of a title's letters and figures; "none" for no title."""
    bare = re.sub(r"[\W_]", "", title).casefold()
    return hashlib.sha256(bare.encode()).hexdigest()[:16] if bare else "none"


def texts(data: Path) -> dict[str, str]:
    """Markdown by public id: the files, and the packed preprints."""
    found = {path.stem: path.read_text("utf-8", "replace") for path in (data / "literature/chinaxiv").glob("*.md")}
    packed = (data / "scale" / "chinaxiv-3000.jsonl.zst").read_bytes()
    rows = map(json.loads, zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines())
    return {**{row["id"]: row["text"] for row in rows}, **found}


def main() -> None:
    """Print the share of right titles by sample, and those that are wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    known = texts(parser.parse_args().data)
    right, all_of = Counter[str](), Counter[str]()
    with CHECKED.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            title = first_title(plain_text(plain_characters(known[row["id"]])))
            all_of[row["sample"]] += 1
            right[row["sample"]] += digest(title) == row["title"]
            if digest(title) != row["title"]:
                print(f"  wrong: {row['id']}: {title!r}")
    for sample, count in sorted(all_of.items()):
        print(f"sample {sample}: {right[sample]} of {count} ({right[sample] / count:.1%})")


if __name__ == "__main__":
    main()
