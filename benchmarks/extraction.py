"""Extraction on real pages beside bare trafilatura: strings that must be kept, and that must not.

    python benchmarks/extraction.py --data ../shared/data

`web/pages-0.expected.json` gives for each address of `web/pages-0.warc.gz` text that a good
extraction holds (`with`) and does not hold (`without`). Both sides are compared after our
`normalise` step, so that soft hyphens and odd spaces count for neither.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import polars as pl
import trafilatura
from fastwarc.warc import ArchiveIterator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def normalised(texts: dict[str, str]) -> dict[str, str]:
    """The texts after the `normalise` step."""
    from filters.normalise import normalise
    from filters.step import Batch
    from schemas.document import READ_COLUMNS

    rows = [{"id": url, "text": text, "title": None} for url, text in texts.items()]
    frame = pl.DataFrame(rows, schema={name: READ_COLUMNS[name] for name in ("id", "text", "title")})
    return dict(zip(frame["id"], normalise(Batch(frame)).columns["text"], strict=True))


def score(texts: dict[str, str], expected: dict[str, dict[str, list[str]]]) -> tuple[float, float]:
    """Share of `with` strings kept, and of `without` strings excluded."""
    flat = {url: " ".join(text.split()) for url, text in normalised(texts).items()}
    wanted = [(url, piece) for url, one in expected.items() for piece in one["with"]]
    unwanted = [(url, piece) for url, one in expected.items() for piece in one["without"]]

    def holds(url: str, piece: str) -> bool:
        return " ".join(piece.split()) in flat.get(url.strip(), "")

    kept = sum(holds(*one) for one in wanted) / len(wanted)
    return kept, sum(not holds(*one) for one in unwanted) / len(unwanted)


def main() -> None:
    """Extract with both, print shares and speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data / "web"
    expected = json.loads((folder / "pages-0.expected.json").read_text(encoding="utf-8"))

    from schemas.recipe import Source
    from sources.inputs import find_inputs
    from sources.reading import read_frames

    started = time.perf_counter()
    source = Source(name="pages", files=["*.warc.gz"], source_type="web")
    frames = [frame for file in find_inputs(source, folder) for frame, _ in read_frames(file, source)]
    ours = {url: text for frame in frames for url, text in frame.select("uri", "text").iter_rows()}
    seconds = {"ours": time.perf_counter() - started}

    started = time.perf_counter()
    with (folder / "pages-0.warc.gz").open("rb") as stream:
        bare = {
            record.headers["WARC-Target-URI"].strip(): trafilatura.extract(record.reader.read()) or ""
            for record in ArchiveIterator(stream)
        }
    seconds["bare trafilatura"] = time.perf_counter() - started
    for name, texts in (("ours", ours), ("bare trafilatura", bare)):
        kept, excluded = score(texts, expected)
        print(f"{name}: {kept:.1%} of `with` kept, {excluded:.1%} of `without` excluded, {seconds[name]:.1f} s")


if __name__ == "__main__":
    main()
