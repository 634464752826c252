"""Reward models beside the policy: loaded once, in the policy's own layout, frozen, and asked about every answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from schemas.rollout import Rollout
from storage.json_files import read_json
from trainers.generation.row import from_the_last, row_output
from trainers.loop.checkpoint import restore_weights
from trainers.loop.position import latest
from trainers.model.architecture import build_model
from trainers.model.card import ModelCard, read_card
from trainers.preference.quality_hook import QUALITY
from trainers.preference.settings import RewardConfig
from trainers.rl.rows import padded_width
from trainers.rl.settings import RewardModelUse
from trainers.stage import TrainConfig, check_layout


@dataclass(frozen=True)
class RewardModel:
    """One loaded model: its aspects, and where its scores lay on held-out pairs."""

    path: str
    parts: Sequence[Any]
    aspects: list[str]
    means: torch.Tensor
    deviations: torch.Tensor

    @torch.no_grad()
    def scores(self, rows: Sequence[Sequence[int]], config: TrainConfig) -> torch.Tensor:
        """Standardised scores of whole answers with their questions, shape (rows, aspects)."""
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        found = torch.zeros(len(rows), len(self.aspects))
        for at in range(0, len(order), config.batch.micro):
            numbers = order[at : at + config.batch.micro]
            width = padded_width(len(rows[numbers[-1]]), config)
            tokens = torch.zeros(len(numbers), width, dtype=torch.long)
            for row, number in enumerate(numbers):
                tokens[row, : len(rows[number])] = torch.tensor(rows[number])
            output = row_output(self.parts, tokens.cuda(), torch.arange(width)[None].cuda(), None)
            told = torch.zeros(len(numbers), len(self.aspects), device=torch.cuda.current_device())
            if output is not None:
                last = torch.tensor([len(rows[number]) - 1 for number in numbers], device=output.device)
                told = output[torch.arange(len(numbers), device=output.device), last].float()
            found[numbers] = from_the_last(told).cpu()
        return (found - self.means) / self.deviations


def load_reward_model(config: TrainConfig, use: RewardModelUse, manifest: Manifest) -> RewardModel:
    """A reward model of a stage's folder, in the layout of the stage that asks it.

    Raises:
        WrongCall: where it is none, knows another tokenizer or other aspects, or was never measured.
    """
    folder = Path(use.path)
    card = _fitting_card(folder, use, manifest)
    quality = folder / QUALITY
    if not quality.exists():
        raise WrongCall(f"reward model {folder} has no {QUALITY}: train it to its end, with data.validation above 0")
    told = read_json(quality)["scores"]
    own = config.model_copy(update={"reward": RewardConfig(aspects=card.aspects), "lora": None, "rl": None})
    check_layout(own, card.model)
    parts = build_model(own, card.model, card.vocabulary)
    newest = latest(folder)
    assert newest is not None
    restore_weights(newest, [SimpleNamespace(module=part) for part in parts])
    for part in parts:
        part.eval()
        part.requires_grad_(False)
    deviations = torch.tensor([told[name]["deviation"] for name in card.aspects])
    return RewardModel(
        use.path, parts, card.aspects, torch.tensor([told[name]["mean"] for name in card.aspects]),
        torch.where(deviations > 0, deviations, 1.0),
    )  # fmt: skip


def _fitting_card(folder: Path, use: RewardModelUse, manifest: Manifest) -> ModelCard:
    card = read_card(folder)
    if card.stage != "reward_model":
        raise WrongCall(f"{folder} is no reward model but of the stage {card.stage}")
    if card.tokenizer_digest != manifest.tokenizer.digest:
        raise WrongCall(f"reward model {folder} was trained with another tokenizer than the manifest's")
    unknown = [name for name in use.weights if name not in card.aspects]
    if unknown:
        raise WrongCall(f"reward model {folder} has no aspect '{unknown[0]}'; it has {', '.join(card.aspects)}")
    if latest(folder) is None:
        raise WrongCall(f"reward model {folder} has no whole checkpoint yet")
    return card


def score(rollouts: Sequence[Rollout], models: Sequence[RewardModel], config: TrainConfig) -> None:
    """Write into each rollout what every reward model says of it; all tensor- and pipeline-parallel ranks together."""
    rows = [[*one.prompt_ids, *one.ids] for one in rollouts]
    told: list[dict[str, dict[str, float]]] = [{} for _ in rollouts]
    for model in models if rows else ():
        found = model.scores(rows, config)
        for each, scores in zip(told, found.tolist(), strict=True):
            each[model.path] = dict(zip(model.aspects, scores, strict=True))
    for one, scores in zip(rollouts, told, strict=True):
        one.scores = json.dumps(scores, ensure_ascii=False)
