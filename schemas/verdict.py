"""A verdict on an answer, and a labelled answer that verifiers are audited by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

State = Literal["right", "partly", "wrong", "unparsed", "failed"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Verdict:
    """What a verifier found.

    Attributes:
        state: *failed* is no judgement (a crash, a time-out, a judge that did not answer): never a zero.
        score: in [0, 1]; 1 where right, 0 where wrong or unparsed.
        extracted: what the answer was taken to say; None where nothing was.
        flags: vetoes, such as `contraindicated`, whose penalty a recipe sets.
        parts: scores by part, such as precision and recall.
    """

    state: State
    score: float
    extracted: Any
    why: str
    flags: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)


def right(extracted: Any, why: str, **more: Any) -> Verdict:
    """Everything that was asked for is there."""
    return Verdict("right", 1.0, extracted, why, **more)


def partly(score: float, extracted: Any, why: str, **more: Any) -> Verdict:
    """Some of it is."""
    return Verdict("partly", score, extracted, why, **more)


def wrong(extracted: Any, why: str, **more: Any) -> Verdict:
    """An answer, and not the right one."""
    return Verdict("wrong", 0.0, extracted, why, **more)


def unparsed(why: str, **more: Any) -> Verdict:
    """No answer that the text commits itself to."""
    return Verdict("unparsed", 0.0, None, why, **more)


def failed(why: str) -> Verdict:
    """No judgement: whoever asked is to leave this answer out, and to count it."""
    return Verdict("failed", 0.0, None, why)


class LabelledAnswer(BaseModel):
    """A line of a file of cases: an answer with the verdict that a careful examiner gives."""

    model_config = ConfigDict(extra="ignore")

    id: str
    class_: str = Field(default="", alias="class")
    prompt: str = ""
    answer: str
    reference: dict[str, Any]
    expected: Literal["right", "partly", "wrong", "unparsed"]
    also: list[Literal["right", "partly", "wrong", "unparsed"]] = []
