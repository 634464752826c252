"""How far a run is, and where its files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CurateError
from storage.json_files import read_json, write_json
from trainers.stage import TrainConfig

STAGE_FILE = "stage.json"  # the resolved recipe that the processes of a stage read
STOPPED = "stopped.json"  # written when a run was asked to stop and saved


@dataclass(frozen=True)
class Position:
    """How far a run is: steps done, samples consumed, and what it consumes them from."""

    step: int
    samples: int
    manifest_digest: str
    mixture: str
    trajectory_digest: str


def checkpoint_folder(out: Path, step: int) -> Path:
    """Folder of the checkpoint after `step` steps."""
    return out / "checkpoints" / f"step-{step:08d}"


def write_stage(config: TrainConfig, out: Path) -> Path:
    """Write the resolved recipe for the processes of a stage."""
    write_json(out / STAGE_FILE, config.model_dump(mode="json", by_alias=True))
    return out / STAGE_FILE


def latest(out: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None."""
    found = sorted((out / "checkpoints").glob("step-*/position.json"))
    return found[-1].parent if found else None


def latest_before(folder: Path) -> Path | None:
    """The newest checkpoint that is older than this one, or None."""
    found = sorted(path.parent for path in folder.parent.glob("step-*/position.json"))
    older = [one for one in found if one.name < folder.name]
    return older[-1] if older else None


def damaged(folder: Path, what: str) -> CurateError:
    """The error that names a damaged checkpoint, and the one before it."""
    before = latest_before(folder)
    remedy = f"call again with --fallback to go on from {before.name}, or delete" if before else "delete"
    return CurateError(f"checkpoint {folder} is damaged: {what}; {remedy} {folder.name}")


def read_position(folder: Path) -> Position:
    """What a checkpoint says of itself."""
    try:
        return Position(**read_json(folder / "position.json"))
    except (ValueError, TypeError):
        raise damaged(folder, "position.json is empty or torn") from None
