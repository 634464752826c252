"""Near documents of a finished run: an LSH index over its corpus, built once and looked into at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from dedup.lsh_index import LshIndex, build, near
from dedup.minhash import MinHashConfig, signatures
from pipelines.run_folder import RunFolder
from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from storage.columnar import open_arrow, parquet_frames, write_arrow
from storage.json_files import read_whole_json, write_json
from storage.places import Place, is_local, make_folder
from storage.publishing import published
from textcolumns.columns import TextColumn

FOLDER: Final = "similar"
SHOWN: Final = ("id", "title", "source", "uri")
ARRAYS: Final = ("signatures", "hashes", "rows")
FORM: Final = 1  # of these files


def shape_of(run: RunFolder) -> MinHashConfig:
    """The shape of a run's signatures: its recipe's, or the house's where it looks for no near duplicates."""
    return run.minhash or MinHashConfig()


def ensure_index(run: RunFolder) -> bool:
    """Build the index where there is none of this corpus; whether it had to be built."""
    folder, digest = run.path / FOLDER, load_manifest(run.path).digest
    told = read_whole_json(folder / "index.json")
    if isinstance(told, dict) and told.get("manifest") == digest and told.get("form") == FORM:
        return False
    config, signed, shown = shape_of(run), [], []
    for frame in _curated(run):
        signed.append(signatures(TextColumn(frame["text"]), config))
        shown.append(frame.select(SHOWN))
    if not signed:
        raise WrongCall(f"{run.path} holds no curated document to look among")
    index = build(np.concatenate(signed), config)
    make_folder(folder)
    for name in ARRAYS:
        with published(folder / f"{name}.npy") as attempt, attempt.open("wb") as handle:
            np.save(handle, np.ascontiguousarray(getattr(index, name)))
    table = pl.concat(shown).to_arrow().cast(pa.schema([(name, pa.large_string()) for name in SHOWN]))
    write_arrow(folder / "documents.arrow", iter(table.combine_chunks().to_batches()), table.schema)
    write_json(folder / "index.json", {"manifest": digest, "form": FORM, "documents": len(index.signatures)})
    return True


def _curated(run: RunFolder) -> Iterator[pl.DataFrame]:
    for path in sorted((run.path / "curated").glob("*.parquet"), key=str):
        yield from (frame for frame in parquet_frames(path, [*SHOWN, "text"]) if frame.height)


def open_index(run: RunFolder) -> LshIndex:
    """The index of a run, mapped into memory."""
    loaded = {name: _array(run.path / FOLDER / f"{name}.npy") for name in ARRAYS}
    return LshIndex(shape_of(run), **loaded)


def _array(path: Place) -> Any:
    if is_local(path):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    with path.open("rb") as handle:
        return np.load(handle, allow_pickle=False)


def similar_to_text(run: RunFolder, text: str, most: int, min_similarity: float) -> list[dict[str, Any]]:
    """Documents near a text, the nearest first: similarity, id, title, source, uri."""
    index = open_index(run)
    column = TextColumn(pl.Series("text", [text]))
    if not int(column.unit_counts[0]):
        raise WrongCall("the text holds no word to be compared by")
    return _told(run, *near(index, signatures(column, index.config), min_similarity), most)


def similar_to_document(run: RunFolder, document: str, most: int, min_similarity: float) -> list[dict[str, Any]]:
    """Documents near one of the run's own, itself left out."""
    index = open_index(run)
    ids = open_arrow(run.path / FOLDER / "documents.arrow").column("id").to_pylist()
    try:
        row = ids.index(document)
    except ValueError:
        raise WrongCall(f"{run.path} has no curated document '{document}'; see `curate inspect {run.path}`") from None
    rows, similar = near(index, np.asarray(index.signatures[row : row + 1]), min_similarity)
    return _told(run, rows[rows != row], similar[rows != row], most)


def _told(run: RunFolder, rows: Any, similar: Any, most: int) -> list[dict[str, Any]]:
    table = open_arrow(run.path / FOLDER / "documents.arrow").take(pa.array(rows[:most], pa.int64()))
    return [
        {"similarity": round(float(value), 4), **row}
        for value, row in zip(similar[:most], table.to_pylist(), strict=True)
    ]
