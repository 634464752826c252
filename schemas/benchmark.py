"""A question of a benchmark."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class BenchmarkItem(BaseModel):
    """One question of a benchmark: options in order, the answer as letters or text, its contexts."""

    model_config = ConfigDict(frozen=True)
    benchmark: str
    id: str
    question: str
    options: tuple[str, ...] = ()
    answer: str = ""
    contexts: tuple[str, ...] = ()
    explanation: str = ""
