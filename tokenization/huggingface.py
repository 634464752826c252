"""A run as Hugging Face datasets: the curated documents, and each mixture's token rows.

The folder opens with `datasets.load_from_disk(folder)`, one split a table, and with `load_dataset(folder, name)`, one
configuration a table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from storage.publishing import write_text
from tokenization.shards import open_shard

DOCUMENTS: Final = "documents"
SHARD_SIZE: Final = "500MB"  # what datasets itself takes by default


def export_datasets(run_dir: Path, manifest: Manifest, to: Path, tell: Callable[[str], None]) -> dict[str, int]:
    """Write `to` as a dataset dictionary; returns the rows of each split."""
    try:
        import datasets
    except ImportError:
        raise WrongCall("this needs the library `datasets`: pip install 'curate-medical[export]'") from None
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="curate-datasets-") as cache:
        files = sorted(str(path) for path in (run_dir / "curated").glob("*.parquet"))
        found = {DOCUMENTS: datasets.Dataset.from_parquet(files, cache_dir=cache)}
        for name, mixture in manifest.mixtures.items():
            parts = [
                _with_component(open_shard(run_dir / shard.path), component)
                for component, one in mixture.components.items()
                for shard in one.shards
            ]
            split = name if name != DOCUMENTS else f"{name}_tokens"
            found[split.replace("-", "_")] = datasets.Dataset(pa.concat_tables(parts))
        told = datasets.DatasetDict(found)
        told.save_to_disk(str(to), max_shard_size=SHARD_SIZE)
    write_text(to / "README.md", _card(manifest, list(found)))
    for name, table in found.items():
        tell(f"{name}: {table.num_rows:,} rows")
    return {name: table.num_rows for name, table in found.items()}


def _with_component(rows: pa.Table, component: str) -> pa.Table:
    """The rows of a shard with the name of their component; dictionaries as plain texts."""
    for name in ("source", "authority"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows.column(name).cast(pa.string()))
    return rows.append_column("component", pa.array([component] * rows.num_rows, pa.string()))


def _card(manifest: Manifest, tables: list[str]) -> str:
    """The dataset card, whose head says which files belong to which configuration."""
    lines = ["---", "configs:"]
    for name in tables:
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {name}/*.arrow"]
        lines += ["  default: true"] if name == DOCUMENTS else []
    licences = ", ".join(f"{name} ({count:,})" for name, count in manifest.licences.items())
    lines += ["---", "", f"# {manifest.name}", "", f"Documents and token rows of the manifest `{manifest.digest}`."]
    lines += ["", f"Documents by licence: {licences or 'none'}.", ""]
    return "\n".join(lines)
