"""What reinforcement learning adds to steps: rewards in the log, and held-out rewards."""

from __future__ import annotations

import numpy as np

from trainers.generation.generate import Asked, generate
from trainers.generation.sampling import Sampling
from trainers.loop.experiment import Experiment, Hook, Step
from trainers.parallel.groups import is_first
from trainers.parallel.waiting import first_only
from trainers.rl.prompts import AskedPrompt
from trainers.rl.reward_models import score
from trainers.rl.rewards import judge
from trainers.rl.source import RolloutSource, bare


class Rewards(Hook):
    """Adds the source's numbers to a step's record."""

    def judge(self, run: Experiment, step: Step) -> None:
        """Numbers of the batch that was sampled for this step."""
        assert isinstance(run.source, RolloutSource)
        step.values.update(run.source.values)


class HeldOut(Hook):
    """Greedy answers to held-out prompts, every `validation.every` steps and at the end."""

    def __init__(self, prompts: list[AskedPrompt]) -> None:
        self.prompts = prompts

    def judge(self, run: Experiment, step: Step) -> None:
        """The mean reward and the share of right answers before this step is applied."""
        due = (step.number - 1) % run.config.validation.every == 0 or step.number == run.last
        if not due or not self.prompts:
            return
        reward, right = held_out_rewards(run, self.prompts)
        if is_first():
            step.values.update(held_out_reward=reward, held_out_right_share=right)


def held_out_rewards(run: Experiment, prompts: list[AskedPrompt]) -> tuple[float, float]:
    """Mean reward, and share of answers that are right, of the likeliest answers."""
    source = run.source
    assert isinstance(source, RolloutSource)
    sampling = Sampling(temperature=0.0, max_tokens=source.rl.max_tokens)
    asked = [Asked(one.ids, number, range(1)) for number, one in enumerate(prompts)]
    answers = generate(
        bare(run.model), asked, sampling, source.ends, source.vocabulary, 0, 0, source.rl.slots, source.limits
    )
    rollouts = [source.rollout(answer, prompts[answer.prompt]) for answer in answers]
    score(rollouts, source.models, run.config)
    judges = source.judges
    first_only(lambda: judge(rollouts, prompts, source.rl, judges) if judges is not None else None)
    rewards = [one.reward for one in rollouts if one.reward is not None]
    return float(np.mean(rewards)) if rewards else float("nan"), sum(one.state == "right" for one in rollouts) / len(
        rollouts
    )
