"""At the end of its training a reward model is measured on all held-out pairs; `reward.json` keeps what was found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state

from storage.json_files import write_json
from trainers.data.datasets import Blended
from trainers.data.pairs import Pairs
from trainers.data.reader import Batch, collate
from trainers.loop.experiment import Experiment, Hook
from trainers.loop.forward import with_frozen
from trainers.parallel.groups import is_first
from trainers.preference.pairs import PairPlaces
from trainers.preference.quality import Scored, quality

QUALITY = "reward.json"


class RewardQuality(Hook):
    """Scores every held-out pair with the trained model."""

    def __init__(self, data: Blended | None) -> None:
        self.data = data

    def end(self, run: Experiment) -> None:
        """Where the schedule has ended and pairs were held out."""
        if run.position.step != run.total or self.data is None:
            return
        found = quality(_scored(run, self.data))
        if is_first():
            write_json(run.out / QUALITY, found)
            share = found["accuracy"].get("accuracy")
            liking = "; it mostly likes length" if found["likes_length"] else ""
            print(
                f"held-out pairs: {share if share is None else f'{share:.1%}'} right{liking} ({QUALITY})",
                file=sys.stderr,
            )


def _batches(run: Experiment, data: Blended) -> Iterator[tuple[list[str], Batch]]:
    """Every held-out row once, in micro-batches of one, on each data-parallel rank alike."""
    context = parallel_state.get_context_parallel_rank(), parallel_state.get_context_parallel_world_size()
    for samples in data.components.values():
        assert isinstance(samples, Pairs)
        for number in range(samples.per_epoch):
            names = [samples.tokens.cell("aspect", piece.row) for piece in samples.pieces(number)]
            yield names, collate([samples.sample(number)], *context)


def _scored(run: Experiment, data: Blended) -> Scored:
    assert run.config.reward is not None
    aspects: list[str] = []
    parts: list[list[Any]] = []
    one_row = run.config.model_copy(update={"batch": run.config.batch.model_copy(update={"micro": 1})})
    for part in run.model:
        part.eval()
    for names, batch in _batches(run, data):
        (seen,) = with_frozen(one_row, run.model, run.objective, [batch])
        places = PairPlaces(seen["sequences"].to(seen["frozen"].device))
        scores = seen["frozen"] if seen["frozen"].dim() == 3 else seen["frozen"][..., None]
        ends = places.of_rank(places.ends)
        by_aspect = [torch.stack(places.sums(scores[..., at] * ends), 1) for at in range(scores.shape[-1])]
        lengths = torch.stack(places.sums(seen["loss_mask"].to(scores.device)), 1)
        aspects += names
        parts.append([torch.stack(by_aspect, 2).double().cpu().numpy(), lengths.long().cpu().numpy()])
    for part in run.model:
        part.train()
    told = [parts]
    torch.distributed.broadcast_object_list(told, torch.distributed.get_world_size() - 1)  # of the last pipeline stage
    by_side, tokens = (np.concatenate(one) for one in zip(*told[0], strict=True))
    names = run.config.reward.aspects
    return Scored(aspects, names, by_side[:, 0], by_side[:, 1], tokens[:, 0], tokens[:, 1])
