"""Token shards: uncompressed Arrow IPC files, one row a document, in the order of a seeded hash.

A document's shard and its place in it follow from its id alone: a global shuffle without
coordination, and the same bytes whatever the engine, worker count or order of arrival.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.errors import CurateError
from schemas.files import written_whole

SHARD_SCHEMA: Final = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("input_ids", pa.large_list(pa.field("item", pa.int32(), nullable=False)), nullable=False),
    ]
)
ROWS_A_BATCH: Final = 4096


def shuffle_keys(ids: pl.Series, seed: int) -> pl.Series:
    """64-bit order key of each document id: BLAKE2b keyed with the seed; shape (rows,)."""
    key = seed.to_bytes(8, "big")
    digests = [hashlib.blake2b(one.encode(), digest_size=8, key=key).digest() for one in ids]
    values = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
    return pl.Series("key", values, dtype=pl.UInt64)


def shard_numbers(keys: pl.Series, shards: int) -> pl.Series:
    """The shard of each key: contiguous ranges of the key space; shape (rows,)."""
    top = (keys.to_numpy() >> np.uint64(32)).astype(np.uint64)
    return pl.Series("shard", ((top * np.uint64(shards)) >> np.uint64(32)).astype(np.int64))


def shard_name(number: int, shards: int) -> str:
    """File name of a shard, `00000-of-00008.arrow`."""
    return f"{number:05d}-of-{shards:05d}.arrow"


def write_shard(path: Path, rows: pa.Table) -> None:
    """Write rows (columns of `SHARD_SCHEMA`, already in order) as one uncompressed IPC file."""
    with written_whole(path) as temporary, pa.OSFile(str(temporary), "wb") as sink:
        with pa.ipc.new_file(sink, SHARD_SCHEMA, options=pa.ipc.IpcWriteOptions(compression=None)) as writer:
            for batch in rows.cast(SHARD_SCHEMA).combine_chunks().to_batches(max_chunksize=ROWS_A_BATCH):
                writer.write_batch(batch)


def open_shard(path: Path) -> pa.Table:
    """Map a shard into memory; nothing is copied."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise CurateError(f"shard {path} cannot be read: {error}; run `curate verify`") from None


def token_lists(tables: Iterable[pa.Table]) -> Iterator[npt.NDArray[np.int32]]:
    """Token ids of every row, without copying."""
    for table in tables:
        for chunk in table.column("input_ids").chunks:
            values = chunk.values.to_numpy(zero_copy_only=True)
            offsets = chunk.offsets.to_numpy()
            for start, end in itertools.pairwise(offsets):
                yield values[start:end]
