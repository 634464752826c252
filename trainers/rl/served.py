"""Answers from another engine: the policy's weights handed over in a folder, its tokens asked for over HTTP.

Only the first rank talks to the server. What the server says of its tokens is kept (`log_probabilities`);
what the trainer says of them at the beginning of the batch (`trained`) is the policy that ratios compare with,
and the difference of both is weighed in the loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from megatron.core import parallel_state

from endpoints.tokens import TokenAsk, TokenSettings, complete_tokens, load_weights
from schemas.rollout import Rollout
from storage.places import make_folder, remove_tree
from trainers.generation.generate import Answer, Asked
from trainers.generation.row import from_the_last
from trainers.loop.checkpoint import save_weights
from trainers.model.hf_export import export_hf
from trainers.objectives.objective import Objective
from trainers.parallel.context import own_positions
from trainers.parallel.groups import is_first
from trainers.parallel.waiting import first_only
from trainers.rl.gate import Drift
from trainers.rl.looking import looked_at
from trainers.rl.rows import padded_width
from trainers.rl.settings import RlConfig
from trainers.stage import TrainConfig

REMEDY: Final = {
    "vllm": "start vLLM with --logprobs-mode processed_logprobs, the trainer's --dtype, and on what "
    "`curate export model --untied` wrote (it keeps an old output matrix of tied embeddings when it loads new weights)",
    "sglang": "start SGLang with the trainer's --dtype, and leave top_p at 1 and top_k at 0",
}


class ServedPolicy:
    """The server's copy of the policy: which step's weights it has, and its answers."""

    def __init__(self, config: TrainConfig, out: Path, ends: frozenset[int]) -> None:
        assert config.rl is not None
        assert config.rl.served is not None
        self.config, self.served, self.out = config, config.rl.served, out
        self.folder = Path(self.served.weights) if self.served.weights else out / "policy"
        self.settings = _settings(config.rl, ends)
        self.weights: int | None = None  # steps that the server's weights have seen

    def hand_over(self, model: Sequence[Any], batch: int, step: int) -> bool:
        """Give the server the weights of now, unless those that it has may serve for longer; returns whether."""
        if self.weights is not None and batch % self.served.every:
            return False
        saved, folder = self.folder / ".saved", self.folder / f"step-{step:08d}"
        if is_first():
            remove_tree(saved)
            make_folder(saved)
        torch.distributed.barrier()
        save_weights(model, saved)
        first_only(lambda: self._tell(saved, folder))
        self.weights = step
        return True

    def _tell(self, saved: Path, folder: Path) -> None:
        remove_tree(folder)
        export_hf(self.out, folder, checkpoint=saved, untied=True)
        load_weights(self.served, self.served.engine, str(folder.resolve()))
        for old in self.folder.iterdir():  # what the server no longer reads
            if old != folder:
                remove_tree(old)

    def answers(self, asked: Sequence[Asked], seed: int, batch: int) -> list[Answer]:
        """Answers to all prompts, ordered by prompt and sample, on all ranks."""
        told = [first_only(lambda: self._asked(asked, seed, batch))]
        torch.distributed.broadcast_object_list(told, 0)
        assert told[0] is not None
        return told[0]

    def _asked(self, asked: Sequence[Asked], seed: int, batch: int) -> list[Answer]:
        order = sorted(
            ((one, sample) for one in asked for sample in one.samples), key=lambda one: (one[0].number, one[1])
        )
        asks = [TokenAsk(one.ids, _seed(seed, batch, one.number, sample)) for one, sample in order]
        told = complete_tokens(self.served, self.served.engine, self.settings, asks)
        return [
            Answer(one.number, sample, found.ids, found.log_probabilities, found.ended)
            for (one, sample), found in zip(order, told, strict=True)
        ]

    def measures(self, rollouts: Sequence[Rollout], step: int) -> dict[str, float]:
        """How far the engines are apart on a batch, how often weights are cut, how many steps old the server's are."""
        apart = _apart(rollouts)
        assert self.weights is not None
        return {
            "engine_drift": float(np.abs(apart).mean()),
            "importance_cut_share": float((apart > np.log(self.served.importance_cap)).mean()),
            "staleness": float(step - self.weights),
        }

    def drift(self, rollouts: Sequence[Rollout]) -> Drift:
        """How far server and trainer are apart."""
        apart = np.abs(_apart(rollouts))
        return Drift(float(apart.max()), float(apart.mean()))


def _apart(rollouts: Sequence[Rollout]) -> npt.NDArray[np.float64]:
    """Log-probabilities of all tokens by the trainer, less those by the server."""
    return np.concatenate([np.subtract(one.trained or [], one.log_probabilities) for one in rollouts])


def _settings(rl: RlConfig, ends: frozenset[int]) -> TokenSettings:
    return TokenSettings(rl.temperature, rl.top_p, rl.top_k, rl.max_tokens, tuple(sorted(ends)), tuple(rl.stop))


def _seed(seed: int, batch: int, prompt: int, sample: int) -> int:
    """A seed of 63 bits for one answer, whoever asks for it and when."""
    told = hashlib.blake2b(f"{seed}/{batch}/{prompt}/{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(told, "big") >> 1


def look_again(config: TrainConfig, model: Sequence[Any], objective: Objective, rollouts: Sequence[Rollout]) -> None:
    """Write into each rollout what the trainer's policy says of its tokens now (`trained`), in every layout."""
    rank, size = parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()
    width = padded_width(max(len(one.prompt_ids) + len(one.ids) for one in rollouts) - 1, config)
    count = -(-len(rollouts) // size)  # on each rank, so that all do the same work
    mine = [(rank + size * number) % len(rollouts) for number in range(count)]
    batches = looked_at(config, model, objective, [rollouts[number] for number in mine], width)
    seen = torch.cat([whole_rows(one["frozen"].float(), width) for one in batches])
    found: list[tuple[int, list[float]]] = []
    for row, number in enumerate(mine):
        start = len(rollouts[number].prompt_ids) - 1
        found.append((number, seen[row, start : start + len(rollouts[number].ids)].tolist()))
    every: list[list[tuple[int, list[float]]]] = [found]
    if size > 1:
        every = [[] for _ in range(size)]
        torch.distributed.all_gather_object(every, found, group=parallel_state.get_data_parallel_group())
    for number, values in (one for each in every for one in each):
        rollouts[number].trained = values


def whole_rows(values: torch.Tensor, width: int) -> torch.Tensor:
    """What the pipeline's last ranks hold of whole rows, (b, width), put together from context-parallel pieces."""
    values = from_the_last(values.contiguous())
    if (size := parallel_state.get_context_parallel_world_size()) == 1:
        return values
    whole = values.new_zeros(len(values), width)
    whole[:, own_positions(parallel_state.get_context_parallel_rank(), size, width)] = values
    torch.distributed.all_reduce(whole, group=parallel_state.get_context_parallel_group())
    return whole
