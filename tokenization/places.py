"""Where a document lies in a manifest's shards: by its key, without an index and without a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from schemas.manifest import Manifest
from tokenization.shards import open_shard, rows_of_document, shard_numbers, shuffle_key


@dataclass(frozen=True)
class Place:
    """A row of a shard that holds a document; `component_row` counts through all shards of the component."""

    mixture: str
    component: str
    shard: str
    row: int
    component_row: int
    partition: int

    def told(self) -> dict[str, Any]:
        """Where the row is, for people and programs."""
        return {"mixture": self.mixture, "component": self.component, "shard": self.shard, "row": self.row}


def places_of(folder: Path, manifest: Manifest, document: str) -> Iterator[Place]:
    """Every row of every mixture that holds a document; one shard a component is looked into, by halving."""
    key = pl.Series([shuffle_key(document, manifest.seed)], dtype=pl.UInt64)
    for mixture, parts in manifest.mixtures.items():
        for component, part in parts.components.items():
            number = int(shard_numbers(key, len(part.shards))[0])
            shard = part.shards[number]
            before = sum(one.rows for one in part.shards[:number])
            table = open_shard(folder / shard.path)
            for row in rows_of_document(table, document, manifest.seed):
                partition = table.column("partition")[row].as_py()
                yield Place(mixture, component, shard.path, row, before + row, partition)
