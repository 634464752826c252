"""The part of a stage's recipe that says how answers are sampled, judged and learned from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.recipe import Strict
from trainers.rl.served_settings import ServedConfig
from verifiers.judging.settings import JudgeConfig, PrinciplesUse


class Also(Strict):
    """A further verifier for every prompt, with its reference and its weight beside the prompt's own of 1."""

    verifier: str
    reference: dict[str, Any] = {}
    weight: float = Field(0.2, gt=0)


class RewardModelUse(Strict):
    """A trained reward model (a stage's folder), and what each of its aspects weighs; aspects left out weigh nothing.

    Its scores are standardised by the mean and deviation that it had on held-out pairs, which stay as they are.
    """

    path: str
    weights: dict[str, float] = Field(min_length=1)


class Scale(Strict):
    """Mean and deviation that a verifier's scores are standardised by; they are measured once and do not change."""

    mean: float = 0.0
    deviation: float = Field(1.0, gt=0)


class RlConfig(Strict):
    """GRPO (Shao et al. 2024) with the changes of DAPO, Dr. GRPO and GSPO by choice.

    `groups` prompts of `samples` answers make a batch, learned in `epochs` passes. Groups without variance
    are replaced by other prompts, in at most `rounds` rounds. A prompt all of whose answers are right is
    mastered and left out for `revisit` epochs. `over_long`: answers cut at `max_tokens` are kept, left out
    of the loss (`mask`), or lose up to `over_long_penalty` of reward over the last `over_long_buffer`
    tokens (`shape`). `think_tokens`: a thought that is longer is closed; `stop`: texts that end an answer.
    `unparsed`: the reward of an answer that commits itself to nothing. `vetoes`: what a flag takes from the
    reward. `scales`: by which statistics a
    verifier's scores are standardised, by its name, where they are not taken as they are (`curate train rl difficulty`
    tells them). `rule_weight`: what a prompt's own verifier weighs beside `also` and `reward_models`. `judge`
    decides where the rule reads nothing; `principles` weigh beside it. `candidates` times `groups` prompts are
    answered, and those whose rewards differ most are learned. Prompts are drawn from `strata` in equal shares,
    within the weights of their components; with `pass_rate` only those whose measured share of right answers
    lies between two bounds. `gold` is a reward that nothing is learned from: where the reward rises over
    `gold_window` batches while it falls, the stage stops.
    `served`: another engine samples. A rank that does not move for `hang_seconds` is named, and ends the stage.
    More than `most_failed` of verdicts failed in a batch stop the stage.
    """

    groups: int = Field(8, ge=1)
    samples: int = Field(32, ge=2)
    epochs: int = Field(1, ge=1)
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    max_tokens: int = Field(512, ge=1)
    think_tokens: int | None = Field(None, ge=1)
    stop: list[str] = []
    slots: int = Field(64, ge=1)
    served: ServedConfig | None = None
    hang_seconds: float = Field(900.0, gt=0)
    rounds: int = Field(3, ge=1)
    revisit: int = Field(2, ge=0)
    normalise: Literal["std", "none", "leave_one_out"] = "std"
    ddof: Literal[0, 1] = 1
    clip_low: float = Field(0.2, gt=0, lt=1)
    clip_high: float = Field(0.28, gt=0)
    aggregation: Literal["token", "sequence", "constant"] = "token"
    ratio: Literal["token", "sequence"] = "token"
    kl: float = Field(0.0, ge=0)
    over_long: Literal["keep", "mask", "shape"] = "keep"
    over_long_buffer: int = Field(64, ge=1)
    over_long_penalty: float = Field(0.5, ge=0)
    also: list[Also] = []
    scales: dict[str, Scale] = {}
    rule_weight: float = Field(1.0, ge=0)
    reward_models: list[RewardModelUse] = []
    judge: JudgeConfig | None = None
    principles: PrinciplesUse | None = None
    gold: RewardModelUse | Also | None = None
    gold_window: int = Field(20, ge=5)
    candidates: float = Field(1.0, ge=1)
    strata: list[Literal["task", "difficulty"]] = []
    pass_rate: tuple[float, float] | None = None
    unparsed: float = 0.0
    vetoes: dict[str, float] = {}
    most_failed: float = Field(0.2, ge=0, le=1)
    held_out_prompts: int = Field(64, ge=0)
    judges: int = Field(2, ge=1)
    rewards: Literal["verifiers", "shuffled"] = "verifiers"

    @model_validator(mode="after")
    def _buffer_fits(self) -> RlConfig:
        if self.over_long == "shape" and self.over_long_buffer > self.max_tokens:
            raise ValueError("over_long_buffer is above max_tokens")
        if self.think_tokens is not None and self.think_tokens >= self.max_tokens:
            raise ValueError("think_tokens must leave room for an answer below max_tokens")
        if self.served is not None and self.think_tokens is not None:
            raise ValueError(
                "think_tokens: a server cannot be told to close a thought; sample in process, or leave it out"
            )
        if not all(self.stop):
            raise ValueError("stop: an empty text would end every answer")
        if self.pass_rate is not None and not 0 <= self.pass_rate[0] < self.pass_rate[1] <= 1:
            raise ValueError("pass_rate: give two bounds in [0, 1], the lower one first")
        return self

    @property
    def scored_by(self) -> list[RewardModelUse]:
        """All reward models that look at answers, also the one that nothing is learned from."""
        gold = [self.gold] if isinstance(self.gold, RewardModelUse) else []
        return [*self.reward_models, *gold]
