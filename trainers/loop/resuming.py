"""What a run may change where it goes on: what does not decide the weights, and a schedule's end before it nears.

Layout, micro-batch, logging, validation and saving are no part of a run's trajectory at all. Everything else is
compared field by field with what `train.json` keeps of the run, and refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from storage.json_files import read_whole_json
from trainers.data.appended import Joined, open_appended
from trainers.loop.position import Position, read_position
from trainers.loop.schedule import falls_from
from trainers.stage import ScheduleConfig, TrainConfig, placeless

FREE: Final = ("data.prefetch", "spikes.")  # how far ahead is read, and when a step counts as a spike
APPENDED: Final = "data.append"
LENGTHS: Final = ("schedule.steps", "schedule.tokens", "schedule.epochs")
DECIDING: Final = (
    "stage", "objective", "seed", "precision", "model", "data", "schedule", "optimizer", "batch", "lora", "spikes",
    "rl", "reward", "dpo",
)  # fmt: skip
NOT_DECIDING: Final = ("batch.micro",)


@dataclass(frozen=True)
class Change:
    """One field of a recipe that is another than the run's before."""

    field: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.field}: {self.before} -> {self.now}"


def check_same_run(
    position: Position,
    manifest_digest: str,
    config: TrainConfig,
    trajectory: Callable[[TrainConfig], str],
    folder: Path,
) -> list[Change]:
    """What a recipe changes of the run whose checkpoint `folder` is; empty where it is the same.

    `trajectory` gives a recipe's digest together with what the run starts from.

    Raises:
        WrongCall: the checkpoint is of other data, or a field may not change any more.
    """
    if position.manifest_digest != manifest_digest or position.mixture != config.data.mixture:
        raise WrongCall(
            f"checkpoint {folder} was trained on mixture '{position.mixture}' of manifest "
            f"{position.manifest_digest[:12]}, not '{config.data.mixture}' of {manifest_digest[:12]}; "
            "choose another --out"
        )
    if position.trajectory_digest == trajectory(config):
        return []
    out = folder.parent.parent
    told = read_whole_json(out / "train.json")
    if not isinstance(told, dict):
        raise WrongCall(f"checkpoint {folder} belongs to another training recipe; choose another --out")
    # Validated again, so that fields which are newer than the run have the defaults that it was trained with.
    before = TrainConfig.model_validate(told["stage"])
    known = told.get("trajectories", [position.trajectory_digest])  # a changed run may die before its next checkpoint
    if position.trajectory_digest not in known or trajectory(before) != known[-1]:
        raise WrongCall(f"checkpoint {folder} started from another parent or reward model; choose another --out")
    found = _changes(before, config)
    for change in found:
        if not _may(change, told, config, position.step):
            raise WrongCall(
                f"checkpoint {folder} was trained with {change.field} {change.before}, the recipe says {change.now}"
                f"{_why(change, told)}; set it back, or start another run from it (another --out, parent: {out})"
            )
    return found


def appended_data(config: TrainConfig, manifest: Manifest, out: Path, resumed: Path | None) -> list[Joined]:
    """Data that join the stage's own; those that are named for the first time are drawn from where it goes on."""
    if not config.data.append:
        return []
    told = read_whole_json(out / "train.json") if resumed else None
    recorded = told.get("appended", []) if isinstance(told, dict) else []
    return open_appended(config.data, manifest, recorded, read_position(resumed).samples if resumed else 0)


def _changes(before: TrainConfig, config: TrainConfig) -> list[Change]:
    old = dict(_flat(before.model_dump(mode="json", include=set(DECIDING))))
    new = dict(_flat(config.model_dump(mode="json", include=set(DECIDING))))
    names = [name for name in dict.fromkeys((*old, *new)) if name not in NOT_DECIDING]
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _may(change: Change, told: Mapping[str, Any], config: TrainConfig, step: int) -> bool:
    if change.field.startswith(FREE):
        return True
    if change.field == APPENDED:  # what had joined stays, and more may join
        before = placeless(change.before)
        return before == placeless(change.now)[: len(before)]
    if change.field not in LENGTHS or config.data.phases:  # phases are shares of the length
        return False
    longer = change.before is not None and change.now is not None and change.now >= change.before
    return longer and step <= falls_from(ScheduleConfig.model_validate(told["stage"]["schedule"]), told["total_steps"])


def _why(change: Change, told: Mapping[str, Any]) -> str:
    if change.field == APPENDED:
        return " (data may join behind those that are there, which stay as they are)"
    if change.field not in LENGTHS:
        return ""
    schedule = ScheduleConfig.model_validate(told["stage"]["schedule"])
    if schedule.decay == "wsd":
        return f" (its rate falls from step {falls_from(schedule, told['total_steps'])} on; go back before it)"
    return f" (a {schedule.decay} schedule depends on its whole length; only wsd before its decay and constant do not)"
