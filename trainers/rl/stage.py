"""A stage of reinforcement learning put together: its prompts, its source of rollouts, its hooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.manifest import Manifest
from tokenization.tokenizer import load_tokenizer
from trainers.data.integrity import ShardCheck
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.experiment import Hook
from trainers.loop.hooks.logging import Logging
from trainers.loop.hooks.saving import Saving
from trainers.loop.hooks.stopping import Stopping
from trainers.loop.stopping import StopSignals
from trainers.loop.training_log import TrainingLog
from trainers.model.card import read_card
from trainers.objectives.objective import Objective
from trainers.objectives.policy import Policy
from trainers.rl.hooks import HeldOut, Rewards
from trainers.rl.over_optimised import OverOptimised
from trainers.rl.prompts import AskedPrompt, read_prompts
from trainers.rl.reward_models import load_reward_model
from trainers.rl.source import RolloutSource
from trainers.stage import TrainConfig


@dataclass(frozen=True)
class Rollouts:
    """The source of a stage's batches, and the prompts held out from it."""

    source: RolloutSource
    held_out: list[AskedPrompt]

    def hooks(self, check: ShardCheck, log: TrainingLog, saves: Checkpoints, signals: StopSignals) -> list[Hook]:
        """In the order in which they see a step."""
        gold = [OverOptimised(log, self.source.rl.gold_window)] if self.source.rl.gold is not None else []
        return [Rewards(), HeldOut(self.held_out), *gold, Logging(log), Saving(saves, check), Stopping(signals, saves)]


def rollouts_of(
    config: TrainConfig, manifest: Manifest, folder: Path, out: Path, vocabulary: int, step: int, objective: Objective
) -> Rollouts:
    """The stage's prompts read and checked, at the step that it goes on from."""
    assert config.rl is not None
    learned, held = read_prompts(config, manifest, folder)
    tokenizer = folder / manifest.tokenizer.file
    card = read_card(out)
    loaded = load_tokenizer(tokenizer)
    names = [one for one in (card.end_of_turn, card.end_of_text) if one]
    ends = frozenset(found for found in (loaded.tokenizer.token_to_id(one) for one in names) if found is not None)
    if isinstance(objective, Policy):
        objective.vocabulary = min(vocabulary, loaded.vocabulary)
    models = [load_reward_model(config, use, manifest) for use in config.rl.scored_by]
    source = RolloutSource(
        config, learned, tokenizer, ends, min(vocabulary, loaded.vocabulary), out, step, objective, models
    )
    return Rollouts(source, held[: config.rl.held_out_prompts])
