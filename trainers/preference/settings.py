"""The parts of a stage's recipe that say how it learns from pairs of answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from schemas.preference import OVERALL
from schemas.recipe import Strict


class DpoConfig(Strict):
    """Direct preference optimisation (Rafailov et al. 2023) against the model that the stage starts from.

    `beta`: how far the policy may move, 0.1 in the paper. `kind`: `sigmoid` or `ipo` (Azar et al. 2023).
    `length_normalised`: log ratios by token, so that longer answers weigh no more (Meng et al. 2024).
    """

    beta: float = Field(0.1, gt=0)
    kind: Literal["sigmoid", "ipo"] = "sigmoid"
    length_normalised: bool = False


class RewardConfig(Strict):
    """A Bradley-Terry reward model: a scalar for each of `aspects`, from the last token of an answer.

    Pairs of other aspects are refused. `margin` times a pair's strength is the difference asked for
    (Llama 2, equation 2); pairs without a strength ask for none.
    """

    aspects: list[str] = Field([OVERALL], min_length=1)
    margin: float = Field(0.0, ge=0)

    @field_validator("aspects")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("an aspect is named twice")
        return value
