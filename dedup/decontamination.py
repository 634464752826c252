"""Find benchmark items in documents: long overlaps by n-grams, whole items by their letters.

Two ways, each with its own stream of the text:

- *n-grams of units* (13, as GPT-3 and Llama 2 used; twice as many characters in unspaced
  scripts): any shared n-gram of a question marks the document, unless the n-gram stands in
  several different questions, as "which of the following is the most likely" does.
- *whole items*: the question's letters and digits without spaces, case or punctuation, found by
  a rolling hash at any place, so that lost spaces and line breaks do not hide it. A short
  question counts only with most of its options near it, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit, uint64

from dedup.minhash import word_folds
from kernels.characters import DIGIT, IDEOGRAPH, LETTER, TABLE_SIZE, character_classes, folded_characters
from kernels.columns import TextColumn
from kernels.segment import IS_WORD, _decode, _mix
from schemas.benchmark import BenchmarkItem

UNSPACED_STRETCH: Final = 2  # units of an unspaced script to one word
COMMON_NGRAM_ITEMS: Final = 3  # an n-gram of more different questions than this is exam boilerplate
LONG_ANCHOR: Final = 16  # letters whose rolling hash announces a question
SHORT_ANCHOR: Final = 6
ALONE_WEIGHT: Final = 48  # letters (an ideograph counts 3) from which a question counts without options
MOST_OPTIONS: Final = 0.6
WINDOW_LETTERS: Final = 400  # how far from its question an option may stand, beyond the item's length

_BASE = np.uint64(0x9E3779B97F4A7C15)

HITS: Final = {
    "id": pl.String(),
    "benchmark": pl.String(),
    "item": pl.String(),
    "kind": pl.String(),
    "overlap": pl.Float64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
}


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


@njit(cache=True)
def _letters(data, offsets, classes, folded):  # type: ignore[no-untyped-def]
    """Letters and digits of each text, folded and mixed, with the byte each starts at."""
    rows = offsets.size - 1
    mixed = np.empty(offsets[rows] - offsets[0], np.uint64)
    places = np.empty(offsets[rows] - offsets[0], np.int64)
    bounds = np.zeros(rows + 1, np.int64)
    count = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            code, width = _decode(data, at, end)
            if code < TABLE_SIZE:
                kind = classes[code]
                base = folded[code]
                if (kind == LETTER or kind == DIGIT or kind == IDEOGRAPH) and base != 0:
                    mixed[count] = _mix(uint64(base) + uint64(_BASE))
                    places[count] = at
                    count += 1
            at += width
        bounds[row + 1] = count
    return mixed[:count], places[:count], bounds


@njit(cache=True)
def _prefixes(values):  # type: ignore[no-untyped-def]
    """Polynomial prefix hashes modulo 2^64, and the powers of the base; shapes (values + 1,)."""
    prefix = np.zeros(values.size + 1, np.uint64)
    powers = np.ones(values.size + 1, np.uint64)
    for index in range(values.size):
        prefix[index + 1] = prefix[index] * uint64(_BASE) + values[index]
        powers[index + 1] = powers[index] * uint64(_BASE)
    return prefix, powers


@njit(cache=True, inline="always")
def _span_hash(prefix, powers, start, end):  # type: ignore[no-untyped-def]
    return prefix[end] - prefix[start] * powers[end - start]


@njit(cache=True)
def _find(prefix, powers, bounds, n, wanted, sieve):  # type: ignore[no-untyped-def]
    """Positions of every window of n values whose hash is in `wanted` (sorted): rows, starts, entries.

    `sieve` is a table of bytes by the low bits of the hash: nearly all windows end there.
    """
    rows, starts, entries = [np.int64(0)][:0], [np.int64(0)][:0], [np.int64(0)][:0]
    mask = uint64(sieve.size - 1)
    for row in range(bounds.size - 1):
        for start in range(bounds[row], bounds[row + 1] - n + 1):
            value = _span_hash(prefix, powers, start, start + n)
            spread = value ^ (value >> uint64(32))
            if sieve[np.int64(spread & mask)] == 0:
                continue
            at = np.searchsorted(wanted, value)
            while at < wanted.size and wanted[at] == value:
                rows.append(np.int64(row))
                starts.append(np.int64(start))
                entries.append(np.int64(at))
                at += 1
    return rows, starts, entries


@njit(cache=True)
def _verify(  # type: ignore[no-untyped-def]
    prefix, powers, bounds, rows, ends, items, questions, lengths, options, option_lengths, option_bounds, window
):
    """For each anchor: whether the whole question ends there, and how many of its options stand near."""
    whole = np.zeros(len(rows), np.bool_)
    found = np.zeros(len(rows), np.int64)
    first_place = np.zeros(len(rows), np.int64)
    last_place = np.zeros(len(rows), np.int64)
    for index in range(len(rows)):
        row, end, item = rows[index], ends[index], items[index]
        start = end - lengths[item]
        if start < bounds[row] or _span_hash(prefix, powers, start, end) != questions[item]:
            continue
        whole[index] = True
        first_place[index], last_place[index] = start, end
        reach = window
        for option in range(option_bounds[item], option_bounds[item + 1]):
            reach += 2 * option_lengths[option]
        low, high = max(bounds[row], start - reach), min(bounds[row + 1], end + reach)
        for option in range(option_bounds[item], option_bounds[item + 1]):
            size = option_lengths[option]
            if size == 0:
                continue
            nearest = np.int64(-1)
            for place in range(low, high - size + 1):
                if place + size > start and place < end:
                    continue
                if _span_hash(prefix, powers, place, place + size) == options[option]:
                    if nearest < 0 or abs(place - end) < abs(nearest - end):
                        nearest = np.int64(place)
            if nearest >= 0:
                found[index] += 1
                first_place[index] = min(first_place[index], nearest)
                last_place[index] = max(last_place[index], nearest + size)
    return whole, found, first_place, last_place


def _sieve(wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    bits = max(16, int(np.ceil(np.log2(max(len(wanted), 1)))) + 4)
    sieve = np.zeros(1 << bits, np.uint8)
    spread = wanted ^ (wanted >> np.uint64(32))
    sieve[(spread & np.uint64(len(sieve) - 1)).astype(np.int64)] = 1
    return sieve


def _whole_hashes(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], Any]:
    column = TextColumn(pl.Series("text", texts, dtype=pl.String))
    mixed, _, bounds = _letters(column.data, column.offsets, character_classes(), folded_characters())
    prefix, powers = _prefixes(mixed)
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
    unit_prefix, unit_powers = _prefixes(folds)

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
        grams[n] = _without_common(parts, owners, column, bounds)

    hashes, lengths, (prefix, powers, letter_bounds) = _whole_hashes(questions)
    ends = letter_bounds[1:]
    anchors = {}
    for size, chosen in (
        (LONG_ANCHOR, lengths >= LONG_ANCHOR),
        (SHORT_ANCHOR, (lengths >= SHORT_ANCHOR) & (lengths < LONG_ANCHOR)),
    ):
        owner = np.flatnonzero(chosen)
        values = prefix[ends[owner]] - prefix[ends[owner] - size] * powers[size]
        order = np.lexsort((owner, values))
        anchors[size] = (values[order], owner[order])

    options = [option for item in listed for option in item.options]
    option_hashes, option_lengths, _ = _whole_hashes(options)
    counts = np.array([len(item.options) for item in listed], dtype=np.int64)
    weights = lengths + 2 * np.where(unspaced, lengths, 0)
    table = pl.DataFrame(
        {
            "benchmark": [item.benchmark for item in listed],
            "item": [item.id for item in listed],
            "grams": gram_counts,
            "alone": weights >= ALONE_WEIGHT,
            "options": counts,
            "checkable": lengths >= SHORT_ANCHOR,
        },
        schema_overrides={"benchmark": pl.String, "item": pl.String},
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
    )


def _without_common(parts: list[Any], owners: list[Any], column: TextColumn, bounds: Any) -> tuple[Any, Any]:
    """n-gram hashes and their items, sorted, without those of many different questions."""
    if not parts:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    values, owner = np.concatenate(parts), np.concatenate(owners).astype(np.int64)
    order = np.lexsort((owner, values))
    values, owner = values[order], owner[order]
    _distinct, _first, count = np.unique(values, return_index=True, return_counts=True)
    keep = np.repeat(count <= COMMON_NGRAM_ITEMS, count)
    return values[keep], owner[keep]


def find_items(ids: pl.Series, text: pl.Series, index: ContaminationIndex) -> pl.DataFrame:
    """Every (document, item) that overlaps, with kind, share of overlap and bytes of the text.

    `overlap` is the share of the question's n-grams found (`ngram`), or of its options (`item`).
    Columns are those of `HITS`, sorted; start and end are byte offsets into the document's UTF-8.
    """
    if text.is_empty() or index.items.is_empty():
        return pl.DataFrame(schema=HITS)
    column = TextColumn(text)
    hits = pl.concat([_gram_hits(column, index), _item_hits(column, index)])
    origins = pl.Series(column.offsets[:-1])
    return (
        hits.with_columns(
            id=ids.gather(hits["row"]),
            start=pl.col("start") - origins.gather(hits["row"]),
            end=pl.col("end") - origins.gather(hits["row"]),
            benchmark=index.items["benchmark"].gather(hits["number"]),
            item=index.items["item"].gather(hits["number"]),
        )
        .select(list(HITS))
        .cast(HITS)  # type: ignore[arg-type]
        .sort("id", "benchmark", "item", "kind", "start")
    )


RAW_HITS: Final = {
    "row": pl.Int64(),
    "number": pl.Int64(),
    "kind": pl.String(),
    "overlap": pl.Float64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
}


def _gram_hits(column: TextColumn, index: ContaminationIndex) -> pl.DataFrame:
    folds, bounds = word_folds(column)
    prefix, powers = _prefixes(folds)
    is_word = (column.units.flags & IS_WORD) != 0
    starts_of, ends_of = column.units.starts[is_word], column.units.ends[is_word]
    frames = [pl.DataFrame(schema=RAW_HITS)]
    for n, (values, owners) in index.grams.items():
        if not len(values):
            continue
        rows, starts, entries = _find(prefix, powers, bounds, n, values, _sieve(values))
        if not rows:
            continue
        at = np.array(starts)
        found = pl.DataFrame(
            {
                "row": np.array(rows),
                "number": owners[np.array(entries)],
                "gram": values[np.array(entries)],
                "start": starts_of[at],
                "end": ends_of[at + n - 1],
            }
        )
        totals = index.items["grams"]
        grouped = found.group_by("row", "number").agg(
            pl.col("gram").n_unique().alias("found"), pl.col("start").min(), pl.col("end").max()
        )
        frames.append(
            grouped.select(
                "row",
                "number",
                kind=pl.lit("ngram"),
                overlap=(pl.col("found") / totals.gather(grouped["number"])).clip(upper_bound=1.0),
                start="start",
                end="end",
            ).cast(RAW_HITS)  # type: ignore[arg-type]
        )
    return pl.concat(frames)


def _item_hits(column: TextColumn, index: ContaminationIndex) -> pl.DataFrame:
    mixed, places, bounds = _letters(column.data, column.offsets, character_classes(), folded_characters())
    prefix, powers = _prefixes(mixed)
    frames = [pl.DataFrame(schema=RAW_HITS)]
    for size, (values, owners) in index.anchors.items():
        if not len(values):
            continue
        rows, starts, entries = _find(prefix, powers, bounds, size, values, _sieve(values))
        if not rows:
            continue
        row, end, number = np.array(rows), np.array(starts) + size, owners[np.array(entries)]
        whole, found, first, last = _verify(
            prefix,
            powers,
            bounds,
            row,
            end,
            number,
            index.questions,
            index.question_lengths,
            index.options,
            index.option_lengths,
            index.option_bounds,
            WINDOW_LETTERS,
        )
        options = index.items["options"].to_numpy()[number]
        alone = index.items["alone"].to_numpy()[number]
        with_options = (options > 0) & (found >= np.ceil(MOST_OPTIONS * options))
        hit = whole & (alone | with_options)
        overlap = np.where(options > 0, found / np.maximum(options, 1), 1.0)
        frames.append(
            pl.DataFrame(
                {
                    "row": row[hit],
                    "number": number[hit],
                    "kind": pl.Series(np.where(with_options[hit], "item", "question"), dtype=pl.String),
                    "overlap": overlap[hit],
                    "start": places[first[hit]],
                    "end": places[last[hit] - 1] + 1,
                },
                schema=RAW_HITS,
            )
        )
    return pl.concat(frames).unique()


SENTENCE_END: Final = "[。！？!?\n]|\\.(?=\\s)"


def cut_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without the sentences that the byte spans touch."""
    import re

    data = text.encode()
    pieces, position = [], 0
    marks = [0, *(len(text[: m.end()].encode()) for m in re.finditer(SENTENCE_END, text)), len(data)]
    for start, end in sorted(spans):
        low = max(mark for mark in marks if mark <= start)
        high = min(mark for mark in marks if mark >= min(end, len(data)))
        pieces.append(data[position : max(position, low)])
        position = max(position, high)
    pieces.append(data[position:])
    return b"".join(pieces).decode("utf-8", "ignore").strip()


def save_index(index: ContaminationIndex, path: Path) -> None:
    """Write the index as one `.npz` file beside its table of items."""
    arrays: dict[str, Any] = {
        "questions": index.questions,
        "question_lengths": index.question_lengths,
        "options": index.options,
        "option_lengths": index.option_lengths,
        "option_bounds": index.option_bounds,
    }
    for kind, tables in (("grams", index.grams), ("anchors", index.anchors)):
        for size, (values, owners) in tables.items():
            arrays[f"{kind}_{size}_values"], arrays[f"{kind}_{size}_owners"] = values, owners
    with path.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **arrays)
    index.items.write_parquet(path.with_suffix(".items.parquet"))


def load_index(path: Path) -> ContaminationIndex:
    """Read an index written by `save_index`."""
    with np.load(path, allow_pickle=False) as arrays:
        tables: dict[str, dict[int, Any]] = {"grams": {}, "anchors": {}}
        for name in arrays.files:
            kind, _, rest = name.partition("_")
            if kind in tables and rest.endswith("_values"):
                size = rest.removesuffix("_values")
                tables[kind][int(size)] = (arrays[name], arrays[f"{kind}_{size}_owners"])
        return ContaminationIndex(
            items=pl.read_parquet(path.with_suffix(".items.parquet")),
            grams=tables["grams"],
            anchors=tables["anchors"],
            questions=arrays["questions"],
            question_lengths=arrays["question_lengths"],
            options=arrays["options"],
            option_lengths=arrays["option_lengths"],
            option_bounds=arrays["option_bounds"],
        )
