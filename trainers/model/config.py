"""What a model is: the numbers of a decoder, whichever layout it is trained in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.recipe import Strict

Family = Literal["qwen2", "qwen3", "llama"]


class RotaryScaling(Strict):
    """Llama 3's scaling of rotary frequencies to longer contexts (Grattafiori et al. 2024)."""

    factor: float = Field(8.0, gt=0)
    low_freq_factor: float = Field(1.0, gt=0)
    high_freq_factor: float = Field(4.0, gt=0)
    original_max_position: int = Field(8192, ge=1)


class ModelConfig(Strict):
    """A decoder with rotary positions, RMSNorm, SwiGLU and grouped queries.

    The three families differ in two switches: Qwen2 has biases on queries, keys and values, Qwen3
    norms on queries and keys, Llama neither.
    """

    family: Family = "llama"
    layers: int = Field(4, ge=1)
    hidden: int = Field(256, ge=8)
    heads: int = Field(8, ge=1)
    kv_heads: int = Field(2, ge=1)
    head_width: int | None = Field(None, ge=2)
    ffn: int = Field(688, ge=8)
    rotary_base: float = Field(10_000.0, gt=0)
    rotary_scaling: RotaryScaling | None = None
    tie_embeddings: bool = True
    norm_epsilon: float = Field(1e-6, gt=0)
    init_std: float = Field(0.02, gt=0)
    max_positions: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _divisible(self) -> ModelConfig:
        if self.head_width is None and self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be divisible by heads ({self.heads})")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be divisible by kv_heads ({self.kv_heads})")
        return self

    @property
    def width(self) -> int:
        """Width of one head."""
        return self.head_width or self.hidden // self.heads

    @property
    def qkv_bias(self) -> bool:
        """Whether queries, keys and values have biases."""
        return self.family == "qwen2"

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised before the dot product."""
        return self.family == "qwen3"

    def parameters(self, vocabulary: int) -> int:
        """Number of weights in matrices, with a vocabulary of this size."""
        attention = self.hidden * self.width * (2 * self.heads + 2 * self.kv_heads)
        embeddings = vocabulary * self.hidden * (1 if self.tie_embeddings else 2)
        return self.layers * (attention + 3 * self.hidden * self.ffn) + embeddings

    def flops_per_token(self, vocabulary: int, sequence_length: int) -> float:
        """Floating-point operations of a training step for one token, forward and backward.

        Six for each weight of a matrix that the token passes (the output layer among them, the
        embedding's look-up not), and 6 * layers * sequence * heads * width for causal attention:
        12 for the two products of scores and values, halved because a token sees half of the
        sequence (Chowdhery et al. 2022, appendix B; Narayanan et al. 2021).
        """
        looked_up = 0 if self.tie_embeddings else vocabulary * self.hidden
        matrices = self.parameters(vocabulary) - looked_up
        return 6.0 * matrices + 6.0 * self.layers * sequence_length * self.heads * self.width


class Lora(Strict):
    """Low-rank updates beside frozen weights (Hu et al. 2021), merged on export."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32.0, gt=0)
