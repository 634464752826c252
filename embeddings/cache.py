"""Vectors kept in a folder, found by the content that they stand for: no text is embedded twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from embeddings.embedder import Embedder, Vectors, content_key
from storage.columnar import read_parquet, write_parquet
from storage.places import Place

BLOCK = 256  # texts between two writes: a killed call repeats at most these


def embedded(
    embedder: Embedder, texts: Sequence[str], folder: Place | None = None, told: Callable[[int], None] = lambda n: None
) -> Vectors:
    """Vectors of all texts, shape (texts, dimensions), from the cache in `folder` where they are there.

    Each new block is a file named after its content, so that several writers do not meet.
    """
    keys = [content_key(embedder.identity, text, False) for text in texts]
    known = _known(folder) if folder is not None else {}
    missing = list(dict.fromkeys(key for key in keys if key not in known))
    first = dict(zip(reversed(keys), reversed(texts), strict=True))
    told(len(keys) - len(missing))
    for at in range(0, len(missing), BLOCK):
        block = missing[at : at + BLOCK]
        rows = embedder.embed([first[key] for key in block])
        if folder is not None:
            frame = pl.DataFrame({"key": block, "vector": rows.tolist()}, schema={"key": pl.String, "vector": pl.List(pl.Float32)})  # fmt: skip # noqa: E501
            write_parquet(folder / f"{block[0][:16]}-{len(block)}.parquet", frame)
        known.update(zip(block, rows, strict=True))
        told(len(block))
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)


def _known(folder: Place) -> dict[str, Vectors]:
    if not folder.exists():
        return {}
    found: dict[str, Vectors] = {}
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".parquet"):
            for key, vector in read_parquet(file).iter_rows():
                found[key] = np.asarray(vector, np.float32)
    return found
