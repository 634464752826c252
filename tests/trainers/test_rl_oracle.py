"""Policy losses and preferences beside TRL's own code, on the same tensors."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
trl = pytest.importorskip("trl.trainer.grpo_trainer", reason="trl is not installed")

from trainers.rl.losses import policy_loss


def tensors(seed: int) -> dict[str, Any]:
    """Log-probabilities of eight answers of up to twelve tokens, in fp64."""
    chance = torch.Generator().manual_seed(seed)

    def drawn() -> Any:
        return -torch.rand(8, 12, generator=chance, dtype=torch.float64) * 3

    new, lengths = drawn(), torch.randint(1, 13, (8,), generator=chance)
    told = {name: new + 0.4 * (drawn() + 1.5) for name in ("old", "reference", "sampler")}
    return {
        "new": new.requires_grad_(),
        **told,
        "advantages": torch.randn(8, generator=chance, dtype=torch.float64),
        "mask": torch.arange(12)[None] < lengths[:, None],
    }


def theirs(given: dict[str, Any], kind: str, ratio: str, kl: float, cap: float | None) -> tuple[Any, dict[str, float]]:
    """TRL's loss, and what it logs; its model is asked for nothing but the log-probabilities that are given."""
    weight = None if cap is None else (given["old"] - given["sampler"]).exp().clamp(max=cap)
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (given["new"], torch.zeros_like(given["new"]), None),
        accelerator=SimpleNamespace(gather=lambda value: value, reduce=lambda value, reduction: value, num_processes=1),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        model=SimpleNamespace(training=False),
        _metrics=defaultdict(lambda: defaultdict(list)),
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level=ratio,
        beta=kl, loss_type=kind, epsilon_low=0.2, epsilon_high=0.28, use_vllm=cap is not None,
        vllm_importance_sampling_correction=True, max_completion_length=12, current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
    )  # fmt: skip
    inputs = {
        "prompt_ids": torch.zeros(8, 1, dtype=torch.long), "prompt_mask": torch.ones(8, 1, dtype=torch.long),
        "completion_ids": torch.zeros(8, 12, dtype=torch.long), "completion_mask": given["mask"].long(),
        "advantages": given["advantages"], "old_per_token_logps": given["old"],
        "ref_per_token_logps": given["reference"], "importance_sampling_ratio": weight,
    }  # fmt: skip
    loss = trl.GRPOTrainer._compute_loss(trainer, None, inputs)
    return loss, {name: values[0] for name, values in trainer._metrics["eval"].items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("ours", "kind"), [("token", "bnpo"), ("sequence", "grpo"), ("constant", "dr_grpo")])
def test_policy_losses_and_their_gradients_are_those_of_trl(ours: str, kind: str, seed: int) -> None:
    for ratio in ("token", "sequence"):
        for kl, cap in ((0.0, None), (0.05, None), (0.05, 1.1)):
            given = tensors(seed)
            told, metrics = policy_loss(
                given["new"], given["old"], given["advantages"], given["mask"], aggregation=ours, length=12, ratio=ratio,
                reference=given["reference"] if kl else None, kl=kl,
                sampler=None if cap is None else given["sampler"], importance_cap=cap,
            )  # fmt: skip
            expected, logged = theirs(given, kind, ratio, kl, cap)
            assert float(told) == pytest.approx(float(expected), abs=1e-9), (ratio, kl, cap)
            if kl:
                assert float(metrics["kl"]) == pytest.approx(logged["kl"], abs=1e-6)
            if ratio == "token":
                assert float(metrics["clip_low_share"]) == pytest.approx(logged["clip_ratio/low_mean"], abs=1e-6)
                assert float(metrics["clip_high_share"]) == pytest.approx(logged["clip_ratio/high_mean"], abs=1e-6)
            mine, other = (torch.autograd.grad(one, given["new"], retain_graph=True)[0] for one in (told, expected))
            assert torch.allclose(mine, other, atol=1e-9), (ratio, kl, cap)
