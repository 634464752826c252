"""A rollout: an answer sampled from a policy, with every verdict, its reward and its advantage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

ROLLOUTS = pa.schema(
    [
        pa.field("prompt", pa.string(), nullable=False),  # id of the document that the prompt is
        pa.field("number", pa.int64(), nullable=False),  # of the prompt among its stage's
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("prompt_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("ids", pa.list_(pa.int32()), nullable=False),
        pa.field("log_probabilities", pa.list_(pa.float32()), nullable=False),
        pa.field("trained", pa.list_(pa.float32())),  # by the trainer, where another engine sampled
        pa.field("ended", pa.bool_(), nullable=False),
        pa.field("verdicts", pa.string(), nullable=False),  # JSON: verifier, state, score, extracted, why, flags
        pa.field("scores", pa.string(), nullable=False),  # JSON: standardised score by reward model and aspect
        pa.field("state", pa.string(), nullable=False),  # of the prompt's own verifier
        pa.field("parts", pa.string(), nullable=False),  # JSON: [weight, value] by what the reward is made of
        pa.field("gold", pa.float64()),  # a reward that nothing is learned from
        pa.field("reward", pa.float64()),  # null where a verdict failed
        pa.field("advantage", pa.float64()),
        pa.field("learned", pa.bool_(), nullable=False),
    ]
)


@dataclass
class Rollout:
    """One row of `ROLLOUTS`."""

    prompt: str
    number: int
    sample: int
    question: str
    text: str
    prompt_ids: list[int]
    ids: list[int]
    log_probabilities: list[float]
    ended: bool
    verdicts: str = "[]"
    scores: str = "{}"
    state: str = "failed"
    parts: str = "{}"
    gold: float | None = None
    reward: float | None = None
    advantage: float | None = None
    learned: bool = False
    trained: list[float] | None = None

    def row(self) -> dict[str, Any]:
        """The columns, the lists themselves: a batch has thousands of answers, which are not copied."""
        return dict(vars(self))
