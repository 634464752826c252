"""From verdicts to rewards: weighted scores, vetoes, and what an answer that ran out of room loses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from schemas.errors import CurateError
from schemas.rollout import Rollout
from schemas.verdict import Verdict
from trainers.rl.advantages import group_advantages
from trainers.rl.prompts import AskedPrompt
from trainers.rl.settings import RlConfig
from verifiers.bounded import Judges, Question


@dataclass(frozen=True)
class Judged:
    """A verdict and by whom."""

    verifier: str
    weight: float
    verdict: Verdict

    def told(self) -> dict[str, Any]:
        """As a rollout's row holds it."""
        one = self.verdict
        return {
            "verifier": self.verifier, "state": one.state, "score": one.score, "extracted": one.extracted,
            "why": one.why, "flags": list(one.flags),
        }  # fmt: skip


def judge(rollouts: Sequence[Rollout], prompts: Sequence[AskedPrompt], rl: RlConfig, judges: Judges) -> None:
    """Give each rollout its verdicts and its reward; one with a failed verdict has none.

    Raises:
        CurateError: where more than `most_failed` of them failed.
    """
    asked = [
        [Question(prompts[one.number].verifier, one.question, one.text, prompts[one.number].reference),
         *(Question(more.verifier, one.question, one.text, more.reference) for more in rl.also)]
        for one in rollouts
    ]  # fmt: skip
    verdicts = iter(judges.judge([question for each in asked for question in each]))
    weights = [1.0, *(more.weight for more in rl.also)]
    failures = 0
    for one, questions in zip(rollouts, asked, strict=True):
        told = [
            Judged(question.verifier, weight, next(verdicts))
            for question, weight in zip(questions, weights, strict=True)
        ]
        one.verdicts = json.dumps([each.told() for each in told], ensure_ascii=False)
        one.state = told[0].verdict.state
        one.reward = reward_of(told, one, rl)
        failures += one.reward is None
    if failures > rl.most_failed * len(rollouts):
        example = next(one for one in rollouts if one.reward is None)
        raise CurateError(
            f"{failures} of {len(rollouts)} answers got no verdict (rl.most_failed {rl.most_failed}), such as of "
            f"prompt {example.prompt}, sample {example.sample}: {json.loads(example.verdicts)[0]['why']}"
        )


def reward_of(told: Sequence[Judged], rollout: Rollout, rl: RlConfig) -> float | None:
    """Weighted mean of scores, less vetoes and what is over-long; None where a verdict failed."""
    if any(one.verdict.state == "failed" for one in told):
        return None
    scores = [
        rl.unparsed if number == 0 and one.verdict.state == "unparsed" else one.verdict.score
        for number, one in enumerate(told)
    ]
    total = sum(score * one.weight for score, one in zip(scores, told, strict=True)) / sum(one.weight for one in told)
    flags = {flag for one in told for flag in one.verdict.flags}
    total -= sum(rl.vetoes.get(flag, 0.0) for flag in flags)
    if rl.over_long == "shape":  # DAPO, equation 13: a linear loss over the last tokens
        beyond = max(0, len(rollout.ids) - (rl.max_tokens - rl.over_long_buffer))
        total -= rl.over_long_penalty * beyond / rl.over_long_buffer
    return total


def give_advantages(group: Sequence[Rollout], rl: RlConfig) -> bool:
    """Set the advantages of one group; returns whether it is to be dropped for want of variance."""
    rewards = torch.tensor([float("nan") if one.reward is None else one.reward for one in group], dtype=torch.float64)
    told, dropped = group_advantages(rewards, rl.normalise, rl.ddof)
    for one, advantage in zip(group, told.tolist(), strict=True):
        one.advantage = None if advantage != advantage else advantage
        one.learned = one.advantage is not None and not (rl.over_long == "mask" and not one.ended)
    return dropped
