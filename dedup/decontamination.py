"""Find benchmark items in documents: long overlaps by n-grams, whole items by their letters.

Three ways, the last in `dedup.near_items`:

- *n-grams of units* (13, as GPT-3 and Llama 2 used; twice as many characters in unspaced
  scripts): any shared n-gram of a question marks the document, unless the n-gram stands in
  several different questions, as "which of the following is the most likely" does.
- *with noise*: letters' shingles of question and options, most of them in a window of its length.
- *whole items*: the question's letters and digits without spaces, case or punctuation, found by
  a rolling hash at any place, so that lost spaces and line breaks do not hide it. A short
  question counts only with most of its options near it, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numba import njit

from dedup.contamination_index import ContaminationIndex
from dedup.minhash import word_folds
from dedup.near_items import RAW as RAW_HITS
from dedup.near_items import near_hits, text_around
from dedup.rolling import find_spans, letters_of, prefix_hashes, span_hash
from textcolumns.characters import character_classes, folded_characters
from textcolumns.columns import TextColumn
from textcolumns.segment import IS_WORD

MOST_OPTIONS: Final = 0.6
WINDOW_LETTERS: Final = 400  # how far from its question an option may stand, beyond the item's length

NOTED: Final = "near-copy"
# Of a question's n-grams: who holds fewer holds a rule or a passage that the question quotes, not the question.
BARE: Final = "bare"  # a short question alone, until it is known what stands beside it
MOST_QUOTED: Final = 0.5
LINE_WEIGHT: Final = 24  # letters (an ideograph counts 3) from which a question on a line of its own is one
BESIDE: Final = 3000  # bytes within which a second item stands beside a short question

HITS: Final = {
    "id": pl.String(),
    "benchmark": pl.String(),
    "item": pl.String(),
    "kind": pl.String(),
    "overlap": pl.Float64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
}


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
        if start < bounds[row] or span_hash(prefix, powers, start, end) != questions[item]:
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
                if span_hash(prefix, powers, place, place + size) == options[option]:
                    if nearest < 0 or abs(place - end) < abs(nearest - end):
                        nearest = np.int64(place)
            if nearest >= 0:
                found[index] += 1
                first_place[index] = min(first_place[index], nearest)
                last_place[index] = max(last_place[index], nearest + size)
    return whole, found, first_place, last_place


def find_items(ids: pl.Series, text: pl.Series, index: ContaminationIndex) -> pl.DataFrame:
    """Every (document, item) that overlaps, with kind, share of overlap and bytes of the text.

    `overlap` is the share of the question's n-grams found (`ngram`), or of its options (`item`).
    Columns are those of `HITS`, sorted; start and end are byte offsets into the document's UTF-8.
    """
    if text.is_empty() or index.items.is_empty():
        return pl.DataFrame(schema=HITS)
    column = TextColumn(text)
    mixed, places, bounds = letters_of(column.data, column.offsets, character_classes(), folded_characters())
    letters = (mixed, places, bounds, *prefix_hashes(mixed))
    items = _item_hits(column, letters, index)
    near = near_hits(letters, index.shingles, index.items["question"].to_list(), column)
    # A short question that is only noted is not told again by its own letters.
    noted = items.filter(pl.col("kind") == NOTED).select("row", "number").unique()
    near = near.join(noted, on=["row", "number"], how="anti")
    hits = pl.concat([_gram_hits(column, index), items, near])
    # What is told in a stronger way need not be noted as a near-copy as well.
    told = hits.filter(pl.col("kind") != NOTED).select("row", "number").unique()
    hits = pl.concat(
        [
            hits.filter(pl.col("kind") != NOTED),
            hits.filter(pl.col("kind") == NOTED).join(told, on=["row", "number"], how="anti"),
        ]
    )
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


def flagged_only(hits: pl.DataFrame) -> pl.Series:
    """Which hits are only noted: near-copies, for which nothing is dropped."""
    return hits["kind"] == NOTED


def _gram_hits(column: TextColumn, index: ContaminationIndex) -> pl.DataFrame:
    folds, bounds = word_folds(column)
    prefix, powers = prefix_hashes(folds)
    is_word = (column.units.flags & IS_WORD) != 0
    starts_of, ends_of = column.units.starts[is_word], column.units.ends[is_word]
    frames = [pl.DataFrame(schema=RAW_HITS)]
    for n, (values, owners) in index.grams.items():
        if not len(values):
            continue
        rows, starts, entries = find_spans(prefix, powers, bounds, n, values, index.sieves["grams", n])
        if not len(rows):
            continue
        found = pl.DataFrame(
            {
                "row": rows,
                "number": owners[entries],
                "gram": values[entries],
                "start": starts_of[starts] + column.offsets[rows],
                "end": ends_of[starts + n - 1] + column.offsets[rows],
            }
        )
        totals = index.items["grams"]
        grouped = found.group_by("row", "number").agg(
            pl.col("gram").n_unique().alias("found"), pl.col("start").min(), pl.col("end").max()
        )
        overlap = (pl.col("found") / totals.gather(grouped["number"])).clip(upper_bound=1.0)
        frames.append(
            grouped.select(
                "row",
                "number",
                kind=pl.when(overlap < MOST_QUOTED).then(pl.lit(NOTED)).otherwise(pl.lit("ngram")),
                overlap=overlap,
                start="start",
                end="end",
            ).cast(RAW_HITS)  # type: ignore[arg-type]
        )
    return pl.concat(frames)


# What may stand around a question that is a sentence of its own.
OPENS: Final = re.compile(r"(?:^|[\n。！？!?.:：;；>*#|)）\]】0-9、])[\s\"“'‘(（【\[_*]*$")
CLOSES: Final = re.compile(r"^[\s\"”'’)）】\]_*]*(?:$|[\n。！？!?.:：;；(（_…—])")
AROUND: Final = 24  # bytes looked at on each side


def _stands_alone(column: TextColumn, row: int, start: int, end: int) -> bool:
    """Whether the bytes `start:end` of all texts are a line or sentence of their own in text `row`."""
    before, after = text_around(column, row, start, end, AROUND)
    return OPENS.search(before) is not None and CLOSES.match(after) is not None


def _is_heading(column: TextColumn, row: int, start: int) -> bool:
    """Whether the bytes before `start` of text `row` open a heading."""
    before, _ = text_around(column, row, start, start, AROUND)
    return re.search(r"(?:^|\n)#{1,6}\s[^\n]*$", before) is not None


def _item_hits(column: TextColumn, letters: tuple[Any, Any, Any, Any, Any], index: ContaminationIndex) -> pl.DataFrame:
    _, places, bounds, prefix, powers = letters
    frames = [pl.DataFrame(schema=RAW_HITS)]
    for size, (values, owners) in index.anchors.items():
        if not len(values):
            continue
        rows, starts, entries = find_spans(prefix, powers, bounds, size, values, index.sieves["anchors", size])
        if not len(rows):
            continue
        row, end, number = rows, starts + size, owners[entries]
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
        first_byte, end_byte = places[first], places[last - 1] + 1
        sentence = index.items["sentence"].to_numpy()[number] & whole & ~alone & ~with_options
        for at in np.flatnonzero(sentence):
            begins = places[end[at] - index.question_lengths[number[at]]]
            sentence[at] = _stands_alone(column, row[at], int(begins), int(places[end[at] - 1] + 1))
        hit = whole & (alone | with_options | sentence)
        # A heading may ask a question, and any text a short one: without an option they tell nothing by themselves.
        bare = sentence & (options > 0) & (found == 0)
        for at in np.flatnonzero(bare):
            lengthy = index.items["weight"][int(number[at])] >= LINE_WEIGHT
            begins = int(places[end[at] - index.question_lengths[number[at]]])
            bare[at] = not lengthy or _is_heading(column, row[at], begins)
        overlap = np.where(options > 0, found / np.maximum(options, 1), 1.0)
        frames.append(
            pl.DataFrame(
                {
                    "row": row[hit],
                    "number": number[hit],
                    "kind": pl.Series(
                        np.where(with_options[hit], "item", np.where(bare[hit], BARE, "question")), dtype=pl.String
                    ),
                    "overlap": overlap[hit],
                    "start": first_byte[hit],
                    "end": end_byte[hit],
                },
                schema=RAW_HITS,
            )
        )
    return _confirmed(pl.concat(frames).unique())


def _confirmed(hits: pl.DataFrame) -> pl.DataFrame:
    """Short questions without their options count where a second item stands beside them; else they are noted."""
    bare = hits.filter(pl.col("kind") == BARE)
    if bare.is_empty():
        return hits
    pairs = bare.join(hits, on="row", suffix="_other").filter(
        (pl.col("number") != pl.col("number_other")) & ((pl.col("start") - pl.col("start_other")).abs() <= BESIDE)
    )
    beside = pairs.select("row", "number").unique().with_columns(beside=True)
    told = hits.join(beside, on=["row", "number"], how="left", maintain_order="left")
    kind = (
        pl.when(pl.col("kind") != BARE)
        .then("kind")
        .when(pl.col("beside"))
        .then(pl.lit("question"))
        .otherwise(pl.lit(NOTED))
    )
    return told.with_columns(kind=kind).drop("beside")


# Every character of white space in UTF-8; no part of another character looks like one.
_SPACES: Final = b"|".join(re.escape(chr(n).encode()) for n in range(0x3001) if chr(n).isspace())
SENTENCE_END: Final = re.compile("。|！|？|[!?\n]".encode() + rb"|\.(?=" + _SPACES + rb")")


def cut_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without the sentences that the byte spans touch; the cost is that of both, not their product."""
    data = text.encode()
    marks = (match.end() for match in SENTENCE_END.finditer(data))
    pieces, kept, low, high = [], 0, 0, next(marks, len(data))
    for start, end in sorted(spans):
        while high <= start and high < len(data):
            low, high = high, next(marks, len(data))
        pieces.append(data[kept : max(kept, low)])
        while high < min(end, len(data)):
            high = next(marks, len(data))
        kept = max(kept, high)
    pieces.append(data[kept:])
    return b"".join(pieces).decode("utf-8", "ignore").strip()
