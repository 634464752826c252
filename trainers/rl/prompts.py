"""The prompts of a stage: those of a mixture's shards, a part held out, in an order that resumes.

A prompt that was mastered (all its answers right) is left out of the next epochs and looked at again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from storage.columnar import open_arrow
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
    for component in mixture.components.values():
        for shard in component.shards:
            for row in open_arrow(folder / shard.path).to_pylist():
                found[row["doc_id"]] = AskedPrompt(
                    row["doc_id"], tuple(row["input_ids"]), row["prompt"], row["verifier"],
                    json.loads(row["reference"]), row["task"] or "",
                )  # fmt: skip
    longest = config.data.sequence_length - config.rl.max_tokens
    too_long = [one for one in found.values() if len(one.ids) > longest]
    if too_long:
        raise WrongCall(
            f"{len(too_long)} prompts (such as {too_long[0].id} of {len(too_long[0].ids)} tokens) leave no room for "
            f"rl.max_tokens ({config.rl.max_tokens}) in data.sequence_length ({config.data.sequence_length}); raise it "
            "or lower conversations.max_tokens of the curation"
        )
    for one in found.values():
        VERIFIERS.get(one.verifier).read(one.reference)
    share = int(config.data.validation * 2**32)
    prompts = sorted(found.values(), key=lambda one: one.id)
    held = [one for one in prompts if int(one.id[:8], 16) < share]
    learned = [one for one in prompts if int(one.id[:8], 16) >= share]
    if not learned:
        raise WrongCall(f"data.mixture '{config.data.mixture}' has no prompt to learn from")
    return learned, held


@dataclass
class Order:
    """Which prompt comes next. `mastered` says until which epoch each is left out."""

    count: int
    seed: int
    epoch: int = 0
    cursor: int = 0
    mastered: dict[int, int] = field(default_factory=dict)

    def take(self, wanted: int) -> list[int]:
        """The next prompts, by number; epochs follow one another, each in an order of its own."""
        taken: list[int] = []
        while len(taken) < wanted:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count).tolist()
            left = [one for one in order if self.mastered.get(one, -1) < self.epoch] or order
            more = left[self.cursor : self.cursor + wanted - len(taken)]
            taken += more
            self.cursor += len(more)
            if len(taken) < wanted:
                self.epoch, self.cursor = self.epoch + 1, 0
        return taken

    def tell(self, number: int, all_right: bool, revisit: int) -> None:
        """A prompt was answered."""
        if all_right:
            self.mastered[number] = self.epoch + revisit
        else:
            self.mastered.pop(number, None)

    def state(self) -> dict[str, Any]:
        """What a resumed stage needs."""
        return {"epoch": self.epoch, "cursor": self.cursor, "mastered": sorted(self.mastered.items())}

    def go_on(self, state: dict[str, Any]) -> None:
        """Be where `state` was."""
        self.epoch, self.cursor = state["epoch"], state["cursor"]
        self.mastered = dict(map(tuple, state["mastered"]))
