"""From a step of reinforcement learning to its prompts, answers and verdicts, and from a prompt to its steps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import WrongCall
from storage.json_files import read_json
from trainers.loop.records import read_log
from trainers.rl.rollout_files import read_rollouts, rollout_file
from trainers.stage import TrainConfig


def is_rolled_out(model: Path) -> bool:
    """Whether a model's last stage was one of reinforcement learning."""
    told = read_json(model / "train.json") if (model / "train.json").exists() else {}
    return bool(told.get("stage", {}).get("rl"))


@dataclass(frozen=True)
class RolledOut:
    """A model that learned from rollouts, with these."""

    model: Path
    config: TrainConfig

    @classmethod
    def open(cls, model: Path) -> RolledOut:
        """Open by what the model's folder says of its run."""
        return cls(model, TrainConfig.model_validate(read_json(model / "train.json")["stage"]))

    def rollouts_of_step(self, step: int) -> dict[str, list[dict[str, Any]]]:
        """Answers of the batch that a step learned from, by prompt: text, verdicts, reward, advantage."""
        records = {record["step"] for record in read_log(self.model / "log.jsonl")}
        if step not in records:
            raise WrongCall(f"{self.model} has no step {step}; its last is {max(records, default=0)}")
        found: dict[str, list[dict[str, Any]]] = {}
        for one in read_rollouts(self.model, (step - 1) // self.config.updates)[0]:
            told = {
                "sample": one.sample, "question": one.question, "text": one.text, "verdicts": json.loads(one.verdicts),
                "reward": one.reward, "advantage": one.advantage, "learned": one.learned,
            }  # fmt: skip
            found.setdefault(one.prompt, []).append(told)
        return found

    def steps_of_document(self, document: str) -> list[int]:
        """Steps taken so far that learned from answers to a prompt."""
        steps = [record["step"] for record in read_log(self.model / "log.jsonl")]
        batches = {(step - 1) // self.config.updates for step in steps}
        holding = {
            batch
            for batch in batches
            if rollout_file(self.model, batch).exists()
            and any(one.prompt == document for one in read_rollouts(self.model, batch)[0])
        }
        return [step for step in steps if (step - 1) // self.config.updates in holding]
