"""What a run may change where it goes on, and what is refused with field, values and the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from schemas.errors import WrongCall
from trainers.loop.position import Position, checkpoint_folder
from trainers.loop.resuming import Change, check_same_run
from trainers.stage import TrainConfig

BASE: dict[str, Any] = {
    "name": "t",
    "data": {"mixture": "pretrain", "sequence_length": 64},
    "batch": {"micro": 2, "global": 4},
    "schedule": {"steps": 100, "decay": "wsd", "decay_share": 0.2},
}


def stage(**parts: dict[str, Any]) -> TrainConfig:
    merged = {
        name: {**value, **parts.pop(name, {})} if isinstance(value, dict) else value for name, value in BASE.items()
    }
    return TrainConfig.model_validate({**merged, **parts})


def digest(config: TrainConfig) -> str:
    return config.trajectory_digest()


def resumed(tmp_path: Path, before: TrainConfig, now: TrainConfig, step: int = 40, **told: Any) -> list[Change]:
    kept = {"stage": before.model_dump(mode="json", by_alias=True), "total_steps": before.schedule.steps, **told}
    (tmp_path / "train.json").write_text(json.dumps(kept))
    position = Position(step, 4 * step, "m", "pretrain", digest(before))
    return check_same_run(position, "m", now, digest, checkpoint_folder(tmp_path, step))


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({}, []),
        ({"data": {"prefetch": 16}}, ["data.prefetch"]),
        ({"batch": {"micro": 4}}, []),
        ({"log": {"tensorboard": False}, "checkpoint": {"every": 9}, "validation": {"every": 5}}, []),
        ({"spikes": {"most": 9}}, ["spikes.most"]),
        ({"schedule": {"steps": 200}}, ["schedule.steps"]),
        ({"schedule": {"steps": 200}, "data": {"prefetch": 1}}, ["data.prefetch", "schedule.steps"]),
    ],
)
def test_what_decides_no_weight_may_change(changed: dict[str, Any], fields: list[str], tmp_path: Path) -> None:
    assert sorted(one.field for one in resumed(tmp_path, stage(), stage(**changed))) == fields


@pytest.mark.parametrize(
    ("before", "now", "step", "words"),
    [
        ({}, {"seed": 9}, 40, "seed"),
        ({}, {"optimizer": {"clip": 0.5}}, 40, r"optimizer\.clip 1\.0, the recipe says 0\.5"),
        ({}, {"data": {"sequence_length": 128}}, 40, r"data\.sequence_length 64"),
        ({}, {"schedule": {"steps": 200}}, 81, "falls from step 80"),
        ({}, {"schedule": {"steps": 90}}, 40, r"schedule\.steps 100"),
        ({"schedule": {"decay": "cosine"}}, {"schedule": {"decay": "cosine", "steps": 200}}, 2, "whole length"),
    ],
)
def test_what_decides_is_refused_with_both_values_and_the_way(
    before: dict[str, Any], now: dict[str, Any], step: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongCall, match=words) as refused:
        resumed(tmp_path, stage(**before), stage(**now), step)
    assert f"parent: {tmp_path}" in str(refused.value)


def test_a_changed_run_that_died_before_its_next_checkpoint_goes_on(tmp_path: Path) -> None:
    first, second = stage(), stage(data={"prefetch": 9})
    kept = {"stage": second.model_dump(mode="json", by_alias=True), "total_steps": 100}
    position = Position(40, 160, "m", "pretrain", digest(first))
    (tmp_path / "train.json").write_text(json.dumps({**kept, "trajectories": [digest(first), digest(second)]}))
    folder = checkpoint_folder(tmp_path, 40)
    assert check_same_run(position, "m", second, digest, folder) == []
    assert [one.now for one in check_same_run(position, "m", stage(data={"prefetch": 2}), digest, folder)] == [2]
    (tmp_path / "train.json").write_text(json.dumps({**kept, "trajectories": ["another", digest(second)]}))
    with pytest.raises(WrongCall, match="another parent"):
        check_same_run(position, "m", second, digest, folder)
