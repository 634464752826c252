"""Token shards: uncompressed Arrow IPC files, one row a document or conversation, in the order of a seeded hash.

A document's shard and its place in it follow from its id alone: a global shuffle without
coordination, and the same bytes whatever the engine, worker count or order of arrival. For the
same reason a document is found in a shard by halving, without an index beside it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.document import AUTHORITY_GRADES
from schemas.errors import CurateError
from storage.columnar import open_arrow, write_arrow
from storage.fingerprints import sha256_file
from storage.places import Place
from tokenization.sorted_rows import cuts

GRADES: Final = (*AUTHORITY_GRADES, "ungraded")
# A batch is what a stream of a shard holds at once: 64 MiB of ids at most, but for one longer row.
ROWS_A_BATCH: Final = 4096
TOKENS_A_BATCH: Final = 1 << 24
PROMPT_COLUMNS: Final = ("prompt", "verifier", "reference", "task")
# Columns of token ids, and by what name a manifest counts them.
TOKEN_COLUMNS: Final = {"input_ids": "tokens", "rejected_ids": "rejected_tokens"}


def _list_of(kind: pa.DataType) -> pa.DataType:
    return pa.large_list(pa.field("item", kind, nullable=False))


def shard_schema(kind: str) -> pa.Schema:
    """Columns of a shard.

    `source` and `authority` are what the trainer tells its losses by; `partition` is the number of
    the curated file that holds the document; `turns` of conversations says for each token which
    answer (from 1) it belongs to, 0 where it is not learned. Of prompts `input_ids` end where an answer
    begins; `prompt` is the question's text, `verifier` and `reference` (JSON) what judges answers. Of
    preferences `input_ids` are the question with the preferred answer, `rejected_ids` with the other, of which
    the first `prompt_tokens` are the question.
    """
    return pa.schema(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("input_ids", _list_of(pa.int32()), nullable=False),
            *_of_kind(kind),
            pa.field("source", pa.dictionary(pa.int16(), pa.string()), nullable=False),
            pa.field("authority", pa.dictionary(pa.int8(), pa.string()), nullable=False),
            pa.field("partition", pa.int32(), nullable=False),
        ]
    )


def _of_kind(kind: str) -> list[pa.Field]:
    """Columns that rows of one kind have beside those of all."""
    if kind == "conversations":
        return [pa.field("turns", _list_of(pa.int16()), nullable=False)]
    if kind == "prompts":
        asked = [pa.field(name, pa.string(), nullable=name in ("task",)) for name in PROMPT_COLUMNS]
        return [*asked, pa.field("difficulty", pa.int64())]
    if kind == "preferences":
        return [
            pa.field("rejected_ids", _list_of(pa.int32()), nullable=False),
            pa.field("prompt_tokens", pa.int32(), nullable=False),
            pa.field("aspect", pa.string(), nullable=False),
            pa.field("annotator", pa.string()),
            pa.field("strength", pa.float64()),
        ]
    return []


def lists_of(rows: Sequence[Any], kind: Any) -> pa.LargeListArray:
    """A column of lists of numbers, such as token ids; `kind` is their type in numpy."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    values = np.concatenate([np.asarray(one, dtype=kind) for one in rows]) if rows else np.zeros(0, kind)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def with_columns_of(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the columns of a schema that they lack, empty: a partition without prompts tells nothing of them."""
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows


def coded(codes: pa.ChunkedArray, names: Sequence[str], kind: pa.DataType) -> pa.DictionaryArray:
    """A dictionary column from codes; the dictionary holds all names, so that it is the same in every shard."""
    whole = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return pa.DictionaryArray.from_arrays(whole.cast(kind), pa.array(list(names), pa.string()))


def shuffle_keys(ids: pl.Series, seed: int) -> pl.Series:
    """64-bit order key of each document id: BLAKE2b keyed with the seed; shape (rows,)."""
    key = seed.to_bytes(8, "big")
    digests = [hashlib.blake2b(one.encode(), digest_size=8, key=key).digest() for one in ids]
    values = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
    return pl.Series("key", values, dtype=pl.UInt64)


def shuffle_key(one: str, seed: int) -> int:
    """The order key of one id."""
    return int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8, key=seed.to_bytes(8, "big")).digest(), "big")


def shard_numbers(keys: pl.Series, shards: int) -> pl.Series:
    """The shard of each key: contiguous ranges of the key space; shape (rows,)."""
    top = (keys.to_numpy() >> np.uint64(32)).astype(np.uint64)
    return pl.Series("shard", ((top * np.uint64(shards)) >> np.uint64(32)).astype(np.int64))


def shard_name(number: int, shards: int) -> str:
    """File name of a shard, `00000-of-00008.arrow`."""
    return f"{number:05d}-of-{shards:05d}.arrow"


def write_shard(path: Place, tables: Iterable[pa.Table], schema: pa.Schema) -> dict[str, int | str]:
    """Write tables (columns of `schema`), each one batch, as an uncompressed IPC file; what a manifest tells of it."""
    rows = 0
    tokens = dict.fromkeys((name for name in TOKEN_COLUMNS if name in schema.names), 0)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for table, after in itertools.pairwise(itertools.chain((one.cast(schema) for one in tables), [None])):
            rows += table.num_rows
            for name in tokens:
                tokens[name] += token_count(table, name)
            # Arrow rounds a batch's lists up to 8 bytes, with what stands behind them: the row after, since shards
            # were first written as slices of one table, and their bytes are to stay.
            whole = table if after is None else pa.concat_tables([table, after.slice(0, 1)])
            yield from whole.combine_chunks().slice(0, table.num_rows).to_batches()

    write_arrow(path, batches(), schema)
    counted = {TOKEN_COLUMNS[name]: count for name, count in tokens.items()}
    return {"rows": rows, **counted, "bytes": path.stat().st_size, "sha256": sha256_file(path)}


def in_batches(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows of a shard, in order, as its batches hold them."""
    tokens = pc.list_value_length(rows.column("input_ids")).cast(pa.int64()).to_numpy()
    for start, stop in cuts(tokens, ROWS_A_BATCH, TOKENS_A_BATCH):
        yield rows.slice(start, stop - start)


def token_count(rows: pa.Table, column: str = "input_ids") -> int:
    """Tokens of all rows of a shard."""
    return sum(len(chunk.flatten()) for chunk in rows.column(column).chunks)


def open_shard(path: Place) -> pa.Table:
    """Map a shard into memory; nothing is copied."""
    try:
        return open_arrow(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise CurateError(f"shard {path} cannot be read: {error}; run `curate verify`") from None


def rows_of_document(table: pa.Table, document: str, seed: int) -> range:
    """Rows of one document in a shard, found by halving over the order keys; empty where it is not there."""
    wanted = (shuffle_key(document, seed), document)
    ids = table.column("doc_id")

    def key(row: int) -> tuple[int, str]:
        found = ids[row].as_py()
        return shuffle_key(found, seed), found

    low, high = 0, table.num_rows
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if key(middle) < wanted else (low, middle)
    end = low
    while end < table.num_rows and key(end) == wanted:
        end += 1
    return range(low, end)
