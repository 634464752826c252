"""MinHash beside datasketch on real texts: speed on one core, bias and spread of the estimate, the banding curve.

    python benchmarks/minhash.py --data ../shared/data

Pairs are real documents of both languages and versions of them with a share of their words replaced
by words of other documents, so that every similarity occurs; the truth is the exact Jaccard of
their shingles.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import itertools

from benchmarks.curation import base_documents
from dedup.minhash import MinHashConfig, band_hashes, jaccard_estimate, signatures, word_folds
from textcolumns.columns import TextColumn

WORDS = 250  # words (characters) of each text that is compared


def pieces(text: str, chinese: bool) -> list[str]:
    """Words, or characters of Chinese, of the head of a text."""
    found = [char for char in text if not char.isspace()] if chinese else text.split()
    return found[: WORDS * (2 if chinese else 1)]


def make_pairs(data: Path, count: int, seed: int) -> tuple[list[str], list[str], list[bool]]:
    """Texts, their changed versions, and which are Chinese."""
    rng = np.random.default_rng(seed)
    by_language: dict[str, list[str]] = {"zh": [], "en": []}
    for language, text in base_documents(data):
        if len(text) > 1500 and (language == "en" or sum("\u4e00" <= char <= "\u9fff" for char in text[:500]) > 250):
            by_language[language].append(text)
    left, right, is_chinese = [], [], []
    for number in range(count):
        chinese = number % 2 == 0
        texts = by_language["zh" if chinese else "en"]
        text = texts[rng.integers(len(texts))]
        start = int(rng.integers(0, max(1, len(text) - 4000)))
        words = pieces(text[start:], chinese)
        other = pieces(texts[rng.integers(len(texts))], chinese)
        share = rng.random() ** 2 * 0.35
        changed = [other[rng.integers(len(other))] if rng.random() < share else word for word in words]
        joint = "" if chinese else " "
        left.append(joint.join(words))
        right.append(joint.join(changed))
        is_chinese.append(chinese)
    return left, right, is_chinese


def shingle_sets(texts: list[str], ngram: int) -> list[set[tuple[int, ...]]]:
    """Exact shingles of each text, over the same folded units as the signatures."""
    folds, bounds = word_folds(TextColumn(pl.Series(texts)))
    values = folds.tolist()
    return [
        {tuple(values[at : at + ngram]) for at in range(low, high - ngram + 1)}
        for low, high in itertools.pairwise(bounds)
    ]


def quality(data: Path, count: int) -> None:
    """Bias and spread of the estimate, and the share of pairs that become candidates by similarity."""
    left, right, chinese = make_pairs(data, count, 17)
    config = MinHashConfig()
    a, b = shingle_sets(left, config.ngram), shingle_sets(right, config.ngram)
    truth = np.array([len(x & y) / max(len(x | y), 1) for x, y in zip(a, b, strict=True)])
    signed = [signatures(TextColumn(pl.Series(texts)), config) for texts in (left, right)]
    error = jaccard_estimate(*signed) - truth
    expected = np.sqrt((truth * (1 - truth)).mean() / config.functions)
    print(
        f"{count:,} pairs: mean error {error.mean():+.5f} (standard error {error.std() / np.sqrt(count):.5f}); "
        f"root mean square {np.sqrt((error**2).mean()):.4f}, expected {expected:.4f}"
    )
    bands = [band_hashes(one, config) for one in signed]
    candidate = (bands[0] == bands[1]).any(axis=1)
    is_chinese = np.array(chinese)
    for name, of in (("zh", is_chinese), ("en", ~is_chinese)):
        print(f"{name}: similarity, pairs, found, expected 1-(1-s^{config.rows})^{config.bands}")
        worst = 0.0
        for low in np.arange(0.3, 1.0, 0.1):
            inside = of & (truth >= low) & (truth < low + 0.1)
            if inside.sum() < 30:
                continue
            s = truth[inside]
            wanted = (1 - (1 - s**config.rows) ** config.bands).mean()
            found = candidate[inside].mean()
            worst = max(worst, abs(found - wanted))
            print(f"  {low:.1f} to {low + 0.1:.1f}  {inside.sum():6,}  {found:6.1%}  {wanted:6.1%}")
        print(f"  largest difference {worst:.1%}")
        high = of & (truth >= 0.9)
        false = of & candidate & (truth < 0.6)
        print(
            f"  at 0.9 and above found {candidate[high].mean():.2%} of {high.sum():,}; "
            f"share of found pairs below 0.6: {false.sum() / max((of & candidate).sum(), 1):.1%}"
        )


def speed(data: Path, megabytes: float) -> None:
    """One core: our signatures of text, and datasketch over the same shingles."""
    from datasketch import MinHash

    texts, size = [], 0
    for _, text in base_documents(data):
        texts.append(text)
        size += len(text.encode())
        if size > megabytes * 1e6:
            break
    config = MinHashConfig()
    signatures(TextColumn(pl.Series(texts[:2])), config)
    column = TextColumn(pl.Series(texts))
    started = time.perf_counter()
    signatures(column, config)
    ours = time.perf_counter() - started
    folds, bounds = word_folds(column)
    values = folds.view(np.uint8).reshape(-1, 8)
    started = time.perf_counter()
    shingled = 0
    for low, high in itertools.pairwise(bounds):
        data_of = values[low:high].tobytes()
        shingles = [data_of[8 * at : 8 * (at + config.ngram)] for at in range(high - low - config.ngram + 1)]
        shingled += len(shingles)
        MinHash(num_perm=config.functions).update_batch(shingles)
    theirs = time.perf_counter() - started
    print(
        f"one core, {size / 1e6:.1f} MB, {shingled:,} shingles of {config.functions} functions: ours {ours:.2f} s "
        f"(segmentation of the text included), datasketch {theirs:.2f} s (shingles given): {theirs / ours:.1f} times"
    )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=10)
    arguments = parser.parse_args()
    speed(arguments.data, arguments.megabytes)
    quality(arguments.data, arguments.pairs)


if __name__ == "__main__":
    main()
