"""PubMed XML read as documents, beside lxml that only walks over the same citations.

    python benchmarks/medline.py ../shared/data/collect/pubmed/pubmed26n*.xml.gz

The citations of each file are repeated until there are as many MB as a file of the baseline has; MB are of XML, unpacked.
Goal: 50 MB/s on one core.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from schemas.recipe import Source
from sources.inputs import InputFile, find_inputs
from sources.reading import read_frames

GOAL = 50.0
ROUNDS = 3


def repeated(data: bytes, megabytes: float) -> bytes:
    """A citation set with the citations of `data` as often as it takes."""
    start, end = data.index(b"<PubmedArticle>"), data.rindex(b"</PubmedArticle>") + len(b"</PubmedArticle>")
    times = max(1, round(megabytes * 1e6 / (end - start)))
    return data[:start] + data[start:end] * times + data[end:]


def walked(data: bytes) -> int:
    """Citations that lxml finds, each let go of once it is parsed."""
    count = 0
    for _, element in etree.iterparse(io.BytesIO(data), tag=("PubmedArticle", "DeleteCitation"), huge_tree=True):
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


SOURCE = Source(name="pubmed", files=["*.xml"], source_type="literature")


def documents(files: list[InputFile]) -> int:
    """Documents and quarantined citations of files."""
    frames = (frame for file in files for frame in read_frames(file, SOURCE))
    return sum(read.height + broken.height for read, broken in frames)


def best(work: Callable[[], int]) -> tuple[float, int]:
    """Seconds of the fastest of some rounds, and what it returns."""
    seconds, found = [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), found


def main() -> None:
    """One JSON line a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--megabytes", type=float, default=100.0)
    arguments = parser.parse_args()
    for path in arguments.files:
        data = repeated(gzip.decompress(path.read_bytes()), arguments.megabytes)
        size = len(data) / 1e6
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "citations.xml").write_bytes(data)
            files = list(find_inputs(SOURCE, Path(folder)))
            ours, found = best(lambda files=files: documents(files))  # type: ignore[misc]
        lxml, _ = best(lambda data=data: walked(data))  # type: ignore[misc]
        told = {"MB/s": round(size / ours, 1), "goal": GOAL, "lxml MB/s": round(size / lxml, 1)}
        print(json.dumps({"file": path.name, "MB": round(size, 1), "documents": found, **told}), flush=True)


if __name__ == "__main__":
    main()
