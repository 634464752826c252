"""The step `fasttext_classifier` beside fastText's own prediction of the same lines, one process.

python benchmarks/classifier.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import fasttext
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.curation import base_documents
from filters.classifier_model import load_classifier
from pipelines.classifiers.labelled import Labelled
from pipelines.classifiers.training import train_classifier
from schemas.classifier import ClassifierRecipe
from textcolumns.columns import TextColumn
from textcolumns.spacing import spaced_lines
from tokenization.shards import shuffle_keys


def main() -> None:
    """Train a small model on the texts themselves, then time both ways over all of them, best of five."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    rows = [(f"{number:032x}", label, text) for number, (label, text) in enumerate(base_documents(arguments.data))][
        :3200
    ]
    frame = pl.DataFrame(rows, schema=["id", "label", "text"], orient="row")
    frame = frame.with_columns(
        source=pl.lit("s"), role=pl.lit("train"), uri=pl.lit("u"), key=shuffle_keys(frame["id"], 17)
    )
    recipe = ClassifierRecipe.model_validate(
        {
            "name": "t",
            "positive": "en",
            "sources": [{"name": "s", "files": "x", "source_type": "web", "label": "en"}],
            "fasttext": {"epoch": 1},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        train_classifier(recipe, Labelled(frame, {"s": ""}), Path(folder))
        ours = load_classifier(folder)
        theirs = fasttext.load_model(f"{folder}/model.bin")
    column = TextColumn(frame["text"])
    lines = spaced_lines(column, ours.max_characters)
    size = sum(len(line.encode()) for line in lines) / 1e6
    times: dict[str, list[float]] = {"fastText": [], "step, lines given": [], "step, from text": []}
    for _ in range(5):
        started = time.perf_counter()
        theirs.predict(lines, k=2)
        times["fastText"].append(time.perf_counter() - started)
        started = time.perf_counter()
        ours.scores_of_lines(lines)
        times["step, lines given"].append(time.perf_counter() - started)
        started = time.perf_counter()
        ours.scores(column)
        times["step, from text"].append(time.perf_counter() - started)
    best = {name: min(found) for name, found in times.items()}
    for name, seconds in best.items():
        print(f"{name}: {seconds:.3f} s, {size / seconds:.1f} MB/s of lines")
    for name in ("step, lines given", "step, from text"):
        print(f"{name}: {best['fastText'] / best[name]:.0%} of fastText's speed")


if __name__ == "__main__":
    main()
