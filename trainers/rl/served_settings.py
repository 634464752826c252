"""The part of a stage's recipe that lets another engine sample."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from endpoints.settings import Endpoint, SamplingSettings


class ServedConfig(Endpoint):
    """Rollouts by a server (vLLM, SGLang) that takes token ids and gives their log-probabilities.

    Weights are handed over as a Hugging Face folder below `weights` (default: `policy/` in the stage's folder),
    which the server must see, before every `every`-th batch; a batch is at most `every` - 1 batches behind.
    What the engines tell apart is weighed by min(trainer / server, `importance_cap`), by token or by sequence
    (Yao et al. 2025). `most_drift`: in the place of the gate's bound (1e-4 at most in fp32, 5e-2 in the mean in bf16).
    """

    engine: Literal["vllm", "sglang"] = "vllm"
    weights: str | None = None
    every: int = Field(1, ge=1)
    importance: Literal["token", "sequence"] = "token"
    importance_cap: float = Field(2.0, gt=0)
    most_drift: float | None = Field(None, gt=0)
    concurrency: int = Field(256, ge=1)
    requests_per_second: float = Field(5000.0, gt=0)

    @field_validator("sampling")
    @classmethod
    def _not_here(cls, value: SamplingSettings) -> SamplingSettings:
        if value != SamplingSettings():
            raise ValueError(
                "served.sampling has no part here: rl.temperature, top_p, top_k, max_tokens and stop say it"
            )
        return value
