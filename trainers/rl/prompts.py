"""The prompts of a stage: those of a mixture's shards, chosen by measured difficulty, a part held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from storage.columnar import open_arrow
from trainers.data.blending import component_weights
from trainers.rl.order import Stratum
from trainers.rl.pass_rates import between
from trainers.rl.settings import RlConfig
from trainers.stage import TrainConfig
from verifiers.verifier import VERIFIERS


@dataclass(frozen=True)
class AskedPrompt:
    """A prompt as its shard has it."""

    id: str
    ids: tuple[int, ...]
    question: str
    verifier: str
    reference: dict[str, Any]
    task: str
    difficulty: int | None = None
    component: str = ""
    weight: float = 1.0  # of its component


def read_prompts(config: TrainConfig, manifest: Manifest, folder: Path) -> tuple[list[AskedPrompt], list[AskedPrompt]]:
    """Prompts to learn from and held-out ones (`data.validation` of them, by their ids), each in the order of ids.

    Raises:
        WrongCall: where the mixture holds no prompts, or one does not fit into the sequence length.
    """
    assert config.rl is not None
    mixture = manifest.mixtures.get(config.data.mixture)
    if mixture is None or mixture.kind != "prompts":
        known = [name for name, one in manifest.mixtures.items() if one.kind == "prompts"]
        raise WrongCall(
            f"data.mixture '{config.data.mixture}' holds no prompts; such that do: {', '.join(known) or 'none'}"
        )
    found: dict[str, AskedPrompt] = {}
    weights = component_weights(manifest, config.data.mixture, config.data.weights)
    for name, component in mixture.components.items():
        for shard in component.shards:
            for row in open_arrow(folder / shard.path).to_pylist():
                if row["doc_id"] in found or not weights[name]:
                    continue
                found[row["doc_id"]] = AskedPrompt(
                    row["doc_id"], tuple(row["input_ids"]), row["prompt"], row["verifier"],
                    json.loads(row["reference"]), row["task"] or "", row["difficulty"], name, weights[name],
                )  # fmt: skip
    longest = config.data.sequence_length - config.rl.max_tokens
    too_long = [one for one in found.values() if len(one.ids) > longest]
    if too_long:
        raise WrongCall(
            f"{len(too_long)} prompts (such as {too_long[0].id} of {len(too_long[0].ids)} tokens) leave no room for "
            f"rl.max_tokens ({config.rl.max_tokens}) in data.sequence_length ({config.data.sequence_length}); raise it "
            "or lower conversations.max_tokens of the curation"
        )
    if config.rl.pass_rate is not None:
        found = between(found, *config.rl.pass_rate, folder, config.data.mixture)
    for name in config.rl.scales:
        if name != "principles":
            VERIFIERS.get(name)
    for one in found.values():
        VERIFIERS.get(one.verifier).read(one.reference)
    share = int(config.data.validation * 2**32)
    prompts = sorted(found.values(), key=lambda one: one.id)
    held = [one for one in prompts if int(one.id[:8], 16) < share]
    learned = [one for one in prompts if int(one.id[:8], 16) >= share]
    if not learned:
        raise WrongCall(f"data.mixture '{config.data.mixture}' has no prompt to learn from")
    return learned, held


def strata_of(prompts: Sequence[AskedPrompt], rl: RlConfig) -> list[Stratum]:
    """Prompts by component, and within it by what `strata` names; a component's weight is shared by its strata."""
    found: dict[str, dict[tuple[str, ...], list[int]]] = {}
    weights: dict[str, float] = {}
    for number, one in enumerate(prompts):
        key = tuple(str(getattr(one, name)) for name in rl.strata)
        found.setdefault(one.component, {}).setdefault(key, []).append(number)
        weights[one.component] = one.weight
    return [
        Stratum(tuple(numbers), weights[component] / len(strata))
        for component, strata in sorted(found.items())
        for _, numbers in sorted(strata.items())
    ]
