"""Rollouts judged again by the verifiers as they are now, without generating anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from schemas.rollout import Rollout
from storage.json_files import read_json
from trainers.lineage.rolled_out import is_rolled_out
from trainers.rl.judging import StageJudges
from trainers.rl.prompts import AskedPrompt, read_prompts
from trainers.rl.rewards import judge
from trainers.rl.rollout_files import batches_of, read_rollouts
from trainers.rl.settings import RlConfig
from trainers.stage import TrainConfig


@dataclass(frozen=True)
class Rescored:
    """One batch: mean rewards before and now, and the answers whose verdict is another."""

    batch: int
    answers: int
    before: float | None
    now: float | None
    changed: list[dict[str, Any]]


def rescored(model: Path, manifest_path: Path | None = None) -> Iterator[Rescored]:
    """Every batch of a stage's rollouts, in order; the files stay as they are.

    Raises:
        WrongCall: where the stage learned from no rollouts, or its manifest is gone.
    """
    if not is_rolled_out(model):
        raise WrongCall(f"{model} learned from no rollouts")
    told = read_json(model / "train.json")
    config = TrainConfig.model_validate(told["stage"])
    assert config.rl is not None
    folder = Path(manifest_path or told["manifest"])
    folder = folder if folder.is_dir() else folder.parent
    prompts = [one for part in read_prompts(config, load_manifest(folder), folder) for one in part]
    places = {one.id: number for number, one in enumerate(prompts)}
    judges = StageJudges.of(config.rl, model)
    try:
        for number in batches_of(model):
            yield _one(number, read_rollouts(model, number)[0], prompts, places, config.rl, judges)
    finally:
        judges.close()


def _one(
    batch: int, old: list[Rollout], prompts: list[AskedPrompt], places: dict[str, int], rl: RlConfig,
    judges: StageJudges,
) -> Rescored:  # fmt: skip
    missing = next((one.prompt for one in old if one.prompt not in places), None)
    if missing is not None:
        raise WrongCall(f"the prompt {missing} of batch {batch} is no longer in the manifest's mixture")
    new = [Rollout(**{**one.row(), "number": places[one.prompt], "reward": None}) for one in old]
    judge(new, prompts, rl, judges)
    changed = [
        {
            "prompt": one.prompt, "sample": one.sample, "text": one.text, "before": before.state, "now": one.state,
            "why": json.loads(one.verdicts)[0]["why"],
        }
        for before, one in zip(old, new, strict=True)
        if before.state != one.state
    ]  # fmt: skip
    return Rescored(batch, len(old), _mean(old), _mean(new), changed)


def _mean(rollouts: list[Rollout]) -> float | None:
    rewards = [one.reward for one in rollouts if one.reward is not None]
    return sum(rewards) / len(rewards) if rewards else None
