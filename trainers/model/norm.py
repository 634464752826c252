"""RMSNorm that also works where the sequence is split over tensor-parallel ranks."""

from __future__ import annotations

import torch
from megatron.core.transformer.transformer_config import TransformerConfig


class RMSNorm(torch.nn.RMSNorm):
    """torch's RMSNorm (fused on GPUs) with Megatron's mark for gradients summed over the sequence's parts."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-6, **ignored: object) -> None:
        super().__init__(hidden_size, eps=eps, dtype=config.params_dtype)
        self.weight.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]
