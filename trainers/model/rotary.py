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
