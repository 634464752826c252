"""Tokenizing beside `tokenizers` on the same texts, one thread each, ids compared; and learning a vocabulary.

    python benchmarks/tokens.py RUN [--vocabularies 32000 150000]

RUN is a finished run: its curated texts are encoded, English and Chinese apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl

from tokenization.tokenizer import END_OF_TEXT, TextTokenizer
from tokenization.training import SPLIT, train_tokenizer

ROUNDS = 3


def seconds_of(call, *arguments):  # type: ignore[no-untyped-def]
    """Best of some rounds, and the last result."""
    best, found = float("inf"), None
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        found = call(*arguments)
        best = min(best, time.perf_counter() - begun)
    return best, found


def learned_by_tokenizers(texts: list[str], size: int) -> float:
    """Seconds that the trainer of `tokenizers` takes for the same pattern and size."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    begun = time.perf_counter()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [texts], trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    return time.perf_counter() - begun


def main() -> None:
    """Print megabytes a second of both, their ratio, and how many texts have other ids."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[32_000, 150_000])
    arguments = parser.parse_args()
    frame = pl.concat(
        pl.read_parquet(file, columns=["text", "language"])
        for file in sorted((arguments.run / "curated").glob("*.parquet"))
    )
    everything = frame["text"].to_list()
    for size in arguments.vocabularies:
        begun = time.perf_counter()
        tokenizer = train_tokenizer(iter([everything]), size)
        ours = time.perf_counter() - begun
        theirs = learned_by_tokenizers(everything, size)
        print(
            f"vocabulary {tokenizer.get_vocab_size():,}: learned in {ours:.1f} s, by tokenizers in {theirs:.1f} s, {theirs / ours:.1f} times"
        )
        loaded = TextTokenizer(tokenizer, END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))
        for language in ("en", "zh"):
            texts = frame.filter(pl.col("language") == language)["text"].to_list()
            megabytes = sum(len(text.encode()) for text in texts) / 1e6
            quick, found = seconds_of(loaded.encode_documents, texts)
            slow, right = seconds_of(loaded._slowly, texts)
            other = sum(list(one[:-1]) != two for one, two in zip(found, right, strict=True))
            print(
                f"  {language}, {megabytes:.1f} MB: {loaded.backend[0]} {megabytes / quick:.1f} MB/s, "
                f"tokenizers {megabytes / slow:.2f} MB/s, {slow / quick:.1f} times; other ids in {other} of {len(texts):,}"
            )


if __name__ == "__main__":
    main()
