"""Benchmark items planted in real documents in eight ways: recall, false positives, speed beside reading.

python benchmarks/decontamination.py --data ../shared/data --items 1000
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from pathlib import Path

import polars as pl
from opencc import OpenCC

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dedup.contamination_index import build_index
from dedup.decontamination import find_items, flagged_only
from pipelines.recipes import load_recipe
from schemas.benchmark import BenchmarkItem
from sources.benchmark_items import read_items
from sources.inputs import find_inputs
from sources.reading import read_frames

HERE = Path(__file__).resolve().parent
LETTERS = "ABCDEFGHIJ"


def options_text(options: list[str], marks: str = ". ", joint: str = "\n") -> str:
    return joint.join(f"{LETTERS[number % 10]}{marks}{option}" for number, option in enumerate(options))


def noisy(text: str, share: float, rng: random.Random) -> str:
    """Characters changed, lost or doubled as OCR does."""
    out = []
    for char in text:
        if rng.random() >= share or char == "\n":
            out.append(char)
        elif (kind := rng.random()) < 0.6:
            out.append(rng.choice("rnlI1oO0ceaui已己末未日曰人入") if char.isalnum() else char + ".")
        elif kind < 0.8:
            out.append(char + rng.choice("lI.'"))
    return "".join(out)


def planted(item: BenchmarkItem, way: str, rng: random.Random) -> str:
    """The item as it would stand in a document."""
    options = list(item.options)
    if way == "whole":
        return f"{item.question}\n{options_text(options)}"
    if way == "without options":
        return item.question
    if way == "options shuffled":
        rng.shuffle(options)
        return f"{item.question}\n{options_text(options)}"
    if way == "running text":
        return f"As was asked: {item.question.strip()} The choices given were {options_text(options, ') ', '; ')}, and so on."
    if way == "page break":
        words = item.question.split(" ") if " " in item.question[:40] else list(item.question)
        joint = " " if " " in item.question[:40] else ""
        middle = len(words) // 2
        return f"{joint.join(words[:middle])}\n\n{rng.randint(2, 400)}\n\nReview of internal medicine, volume 3\n\n{joint.join(words[middle:])}\n{options_text(options)}"
    if way == "options reworded":
        told = [f"the {one[:1].lower()}{one[1:]} in most cases" if one.isascii() else f"多为{one}者" for one in options]
        return f"{item.question}\n{options_text(told)}"
    if way == "traditional characters":
        return OpenCC("s2t").convert(f"{item.question}\n{options_text(options)}")
    return noisy(f"{item.question}\n{options_text(options)}", 0.02, rng)


WAYS = {
    "whole": 0.99,
    "without options": 0.99,
    "options shuffled": 0.99,
    "running text": 0.99,
    "options reworded": 0.99,
    "traditional characters": 0.99,
    "page break": 0.90,
    "OCR noise of 2%": 0.90,
}


def main() -> None:
    """Print recall by way, false positives and speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    root = arguments.data.resolve()
    recipe = load_recipe(HERE.parent / "recipes" / "medical.yaml")
    from pipelines.plan import _benchmark_files

    assert recipe.decontaminate
    items = [
        item for file in _benchmark_files(recipe, root) for item in read_items(file.source, Path(file.location), None)
    ]
    started = time.perf_counter()
    index = build_index(items, recipe.decontaminate.ngram)
    print(
        f"{len(items):,} items indexed in {time.perf_counter() - started:.1f} s; "
        f"{index.items['checkable'].sum():,} can be told at all"
    )
    reading, frames = 0.0, []
    for source in recipe.sources:
        if source.source_type not in ("literature", "textbook", "guideline", "dialogue"):
            continue
        for file in find_inputs(source, root):
            begin = time.perf_counter()
            read = [frame for frame, _ in read_frames(file, source)]
            reading += time.perf_counter() - begin
            frames += [frame for frame in read if frame.height]
    documents = pl.concat(frames)
    find_items(documents["id"][:2], documents["text"][:2], index)
    begin = time.perf_counter()
    hits = pl.concat(find_items(frame["id"], frame["text"], index) for frame in frames)
    seconds = time.perf_counter() - begin
    found = hits.filter(~flagged_only(hits))
    size = documents["text"].str.len_bytes().sum() / 1e6
    print(
        f"clean text: {found['id'].n_unique()} of {documents.height:,} documents marked "
        f"({found['id'].n_unique() / documents.height:.2%}), {hits['id'].n_unique()} with near-copies flagged; "
        f"{size:.0f} MB in {seconds:.1f} s, reading took {reading:.1f} s: {seconds / reading:.2f} times"
    )
    for row in found.head(arguments.show).iter_rows(named=True):
        item = next(one for one in items if one.id == row["item"] and one.benchmark == row["benchmark"])
        text = documents.filter(pl.col("id") == row["id"])["text"][0].encode()
        print(
            f"    {row['kind']} {row['overlap']:.2f} {item.question[:150]!r} {item.options[:4]} | {text[row['start'] : row['end']][:200].decode('utf8', 'ignore')!r}"
        )
    rng = random.Random(17)
    checkable = [number for number, known in enumerate(index.items["checkable"]) if known]
    chosen = rng.sample(checkable, arguments.items)
    texts = documents.filter(pl.col("text").str.len_chars().is_between(2000, 40000))["text"].to_list()
    for way, goal in WAYS.items():
        ids, carriers = [], []
        asked = chosen
        if way == "traditional characters":
            asked = [number for number in chosen if re.search(r"[\u3400-\u9fff]{4}", items[number].question)]
        for number in asked:
            carrier = texts[rng.randrange(len(texts))]
            lines = carrier.split("\n")
            at = rng.randrange(len(lines))
            lines.insert(at, planted(items[number], way, rng))
            carriers.append("\n".join(lines))
            ids.append(str(number))
        marked = find_items(pl.Series(ids), pl.Series(carriers), index)
        marked = marked.filter(~flagged_only(marked))
        keys = set(zip(marked["id"], marked["benchmark"], marked["item"], strict=True))
        right = [(str(number), items[number].benchmark, items[number].id) in keys for number in asked]
        any_hit = set(marked["id"])
        told = sum(str(number) in any_hit for number in asked)
        by = {}
        for number, good in zip(asked, right, strict=True):
            by.setdefault(items[number].benchmark, []).append(good)
        rates = ", ".join(f"{name} {sum(x)}/{len(x)}" for name, x in sorted(by.items()))
        print(
            f"{way:18} document marked {told / len(asked):6.1%}, the item itself {sum(right) / len(right):6.1%}, goal {goal:.0%}  ({rates})"
        )
        missed = [number for number in chosen if str(number) not in any_hit]
        for number in missed[: arguments.show]:
            print(
                f"      missed {items[number].benchmark}: {items[number].question[:120]!r} {items[number].options[:4]}"
            )


if __name__ == "__main__":
    main()
