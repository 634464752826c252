"""Rotary positions by the position of each token, so that they restart in every packed sequence."""

from __future__ import annotations

import math
from typing import Any

import torch

from trainers.model.config import ModelConfig, RotaryScaling


def inverse_frequencies(config: ModelConfig) -> torch.Tensor:
    """One frequency for each pair of dimensions of a head; shape (width / 2,)."""
    steps = torch.arange(0, config.width, 2, dtype=torch.int64).float() / config.width
    frequencies = 1.0 / (config.rotary_base**steps)
    return frequencies if config.rotary_scaling is None else _scaled(frequencies, config.rotary_scaling)


def _scaled(frequencies: torch.Tensor, scaling: RotaryScaling) -> torch.Tensor:
    """Long waves are stretched by `factor`, short ones stay, those between are blended."""
    wavelengths = 2 * math.pi / frequencies
    long = scaling.original_max_position / scaling.low_freq_factor
    short = scaling.original_max_position / scaling.high_freq_factor
    span = scaling.high_freq_factor - scaling.low_freq_factor
    smooth = (scaling.original_max_position / wavelengths - scaling.low_freq_factor) / span
    blended = (1 - smooth) * frequencies / scaling.factor + smooth * frequencies
    stretched = torch.where(wavelengths > long, frequencies / scaling.factor, frequencies)
    return torch.where((wavelengths >= short) & (wavelengths <= long), blended, stretched)


class RotaryPositions(torch.nn.Module):
    """Takes the place of Megatron-Core's rotary embedding, which knows only positions 0, 1, 2, …

    `positions`, shape (batch, sequence of this rank), is set before each forward pass.
    """

    inv_freq: torch.Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.register_buffer("inv_freq", inverse_frequencies(config), persistent=False)
        self.positions: torch.Tensor | None = None

    def get_rotary_seq_len(self, *args: Any) -> int:
        """Unused: the positions say how long the sequence is."""
        return 0

    def forward(self, length: int, packed_seq: bool = False, cp_group: Any = None) -> torch.Tensor:
        """Angles, shape [s, b, 1, width], or [s, 1, 1, width] where all rows have the same positions."""
        assert self.positions is not None
        angles = self.positions.float().t()[..., None] * self.inv_freq
        return torch.cat((angles, angles), dim=-1)[:, :, None, :]


class _Rotation(torch.autograd.Function):
    """Turns pairs of dimensions (i, i + width / 2) by an angle, without the copies of its textbook form."""

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        half = angles[..., : angles.shape[-1] // 2]
        cos, sin = half.cos().to(vectors.dtype), half.sin().to(vectors.dtype)
        ctx.save_for_backward(cos, sin)
        return _turned(vectors, cos, sin, 1.0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradients[0], cos, sin, -1.0), None


def _turned(vectors: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: float) -> torch.Tensor:
    sequence, batch, heads, width = vectors.shape
    # Laid out as attention reads it, head by head: rows a power of two apart would share cache lines' places.
    out = vectors.new_empty(batch, heads, sequence, width).permute(2, 0, 1, 3)
    (first, second), (out_first, out_second) = vectors.chunk(2, -1), out.chunk(2, -1)
    torch.mul(first, cos, out=out_first).addcmul_(second, sin, value=-sign)
    torch.mul(second, cos, out=out_second).addcmul_(first, sin, value=sign)
    return out


def rotate(vectors: torch.Tensor, angles: torch.Tensor, *ignored: Any, **also_ignored: Any) -> torch.Tensor:
    """Queries or keys [s, b, heads, width] turned by angles [s, b or 1, 1, width]."""
    return _Rotation.apply(vectors, angles)  # type: ignore[no-any-return]
