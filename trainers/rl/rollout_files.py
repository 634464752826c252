"""Rollouts on disk: one Arrow file a batch, with the state that the stage goes on from behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.rollout import ROLLOUTS, Rollout
from storage.columnar import open_arrow, write_arrow
from storage.places import make_folder

FOLDER = "rollouts"


def rollout_file(out: Path, batch: int) -> Path:
    """Where the rollouts of a batch, counted from 0, lie."""
    return out / FOLDER / f"batch-{batch:08d}.arrow"


def batches_of(out: Path) -> list[int]:
    """Numbers of the batches whose rollouts are there, in order."""
    return sorted(int(path.stem.removeprefix("batch-")) for path in (out / FOLDER).glob("batch-*.arrow"))


def write_rollouts(out: Path, batch: int, rollouts: Sequence[Rollout], state: dict[str, Any]) -> None:
    """Write a batch whole."""
    make_folder(out / FOLDER)
    schema = ROLLOUTS.with_metadata({"state": json.dumps(state)})
    table = pa.Table.from_pylist([one.row() for one in rollouts], schema=schema)
    write_arrow(rollout_file(out, batch), iter(table.to_batches()), schema)


def read_rollouts(out: Path, batch: int) -> tuple[list[Rollout], dict[str, Any]]:
    """A batch and the state behind it."""
    table = open_arrow(rollout_file(out, batch))
    return [Rollout(**row) for row in table.to_pylist()], json.loads(table.schema.metadata[b"state"])
