"""Many small files beside the same texts as lines of one file: seconds of a whole run, and the ratio.

    python benchmarks/small_files.py [FILES]

Goal: at most twice the time of one file.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from pipelines.execute import execute

RECIPE = """
name: small
seed: 1
sources: [{name: t, files: "t/*", source_type: literature}]
steps: [normalise, {length: {min_characters: 20}}]
tokenizer: {train: {vocab_size: 600}}
mixtures: {pretrain: {components: [{name: all}], shards: 2}}
"""
WORDS = [
    "aspirin",
    "fever",
    "renal",
    "dose",
    "patient",
    "therapy",
    "chronic",
    "cardiac",
    "oxygen",
    "insulin",
    "infection",
    "tablet",
    "surgery",
    "bleeding",
]
TRIES = 3


def seconds(recipe: Path, data: Path, run: Path) -> float:
    """Wall time of one whole run."""
    began = time.perf_counter()
    execute(recipe, data, run, workers=2)
    return time.perf_counter() - began


def main(files: int) -> None:
    chance = random.Random(2)
    texts = [f"Note {number}. " + " ".join(chance.choice(WORDS) for _ in range(40)) + "." for number in range(files)]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "files" / "t").mkdir(parents=True)
        (root / "lines" / "t").mkdir(parents=True)
        for number, text in enumerate(texts):
            (root / "files" / "t" / f"{number:05d}.txt").write_text(text)
        (root / "lines" / "t" / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        (root / "recipe.yaml").write_text(RECIPE)
        best = {"files": float("inf"), "lines": float("inf")}
        for turn in range(TRIES):
            for kind in best:
                best[kind] = min(best[kind], seconds(root / "recipe.yaml", root / kind, root / f"run-{kind}-{turn}"))
    print(
        f"{files:,} files {best['files']:.1f} s, one file {best['lines']:.1f} s: {best['files'] / best['lines']:.2f} times"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2500)
