"""Memory and seconds of every stage on made input, by the most that a worker held during any of its tasks.

    python benchmarks/memory.py GIGABYTES FOLDER [--workers N] [--shards N]

The input (JSON Lines in files of 107 MB, words and ideographs by a seed) is written into FOLDER/input unless it is
there, the run into FOLDER/run. The memory is the resident set of the process, the pages of mapped files included.
Goal: at most 1 GiB a worker in every stage, whatever the size.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from pipelines.execute import execute
from schemas.manifest import load_manifest

FILE_BYTES = 107 << 20
RECIPE = """
name: memory
seed: 1
sources:
  - {{name: made, files: "*.jsonl", source_type: literature, text: "{{text}}", licence: CC0-1.0}}
steps: [normalise, {{phi: {{}}}}, {{language: {{keep: [en, zh], min_score: 0.2}}}}, gopher_repetition, authority]
dedup: {{minhash: {{}}, paragraphs: {{source_types: [literature]}}}}
tokenizer: {{train: {{vocab_size: 8000, max_characters: 20000000}}}}
mixtures: {{pretrain: {{components: [{{name: all}}], shards: {shards}}}}}
"""
CONSONANTS, VOWELS = "bcdfghklmnprstvz", "aeiou"


def vocabulary(chance: np.random.Generator) -> tuple[list[str], list[str]]:
    """Words of letters and of ideographs, the frequent ones first."""
    syllables = [one + other for one in CONSONANTS for other in VOWELS]
    words = ["".join(chance.choice(syllables, chance.integers(1, 5))) for _ in range(20000)]
    common = ["the", "of", "and", "to", "in", "a", "is", "that", "with", "was", "for", "be", "have", "are"]
    signs = ["".join(map(chr, chance.integers(0x4E00, 0x5800, chance.integers(1, 4)))) for _ in range(8000)]
    return [*common, *words], ["的", "是", "和", "在", "了", *signs]


def texts(chance: np.random.Generator, words: list[str], signs: list[str]) -> list[str]:
    """Some thousand documents of about 2.7 kB, one of eight Chinese."""
    made = []
    for number in range(2000):
        chinese = number % 8 == 0
        chosen = signs if chinese else words
        lines = []
        for length in chance.integers(8, 26, int(chance.integers(8, 44))):
            places = np.minimum(chance.zipf(1.25, int(length)) - 1, len(chosen) - 1)
            told = ("" if chinese else " ").join(chosen[place] for place in places)
            lines.append(told + ("。" if chinese else "."))
        made.append(("" if chinese else " ").join(lines))
    return made


def make_input(folder: Path, gigabytes: float) -> int:
    """Write files until they hold so many bytes; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    words, signs = vocabulary(np.random.default_rng(0))
    files = max(1, round(gigabytes * 1e9 / FILE_BYTES))
    for number in range(files):
        path = folder / f"{number:05d}.jsonl"
        if path.exists():
            continue
        chance = np.random.default_rng(number + 1)
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            while file.tell() < FILE_BYTES:
                file.writelines(
                    json.dumps({"text": one}, ensure_ascii=False) + "\n" for one in texts(chance, words, signs)
                )
        part.rename(path)
    return sum(path.stat().st_size for path in folder.glob("*.jsonl"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("gigabytes", type=float)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--shards", type=int, default=4)
    chosen = arguments.parse_args()
    size = make_input(chosen.folder / "input", chosen.gigabytes)
    recipe = chosen.folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(shards=chosen.shards))
    run = chosen.folder / "run"
    began = time.perf_counter()
    execute(recipe, chosen.folder / "input", run, workers=chosen.workers)
    seconds = time.perf_counter() - began
    stages: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for line in (run / "log.jsonl").read_text().splitlines():
        told = json.loads(line)
        if told.get("event") == "task":
            stages[told["stage"]].append((told["seconds"], told["peak_bytes"]))
    for stage, tasks in stages.items():
        row = {"stage": stage, "tasks": len(tasks), "seconds": round(sum(one for one, _ in tasks), 1)}
        print(json.dumps({**row, "peak_mib": max(peak for _, peak in tasks) >> 20}))
    manifest = load_manifest(run)
    shards = [
        shard.bytes for one in manifest.mixtures.values() for part in one.components.values() for shard in part.shards
    ]
    whole = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    told = {"input_mb": size // 10**6, "seconds": round(seconds), "mb_per_second": round(size / seconds / 1e6, 2)}
    told |= {"documents": manifest.counts.read, "curated": manifest.counts.curated}
    told |= {"tokens": manifest.counts.total.tokens, "largest_shard_mb": max(shards) // 10**6}
    print(json.dumps({**told, "run_folder_of_input": round(whole / size, 2), "digest": manifest.digest}))


if __name__ == "__main__":
    main()
