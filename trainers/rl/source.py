"""Batches of rollouts, made between steps by the model as it is: sampled, judged, compared within their groups.

Ranks sample shares of the prompts, the first rank judges, all learn the same groups. A batch lies on
disk before it is learned from, so a stage that is killed anywhere goes on with the very same answers.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state

from schemas.canonical import canonical_digest
from schemas.errors import CurateError
from schemas.rollout import Rollout
from tokenization.tokenizer import load_tokenizer
from trainers.data.reader import Batch
from trainers.generation.generate import Answer, Asked, generate
from trainers.generation.limits import CLOSING, Limits
from trainers.objectives.objective import Objective
from trainers.objectives.policy import sampling_of
from trainers.parallel.groups import is_first
from trainers.parallel.waiting import first_only
from trainers.rl.gate import SEQUENCES, drift_of, refuse_drift
from trainers.rl.judging import StageJudges
from trainers.rl.order import Order
from trainers.rl.prompts import AskedPrompt, strata_of
from trainers.rl.reward_models import RewardModel, score
from trainers.rl.rewards import give_advantages, judge, mean_parts, shares_of_advantage
from trainers.rl.rollout_files import read_rollouts, write_rollouts
from trainers.rl.rows import collated, padded_width
from trainers.rl.served import REMEDY, ServedPolicy, look_again
from trainers.stage import TrainConfig


class RolloutSource:
    """A source of batches that looks at the model before the first step of each batch."""

    tags = ["rollouts|ungraded"]
    waited = 0.0

    def __init__(
        self, config: TrainConfig, prompts: Sequence[AskedPrompt], tokenizer: Path, ends: frozenset[int],
        vocabulary: int, out: Path, step: int, objective: Objective, models: Sequence[RewardModel] = (),
    ) -> None:  # fmt: skip
        assert config.rl is not None
        self.objective, self.agreed = objective, False
        self.config, self.rl, self.prompts, self.out = config, config.rl, list(prompts), out
        self.tokenizer = load_tokenizer(tokenizer).tokenizer
        self.ends, self.vocabulary = ends, vocabulary
        self.limits = self._limits()
        self.models = models
        self.strata = strata_of(self.prompts, config.rl)
        self.chosen = canonical_digest([one.id for one in self.prompts])
        self.order = Order(self.strata, config.seed)
        self.served = None if self.rl.served is None else ServedPolicy(config, out, ends)
        self.judges = StageJudges.of(self.rl, out) if is_first() else None
        self.rollouts: list[Rollout] = []
        self.read = 0  # tokens of the last batch, over all ranks
        self.values: dict[str, Any] = {}
        self.phase = 0
        self.go_on_from_step(step)

    def _limits(self) -> Limits | None:
        """What ends answers and thoughts beside their own ends, where the recipe asks for it."""
        if not self.rl.stop and self.rl.think_tokens is None:
            return None
        closing = self.tokenizer.encode(CLOSING, add_special_tokens=False).ids

        def decode(ids: Sequence[int]) -> str:
            return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

        return Limits(decode, tuple(self.rl.stop), self.rl.think_tokens, tuple(closing))

    def go_on_from_step(self, step: int) -> None:
        """Be where the stage was after a step: within a batch its rollouts are read again."""
        batch, phase = divmod(step, self.config.updates)
        self.order = Order(self.strata, self.config.seed)
        if not step:
            return
        rollouts, state = read_rollouts(self.out, batch if phase else batch - 1)
        if state["prompts"] != self.chosen:
            raise CurateError(
                f"{self.out} began with other prompts than rl.pass_rate and data.validation choose now; put the pass "
                "rates back, or begin in another folder"
            )
        self.rollouts = rollouts if phase else []
        self.order.go_on(state)

    def prepare(self, model: Sequence[Any], step: int) -> None:
        """Sample and judge, where a batch begins; nothing is learned from a sampler that disagrees with the trainer."""
        batch, self.phase = divmod(step - 1, self.config.updates)
        self.values = {}
        if self.phase == 0:
            if self.served is not None and self.served.hand_over(model, batch, step - 1):
                self.agreed = False
            self.rollouts = self._sampled(model, batch)
            if self.served is not None:
                look_again(self.config, model, self.objective, self.rollouts)
                self.values.update(self.served.measures(self.rollouts, step - 1))
            self._check_parity(model)
            if is_first():
                write_rollouts(self.out, batch, self.rollouts, {**self.order.state(), "prompts": self.chosen})
            torch.distributed.barrier()

    def _check_parity(self, model: Sequence[Any]) -> None:
        """Before a call's first batch, or that of a server's new weights, is learned from: both agree on its tokens."""
        if self.agreed:
            return
        bound, remedy = None, ""
        if self.served is None:
            drift = drift_of(self.config, model, self.objective, self.rollouts)
        else:
            drift = self.served.drift(self.rollouts[:SEQUENCES])
            bound, remedy = self.served.served.most_drift, "; " + REMEDY[self.served.served.engine]
        refuse_drift(drift, bound, self.config.precision, remedy)
        self.values.update(sampler_drift=drift.largest, sampler_drift_mean=drift.mean)
        self.agreed = True

    def _sampled(self, model: Sequence[Any], batch: int) -> list[Rollout]:
        rl = self.rl
        kept: list[list[Rollout]] = []
        flat: list[list[Rollout]] = []
        everything: list[list[Rollout]] = []
        begun, scoring = time.perf_counter(), 0.0
        if self.judges is not None:
            self.judges.begin_batch()
        seen: Counter[int] = Counter()  # a prompt that comes twice in a batch has answers of its own each time
        for number in range(rl.rounds):
            if len(kept) >= rl.groups:
                break
            wanted = math.ceil(rl.groups * rl.candidates) if number == 0 else rl.groups - len(kept)
            numbers = self.order.take(wanted)
            groups = self.answered(model, numbers, batch, seen)
            started = time.perf_counter()
            groups = self.judged(groups)
            scoring += time.perf_counter() - started
            for group in groups:
                (flat if give_advantages(group, rl) else kept).append(group)
                self.order.tell(group[0].number, all(one.state == "right" for one in group), rl.revisit)
            everything += groups
        sampling = time.perf_counter() - begun - scoring
        if len(kept) > rl.groups:
            kept = most_diverse(kept, rl.groups)
        chosen = [*kept, *flat][: rl.groups]
        for group in chosen[len(kept) :] if kept else []:
            for one in group:  # nothing is learned of a group without variance, where there are others
                one.learned = False
        self._tell(everything, kept, sampling, scoring)
        return [one for group in chosen for one in group]

    def answered(
        self, model: Sequence[Any], numbers: Sequence[int], batch: int, seen: Counter[int]
    ) -> list[list[Rollout]]:
        """Answers to prompts, group by group in their order, sampled by all data-parallel ranks together."""
        rank, size = parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()
        asked, count = [], self.rl.samples
        for number in numbers:
            first = seen[number] * count
            asked.append(Asked(self.prompts[number].ids, number, range(first, first + count)))
            seen[number] += 1
        mine = asked[rank::size]
        if self.served is not None:
            numbered = {(one.number, one.samples.start) for one in mine}
            told = self.served.answers(asked, self.config.seed, batch)
            answers = [one for one in told if (one.prompt, one.sample // count * count) in numbered]
        else:
            answers = generate(
                bare(model), mine, sampling_of(self.rl), self.ends, self.vocabulary, self.config.seed, batch,
                self.rl.slots, self.limits,
            )  # fmt: skip
        own = [self.rollout(answer, self.prompts[answer.prompt]) for answer in answers]
        score(own, self.models, self.config)
        found: list[list[Rollout]] = [own]
        if size > 1:
            found = [[] for _ in range(size)]
            torch.distributed.all_gather_object(found, own, group=parallel_state.get_data_parallel_group())
        groups: dict[tuple[int, int], list[Rollout]] = {(one.number, one.samples.start // count): [] for one in asked}
        for rollout in (one for each in found for one in each):
            groups[rollout.number, rollout.sample // count].append(rollout)
        return list(groups.values())

    def rollout(self, answer: Answer, prompt: AskedPrompt) -> Rollout:
        """An answer to a prompt with its text, not yet judged."""
        words = answer.ids[:-1] if answer.ids[-1] in self.ends else answer.ids
        text = self.tokenizer.decode(words, skip_special_tokens=False)
        for stop in self.rl.stop:
            text = text.split(stop)[0]
        return Rollout(
            prompt.id, answer.prompt, answer.sample, prompt.question, text, list(prompt.ids), answer.ids,
            [float(np.float32(one)) for one in answer.log_probabilities], answer.ended,
        )  # fmt: skip

    def judged(self, groups: list[list[Rollout]]) -> list[list[Rollout]]:
        """The groups with verdicts and rewards, which the first rank gives."""
        told: list[list[list[Rollout]]] = [groups]
        first_only(lambda: self._judge(groups))  # a judge that is down may take longer than a collective waits
        if torch.distributed.get_world_size() > 1:
            torch.distributed.broadcast_object_list(told, 0)
        return told[0]

    def _judge(self, groups: list[list[Rollout]]) -> None:
        assert self.judges is not None
        judge([one for group in groups for one in group], self.prompts, self.rl, self.judges)
        if self.rl.rewards == "shuffled":
            _shuffle_rewards(groups, self.config.seed)

    def _tell(self, groups: list[list[Rollout]], kept: list[list[Rollout]], sampling: float, scoring: float) -> None:
        every = [one for group in groups for one in group]
        judged = [one.reward for one in every if one.reward is not None]
        gold = [one.gold for one in every if one.gold is not None]
        tokens = sum(len(one.ids) for one in every)
        share = {
            state: sum(one.state == state for one in every) / len(every) for state in ("right", "unparsed", "failed")
        }
        self.values = {
            "reward": float(np.mean(judged)) if judged else float("nan"),
            **{f"{state}_share": value for state, value in share.items()},
            "flat_groups_share": 1 - len(kept) / max(1, len(groups)),
            "answer_tokens": tokens / len(every),
            "truncated_share": sum(not one.ended for one in every) / len(every),
            "sampled_tokens_per_second": tokens / max(sampling, 1e-9),
            "sampling_seconds": sampling,
            "scoring_seconds": scoring,
            **(self.judges.agreement.told() if self.judges is not None and self.rl.judge is not None else {}),
            **({"gold_reward": float(np.mean(gold))} if gold else {}),
            **({"reward_by": means} if len(means := mean_parts(every)) > 1 else {}),
            **({"share_of_advantage": shares} if len(shares := shares_of_advantage(groups)) > 2 else {}),
            "mastered_prompts": float(len(self.order.mastered)),
            "prompt_epoch": float(self.order.epoch),
        }

    def micro_batches(self, count: int) -> list[Batch]:
        """This rank's micro-batches of the step."""
        config = self.config
        order = list(range(len(self.rollouts)))
        steps = len(order) // config.batch.global_
        epoch, part = divmod(self.phase, steps)
        random.Random(f"{config.seed}/{epoch}/{len(order)}").shuffle(order)
        share = order[part * config.batch.global_ : (part + 1) * config.batch.global_]
        size = parallel_state.get_data_parallel_world_size()
        mine = share[parallel_state.get_data_parallel_rank() :: size]
        longest = max(len(one.prompt_ids) + len(one.ids) for one in self.rollouts) - 1
        width = padded_width(longest, config)
        self.read = sum(len(self.rollouts[number].prompt_ids) + len(self.rollouts[number].ids) for number in share)
        rows = [self.rollouts[number] for number in mine]
        micro = config.batch.micro
        return [collated(rows[at * micro : (at + 1) * micro], width) for at in range(count)]

    windows = False  # prompts and answers are as long as they are

    def tokens(self, size: int) -> int:
        """Tokens of prompts and answers in the last batch."""
        return self.read

    def documents(self, first: int, size: int) -> list[str]:
        """Ids of the prompts of the batch at hand."""
        return sorted({one.prompt for one in self.rollouts})

    def go_on_from(self, position: int) -> None:
        """Begin again at another position, as after a rollback."""
        self.go_on_from_step(position // self.config.batch.global_)

    def close(self) -> None:
        """End the judges."""
        if self.judges is not None:
            self.judges.close()


def most_diverse(groups: Sequence[list[Rollout]], wanted: int) -> list[list[Rollout]]:
    """The groups whose rewards differ most, in the order in which they were asked."""
    spread = [float(np.nanstd([np.nan if one.reward is None else one.reward for one in group])) for group in groups]
    best = sorted(range(len(groups)), key=lambda number: (-spread[number], number))[:wanted]
    return [list(groups[number]) for number in sorted(best)]


def _shuffle_rewards(groups: Sequence[Sequence[Rollout]], seed: int) -> None:
    """A control: rewards dealt out among all rollouts of a batch, so that they tell nothing."""
    every = [one for group in groups for one in group]
    rewards = [one.reward for one in every]
    random.Random(f"{seed}/{every[0].text}").shuffle(rewards)
    for one, reward in zip(every, rewards, strict=True):
        one.reward = reward


def bare(model: Sequence[Any]) -> list[Any]:
    """The parts of a model within Megatron's data parallelism."""
    return [getattr(part, "module", part) for part in model]
