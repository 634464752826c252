"""The index of benchmark items: hashes of their n-grams, questions and options, built once a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dedup.minhash import word_folds
from dedup.near_items import Arrays, shingle_index
from dedup.rolling import letters_of, prefix_hashes, sieve_of
from schemas.benchmark import BenchmarkItem
from storage.columnar import read_parquet, write_parquet
from storage.places import Place
from storage.publishing import published
from textcolumns.characters import character_classes, folded_characters
from textcolumns.columns import TextColumn

UNSPACED_STRETCH: Final = 2  # units of an unspaced script to one word
COMMON_NGRAM_ITEMS: Final = 3  # an n-gram of more different questions than this is exam boilerplate
LONG_ANCHOR: Final = 16  # letters whose rolling hash announces a question
SHORT_ANCHOR: Final = 6
ALONE_WEIGHT: Final = 48  # letters (an ideograph counts 3) from which a question counts without options
SENTENCE_WEIGHT: Final = 12  # the same, where the question is a line or sentence of its own


@dataclass(frozen=True)
class ContaminationIndex:
    """Hashes of all items, sorted for binary search; `items` names them by number.

    `grams[n]` is the sorted n-gram hashes and the item of each; `anchors[length]` the sorted
    anchor hashes and the item of each; `questions` the letters' hash and length of each item;
    `options` the hash and length of every option, item i owning `option_bounds[i:i + 2]`.
    """

    items: pl.DataFrame
    grams: dict[int, tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]
    anchors: dict[int, tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]]
    questions: npt.NDArray[np.uint64]
    question_lengths: npt.NDArray[np.int64]
    options: npt.NDArray[np.uint64]
    option_lengths: npt.NDArray[np.int64]
    option_bounds: npt.NDArray[np.int64]
    shingles: Arrays

    @cached_property
    def sieves(self) -> dict[tuple[str, int], npt.NDArray[np.uint8]]:
        """Sieves of `grams` and `anchors` by kind and size, made once a process and not once a batch."""
        tables = (("grams", self.grams), ("anchors", self.anchors))
        return {(kind, size): sieve_of(values) for kind, of in tables for size, (values, _) in of.items()}


def whole_hashes(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], Any]:
    column = TextColumn(pl.Series("text", texts, dtype=pl.String))
    mixed, _, bounds = letters_of(column.data, column.offsets, character_classes(), folded_characters())
    prefix, powers = prefix_hashes(mixed)
    lengths = bounds[1:] - bounds[:-1]
    hashes = prefix[bounds[1:]] - prefix[bounds[:-1]] * powers[lengths]
    return hashes, lengths, (prefix, powers, bounds)


def build_index(items: Iterable[BenchmarkItem], ngram: int = 13) -> ContaminationIndex:
    """The index over all items of all benchmarks."""
    listed = list(items)
    questions = [item.question for item in listed]
    column = TextColumn(pl.Series("text", questions, dtype=pl.String))
    unspaced = column.ideograph_share > 0.3
    folds, bounds = word_folds(column)
    unit_prefix, unit_powers = prefix_hashes(folds)

    grams = {}
    gram_counts = np.zeros(len(listed), np.int64)
    for n, of_script in ((ngram, ~unspaced), (ngram * UNSPACED_STRETCH, unspaced)):
        parts, owners = [], []
        for index in np.flatnonzero(of_script):
            starts = np.arange(bounds[index], max(bounds[index], bounds[index + 1] - n + 1))
            if len(starts):
                hashes = unit_prefix[starts + n] - unit_prefix[starts] * unit_powers[n]
                parts.append(np.unique(hashes))
                owners.append(np.full(len(parts[-1]), index))
                gram_counts[index] = len(parts[-1])
        grams[n] = _without_common(parts, owners)

    hashes, lengths, (prefix, powers, letter_bounds) = whole_hashes(questions)
    ends = letter_bounds[1:]
    anchors = {}
    for size, chosen in (
        (LONG_ANCHOR, lengths >= LONG_ANCHOR),
        (SHORT_ANCHOR, (lengths >= SHORT_ANCHOR) & (lengths < LONG_ANCHOR)),
    ):
        owner = np.flatnonzero(chosen)
        power = powers[size] if len(owner) else np.uint64(0)  # all questions together may have fewer letters
        values = prefix[ends[owner]] - prefix[ends[owner] - size] * power
        order = np.lexsort((owner, values))
        anchors[size] = (values[order], owner[order])

    options = [option for item in listed for option in item.options]
    option_hashes, option_lengths, _ = whole_hashes(options)
    counts = np.array([len(item.options) for item in listed], dtype=np.int64)
    weights = lengths + 2 * np.where(unspaced, lengths, 0)
    table = pl.DataFrame(
        {
            "benchmark": [item.benchmark for item in listed],
            "item": [item.id for item in listed],
            "grams": gram_counts,
            "alone": weights >= ALONE_WEIGHT,
            # Asked of several items ("Which is true?") it tells none of them.
            "sentence": (weights >= SENTENCE_WEIGHT)
            & (pl.DataFrame({"h": hashes}).select(pl.len().over("h") <= 2).to_series().to_numpy()),
            "options": counts,
            "weight": weights,
            "checkable": lengths >= SHORT_ANCHOR,
            "question": questions,
        },
        schema_overrides={"benchmark": pl.String, "item": pl.String, "question": pl.String},
    )
    return ContaminationIndex(
        items=table,
        grams=grams,
        anchors=anchors,
        questions=hashes,
        question_lengths=lengths,
        options=option_hashes,
        option_lengths=option_lengths,
        option_bounds=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))),
        shingles=shingle_index(listed, unspaced),
    )


def _without_common(parts: list[Any], owners: list[Any]) -> tuple[Any, Any]:
    """n-gram hashes and their items, sorted, without those of many different questions."""
    if not parts:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    values, owner = np.concatenate(parts), np.concatenate(owners).astype(np.int64)
    order = np.lexsort((owner, values))
    values, owner = values[order], owner[order]
    _distinct, _first, count = np.unique(values, return_index=True, return_counts=True)
    keep = np.repeat(count <= COMMON_NGRAM_ITEMS, count)
    return values[keep], owner[keep]


def save_index(index: ContaminationIndex, path: Place) -> None:
    """Write the index as one `.npz` file beside its table of items."""
    arrays: dict[str, Any] = {
        "questions": index.questions,
        "question_lengths": index.question_lengths,
        "options": index.options,
        "option_lengths": index.option_lengths,
        "option_bounds": index.option_bounds,
    }
    arrays |= {f"shingles_{name}": array for name, array in index.shingles.items()}
    for kind, tables in (("grams", index.grams), ("anchors", index.anchors)):
        for size, (values, owners) in tables.items():
            arrays[f"{kind}_{size}_values"], arrays[f"{kind}_{size}_owners"] = values, owners
    with published(path) as attempt, attempt.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **arrays)
    write_parquet(path.with_suffix(".items.parquet"), index.items)


def load_index(path: Place) -> ContaminationIndex:
    """Read an index written by `save_index`."""
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
        tables: dict[str, dict[int, Any]] = {"grams": {}, "anchors": {}}
        for name in arrays.files:
            kind, _, rest = name.partition("_")
            if kind in tables and rest.endswith("_values"):
                size = rest.removesuffix("_values")
                tables[kind][int(size)] = (arrays[name], arrays[f"{kind}_{size}_owners"])
        return ContaminationIndex(
            items=read_parquet(path.with_suffix(".items.parquet")),
            grams=tables["grams"],
            anchors=tables["anchors"],
            questions=arrays["questions"],
            question_lengths=arrays["question_lengths"],
            options=arrays["options"],
            option_lengths=arrays["option_lengths"],
            option_bounds=arrays["option_bounds"],
            shingles={
                name.removeprefix("shingles_"): arrays[name] for name in arrays.files if name.startswith("shingles_")
            },
        )
