"""The gated feed-forward layer, its activation in as few passes over memory as plain torch allows."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer.mlp import MLP


class _GatedSilu(torch.autograd.Function):
    """silu(gate) * up over [gate, up] laid side by side; their gradient takes their place, nobody reads them after."""

    @staticmethod
    def forward(ctx: Any, both: torch.Tensor) -> torch.Tensor:
        gate, up = both.chunk(2, -1)
        activated = torch.nn.functional.silu(gate)
        ctx.save_for_backward(both, activated)
        return activated * up

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        both, activated = ctx.saved_tensors
        (gate, up), gradient = both.chunk(2, -1), gradients[0]
        to_activated = gradient * up
        torch.mul(activated, gradient, out=up)
        torch.ops.aten.silu_backward.grad_input(to_activated, gate, grad_input=gate)
        return both  # type: ignore[no-any-return]


class GatedFeedForward(MLP):  # type: ignore[misc]
    """Megatron-Core's; on GPUs with its fused activation, on CPUs with ours."""

    def forward(self, hidden_states: torch.Tensor, *more: Any, **named: Any) -> tuple[torch.Tensor, Any]:
        """Shapes: [s, b, hidden] to [s, b, hidden]."""
        if self.config.bias_activation_fusion:
            return super().forward(hidden_states, *more, **named)
        both, _ = self.linear_fc1(hidden_states)
        return self.linear_fc2(_GatedSilu.apply(both))
