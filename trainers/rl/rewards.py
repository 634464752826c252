"""From verdicts to rewards: weighted scores, vetoes, and what an answer that ran out of room loses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from schemas.errors import CurateError
from schemas.rollout import Rollout
from schemas.verdict import Verdict
from trainers.rl.advantages import group_advantages
from trainers.rl.judging import StageJudges
from trainers.rl.prompts import AskedPrompt
from trainers.rl.settings import Also, RewardModelUse, RlConfig, Scale
from verifiers.bounded import Question
from verifiers.judging.principles import HARD
from verifiers.open_question import OPEN

PRINCIPLES = "principles"  # what their verdict is called among those of verifiers
AS_IT_IS = Scale()


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


def judge(rollouts: Sequence[Rollout], prompts: Sequence[AskedPrompt], rl: RlConfig, judges: StageJudges) -> None:
    """Give each rollout its verdicts and its reward; one with a failed verdict has none.

    Scores of reward models stand in the rollouts already.

    Raises:
        CurateError: where more than `most_failed` of them failed.
    """
    gold = rl.gold if isinstance(rl.gold, Also) else None
    further = [*rl.also, *([gold] if gold else [])]
    asked = [
        [Question(prompts[one.number].verifier, one.question, one.text, prompts[one.number].reference),
         *(Question(more.verifier, one.question, one.text, more.reference) for more in further)]
        for one in rollouts
    ]  # fmt: skip
    own = [questions[0] for questions in asked]
    verdicts = iter(judges.by_rules([question for each in asked for question in each]))
    by_rule = [[next(verdicts) for _ in each] for each in asked]
    decided = judges.behind_rules(own, [each[0] for each in by_rule])
    principled = judges.by_principles(own)
    weights = [rl.rule_weight, *(more.weight for more in further)]
    failures = 0
    for number, (one, questions) in enumerate(zip(rollouts, asked, strict=True)):
        found = [decided[number], *by_rule[number][1:]]
        told = [
            Judged(question.verifier, 0.0 if _decides_nothing(question, verdict) else weight, verdict)
            for question, weight, verdict in zip(questions, weights, found, strict=True)
        ]
        if principled is not None and rl.principles is not None:
            told.insert(1, Judged(PRINCIPLES, rl.principles.weight, principled[number]))
        one.verdicts = json.dumps([each.told() for each in told], ensure_ascii=False)
        one.state = told[0].verdict.state
        one.gold = _gold(told, one, rl)
        _reward(told[:-1] if gold else told, one, rl)
        failures += one.reward is None
    if failures > rl.most_failed * len(rollouts):
        example = next(one for one in rollouts if one.reward is None)
        raise CurateError(
            f"{failures} of {len(rollouts)} answers got no verdict (rl.most_failed {rl.most_failed}), such as of "
            f"prompt {example.prompt}, sample {example.sample}: {_why_failed(example)}"
        )


def _decides_nothing(question: Question, verdict: Verdict) -> bool:
    """Whether no rule judges the question, and no model did in its place."""
    return question.verifier == OPEN and verdict.state == "unparsed"


def _why_failed(rollout: Rollout) -> str:
    return next(str(one["why"]) for one in json.loads(rollout.verdicts) if one["state"] == "failed")


def _reward(told: Sequence[Judged], rollout: Rollout, rl: RlConfig) -> None:
    """Set what a reward is made of, and the reward: the weighted mean, less vetoes and what is over-long.

    Where a verdict failed there is none.
    """
    if any(one.verdict.state == "failed" for one in told):
        return
    parts = {}
    for number, one in enumerate(told):
        score = rl.unparsed if number == 0 and one.verdict.state == "unparsed" else one.verdict.score
        if one.weight:
            name = one.verifier if number == 0 or one.verifier == PRINCIPLES else f"also/{number}/{one.verifier}"
            scale = rl.scales.get(one.verifier, AS_IT_IS)
            parts[name] = (one.weight, (score - scale.mean) / scale.deviation)
    scores = json.loads(rollout.scores)
    for use in rl.reward_models:
        parts.update({f"{use.path}/{name}": (weight, scores[use.path][name]) for name, weight in use.weights.items()})
    whole = sum(abs(weight) for weight, _ in parts.values())
    total = sum(weight * score for weight, score in parts.values()) / whole if whole else 0.0
    flags = {flag for one in told for flag in one.verdict.flags}
    hard = rl.principles.hard_penalty if rl.principles else 0.0
    total -= sum(rl.vetoes.get(flag, hard if flag.startswith(HARD) else 0.0) for flag in flags)
    if rl.over_long == "shape":  # DAPO, equation 13: a linear loss over the last tokens
        beyond = max(0, len(rollout.ids) - (rl.max_tokens - rl.over_long_buffer))
        total -= rl.over_long_penalty * beyond / rl.over_long_buffer
    rollout.parts, rollout.reward = json.dumps(parts, ensure_ascii=False), total


def _gold(told: Sequence[Judged], rollout: Rollout, rl: RlConfig) -> float | None:
    """The reward that nothing is learned from, where there is one."""
    if isinstance(rl.gold, RewardModelUse):
        scores, weights = json.loads(rollout.scores)[rl.gold.path], rl.gold.weights
        return float(sum(weight * scores[name] for name, weight in weights.items()) / sum(map(abs, weights.values())))
    if rl.gold is None or told[-1].verdict.state == "failed":
        return None
    return told[-1].verdict.score


def mean_parts(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """The mean score of each part of the reward, over the answers that have it."""
    found: dict[str, list[float]] = {}
    for one in rollouts:
        if one.reward is not None:
            for name, (_, score) in json.loads(one.parts).items():
                found.setdefault(name, []).append(score)
    return {name: float(np.mean(scores)) for name, scores in sorted(found.items())}


def shares_of_advantage(groups: Sequence[Sequence[Rollout]]) -> dict[str, float]:
    """How much of the variance of rewards within groups each part accounts for: its covariance with the reward.

    Shares of all parts, and of what vetoes and lengths take off, add up to one.
    """
    totals: dict[str, float] = {}
    variance = 0.0
    for group in groups:
        alive = [one for one in group if one.reward is not None]
        if len(alive) < 2:
            continue
        rewards = np.array([one.reward for one in alive])
        rewards = rewards - rewards.mean()
        variance += float(rewards @ rewards)
        parts = [json.loads(one.parts) for one in alive]
        for name in {name for each in parts for name in each}:
            values = np.array([_weighed(each, name) for each in parts])
            totals[name] = totals.get(name, 0.0) + float((values - values.mean()) @ rewards)
    if not variance:
        return {}
    shares = {name: value / variance for name, value in sorted(totals.items())}
    return {**shares, "taken_off": 1 - sum(shares.values())}


def _weighed(parts: dict[str, list[float]], name: str) -> float:
    weight, score = parts.get(name, (0.0, 0.0))
    whole = sum(abs(one) for one, _ in parts.values())
    return weight * score / whole if whole else 0.0


def give_advantages(group: Sequence[Rollout], rl: RlConfig) -> bool:
    """Set the advantages of one group; returns whether it is to be dropped for want of variance."""
    rewards = torch.tensor([float("nan") if one.reward is None else one.reward for one in group], dtype=torch.float64)
    told, dropped = group_advantages(rewards, rl.normalise, rl.ddof)
    for one, advantage in zip(group, told.tolist(), strict=True):
        one.advantage = None if advantage != advantage else advantage
        one.learned = one.advantage is not None and not (rl.over_long == "mask" and not one.ended)
    return dropped
