"""Advantages and losses against formulas written out, numerical gradients, and everything that must change nothing."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from hypothesis import given
from hypothesis import strategies as st

from trainers.preference.losses import bradley_terry, dpo
from trainers.rl.advantages import group_advantages
from trainers.rl.losses import kl, policy_loss


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def batch(seed: int, sequences: int = 5, tokens: int = 7) -> tuple[torch.Tensor, ...]:
    made = torch.Generator().manual_seed(seed)
    new = -torch.rand(sequences, tokens, generator=made, dtype=torch.float64) * 3
    old = new + 0.4 * torch.randn(sequences, tokens, generator=made, dtype=torch.float64)
    advantages = torch.randn(sequences, generator=made, dtype=torch.float64)
    lengths = torch.randint(1, tokens + 1, (sequences,), generator=made)
    mask = torch.arange(tokens)[None] < lengths[:, None]
    reference = new + 0.3 * torch.randn(sequences, tokens, generator=made, dtype=torch.float64)
    return new, old, advantages, mask, reference


def written_out(new, old, advantages, mask, reference, low, high, aggregation, ratio, weight, length):
    """The loss by plain loops over numbers."""
    sums, counts = [], []
    for s in range(new.shape[0]):
        chosen = [t for t in range(new.shape[1]) if mask[s, t]]
        total = 0.0
        mean = sum(float(new[s, t] - old[s, t]) for t in chosen) / max(1, len(chosen))
        for t in chosen:
            r = math.exp(mean if ratio == "sequence" else float(new[s, t] - old[s, t]))
            a = float(advantages[s])
            value = -min(r * a, min(max(r, 1 - low), 1 + high) * a)
            if weight:
                d = float(reference[s, t] - new[s, t])
                value += weight * (math.exp(d) - d - 1)
            total += value
        sums.append(total)
        counts.append(len(chosen))
    if aggregation == "token":
        return sum(sums) / sum(counts)
    if aggregation == "sequence":
        return sum(total / count for total, count in zip(sums, counts, strict=True) if count) / sum(
            c > 0 for c in counts
        )
    return sum(sums) / (new.shape[0] * length)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize("weight", [0.0, 0.04])
def test_the_loss_is_the_formula_written_out(aggregation: str, ratio: str, weight: float) -> None:
    for seed in range(10):
        new, old, advantages, mask, reference = batch(seed)
        loss, metrics = policy_loss(
            new, old, advantages, mask, aggregation=aggregation, ratio=ratio, reference=reference, kl=weight, length=16
        )
        told = written_out(new, old, advantages, mask, reference, 0.2, 0.28, aggregation, ratio, weight, 16)
        assert float(loss) == pytest.approx(told, abs=1e-9)
        estimate = (torch.exp(reference - new) - (reference - new) - 1)[mask].mean()
        assert float(metrics["kl"]) == pytest.approx(float(estimate), abs=1e-9)


@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_gradients_are_finite_differences(ratio: str, aggregation: str) -> None:
    new, old, advantages, mask, reference = batch(3)
    sampler = old + 0.1
    for options in ({}, {"reference": reference, "kl": 0.1}, {"sampler": sampler, "importance_cap": 2.0}):
        torch.autograd.gradcheck(
            lambda values, options=options: policy_loss(
                values, old, advantages, mask, ratio=ratio, aggregation=aggregation, **options
            )[0],
            (new.clone().requires_grad_(),),
            eps=1e-7,
        )


def test_clip_shares_count_the_branch_that_was_taken() -> None:
    old = torch.zeros(4, 1, dtype=torch.float64)
    new = tensor([[math.log(1.5)], [math.log(0.5)], [math.log(1.5)], [math.log(0.5)]])
    _, metrics = policy_loss(new, old, tensor([1.0, -1.0, -1.0, 1.0]), torch.ones(4, 1))
    assert (float(metrics["clip_high_share"]), float(metrics["clip_low_share"])) == (0.25, 0.25)


@given(
    seed=st.integers(0, 10_000),
    garbage=st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e30]),
    aggregation=st.sampled_from(["token", "sequence", "constant"]),
    ratio=st.sampled_from(["token", "sequence"]),
)
def test_garbage_under_the_mask_changes_nothing(seed: int, garbage: float, aggregation: str, ratio: str) -> None:
    new, old, advantages, mask, reference = batch(seed)
    dirty = [torch.where(mask, one, torch.full_like(one, garbage)) for one in (new, old, reference)]
    results = []
    for one, two, three in ((new, old, reference), dirty):
        leaf = one.clone().requires_grad_()
        loss, _ = policy_loss(
            leaf,
            two,
            advantages,
            mask,
            reference=three,
            kl=0.1,
            sampler=two,
            importance_cap=1.5,
            aggregation=aggregation,
            ratio=ratio,
            length=9,
        )
        loss.backward()
        results.append((float(loss), leaf.grad))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("aggregation", ["token", "sequence", "constant"])
def test_a_wholly_masked_batch_gives_zero_and_a_gradient(aggregation: str) -> None:
    new, old, advantages, mask, reference = batch(1)
    leaf = new.clone().requires_grad_()
    loss, metrics = policy_loss(
        leaf, old, advantages, torch.zeros_like(mask), reference=reference, kl=1.0, aggregation=aggregation
    )
    loss.backward()
    assert float(loss) == 0.0
    assert not leaf.grad.any()
    assert float(metrics["kl"]) == 0.0


def test_a_failed_rollout_takes_its_sequence_out() -> None:
    new, old, advantages, mask, _ = batch(2)
    advantages[1] = float("nan")
    kept = torch.tensor([0, 2, 3, 4])
    for aggregation in ("token", "sequence", "constant"):
        with_it, _ = policy_loss(new, old, advantages, mask, aggregation=aggregation)
        without, _ = policy_loss(new[kept], old[kept], advantages[kept], mask[kept], aggregation=aggregation)
        assert float(with_it) == pytest.approx(float(without), abs=1e-12)


def test_importance_weights_are_capped_and_have_no_gradient() -> None:
    new, old, advantages, mask, _ = batch(4)
    plain, _ = policy_loss(new, old, advantages, mask)
    same, _ = policy_loss(new, old, advantages, mask, sampler=old, importance_cap=2.0)
    assert float(plain) == pytest.approx(float(same), abs=1e-12)
    doubled, _ = policy_loss(new, old, advantages, mask, sampler=old - math.log(10.0), importance_cap=2.0)
    assert float(doubled) == pytest.approx(2 * float(plain), abs=1e-9)
    by_sequence, _ = policy_loss(
        new, old, advantages, mask, sampler=old + 0.01, importance_cap=9.0, importance="sequence"
    )
    assert float(by_sequence) != float(plain)


@given(st.lists(st.floats(-5, 5).map(lambda one: round(one, 3)), min_size=2, max_size=32), st.integers(0, 1))
def test_group_advantages_are_the_formulas(rewards: list[float], ddof: int) -> None:
    values = tensor(rewards)
    told, dropped = group_advantages(values, ddof=ddof)
    mean = sum(rewards) / len(rewards)
    if len(set(rewards)) == 1:
        assert dropped
        assert not told.any()
        return
    deviation = math.sqrt(sum((one - mean) ** 2 for one in rewards) / (len(rewards) - ddof))
    assert told.tolist() == pytest.approx([(one - mean) / (deviation + 1e-6) for one in rewards], abs=1e-9)
    centred, _ = group_advantages(values, "none")
    assert centred.tolist() == pytest.approx([one - mean for one in rewards], abs=1e-9)
    left_out, _ = group_advantages(values, "leave_one_out")
    others = [one - (sum(rewards) - one) / (len(rewards) - 1) for one in rewards]
    assert left_out.tolist() == pytest.approx(others, abs=1e-9)


def test_failed_rollouts_leave_the_group() -> None:
    nan = float("nan")
    told, dropped = group_advantages(tensor([1.0, nan, 0.0, nan, 1.0]))
    alone, _ = group_advantages(tensor([1.0, 0.0, 1.0]))
    assert not dropped
    assert torch.isnan(told).tolist() == [False, True, False, True, False]
    assert told[[0, 2, 4]].tolist() == alone.tolist()
    for rewards in ([nan, nan], [nan, 1.0], [1.0], [0.5, 0.5, nan]):
        told, dropped = group_advantages(tensor(rewards))
        assert dropped
        assert [one for one in told.tolist() if one == one] == [0.0] * sum(one == one for one in rewards)
    empty, dropped = group_advantages(tensor([]))
    assert dropped
    assert not empty.numel()


def test_estimators_of_divergence() -> None:
    new, reference = tensor([-1.0, -2.0]), tensor([-1.5, -1.0])
    ratio = reference - new
    assert kl(new, reference, "k1").tolist() == (-ratio).tolist()
    assert kl(new, reference, "k2").tolist() == (ratio**2 / 2).tolist()
    assert kl(new, reference).tolist() == pytest.approx((ratio.exp() - 1 - ratio).tolist())
    assert (kl(new, reference) >= 0).all()
    # Over all tokens of a distribution k1 and k3 are the divergence itself.
    p = torch.softmax(tensor([0.3, 1.0, -1.0]), 0)
    q = torch.softmax(tensor([0.0, 0.5, 0.5]), 0)
    exact = float((p * (p / q).log()).sum())
    assert float((p * kl(p.log(), q.log(), "k1")).sum()) == pytest.approx(exact)
    assert float((p * kl(p.log(), q.log(), "k3")).sum()) == pytest.approx(exact)


def test_losses_on_pairs() -> None:
    pc, pr, rc, rr = (tensor([-5.0, -9.0]), tensor([-7.0, -4.0]), tensor([-6.0, -8.0]), tensor([-6.5, -6.0]))
    margin = (pc - rc) - (pr - rr)
    assert dpo(pc, pr, rc, rr, beta=0.1).tolist() == pytest.approx(
        [math.log1p(math.exp(-0.1 * float(one))) for one in margin]
    )
    assert dpo(pc, pr, rc, rr, beta=0.1, kind="ipo").tolist() == pytest.approx(
        [(float(one) - 5.0) ** 2 for one in margin]
    )
    lengths = {"lengths_chosen": tensor([5.0, 10.0]), "lengths_rejected": tensor([4.0, 2.0])}
    scaled = (pc - rc) / lengths["lengths_chosen"] - (pr - rr) / lengths["lengths_rejected"]
    assert dpo(pc, pr, rc, rr, beta=2.0, **lengths).tolist() == pytest.approx(
        [math.log1p(math.exp(-2 * float(one))) for one in scaled]
    )
    with pytest.raises(ValueError, match="both lengths"):
        dpo(pc, pr, rc, rr, beta=1.0, lengths_chosen=tensor([1.0, 1.0]))
    assert bradley_terry(pc, pr).tolist() == pytest.approx([math.log1p(math.exp(-float(one))) for one in pc - pr])
    assert bradley_terry(pc, pr, tensor([1.0, 0.5])).tolist() == pytest.approx(
        [math.log1p(math.exp(-float(one))) for one in pc - pr - tensor([1.0, 0.5])]
    )
    torch.autograd.gradcheck(lambda one: dpo(one, pr, rc, rr, beta=0.3), (pc.clone().requires_grad_(),))
    torch.autograd.gradcheck(lambda one: bradley_terry(one, pr, 0.3), (pc.clone().requires_grad_(),))
    assert torch.isfinite(dpo(pc - 1e4, pr, rc, rr, beta=1.0)).all()
