"""Thoughts are closed where their budget is spent, and nothing is learned of what was written for the model."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from schemas.rollout import Rollout
from trainers.generation.limits import Limits
from trainers.rl.rows import collated


def decode(ids: object) -> str:
    return "".join(map(chr, ids))  # type: ignore[arg-type, call-overload]


def coded(text: str) -> list[int]:
    return list(map(ord, text))


def test_a_thought_is_closed_once_where_its_budget_is_spent() -> None:
    limits = Limits(decode, (), 12, tuple(coded("</think>")))
    assert limits.closes_thought(coded("<think>wait,"), ())
    assert not limits.closes_thought(coded("<think>wait"), ())
    assert not limits.closes_thought(coded("<think>a</think>"[:12]), ()) or "</think>" not in "<think>a</think>"[:12]
    assert not limits.closes_thought(coded("no thought. "), ())
    assert limits.closes_thought(coded("no mark here"), coded("answer: <think>\n"))
    assert not Limits(decode).closes_thought(coded("<think>wait,"), ())


def test_an_answer_ends_at_its_texts() -> None:
    limits = Limits(decode, ("\nUser:", "。。"))
    assert limits.stopped(coded("It is B.\nUser:"))
    assert limits.stopped(coded("是。。"))
    assert not limits.stopped(coded("It is B.\nUse"))


def test_what_was_written_for_the_model_is_not_learned() -> None:
    nan = float("nan")
    one = Rollout("p", 0, 0, "?", "x", [1, 2], [3, 4, 5], [-0.5, nan, -0.25], True, advantage=1.0, learned=True)
    batch = collated([one], 8)
    assert batch["loss_mask"][0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]
    assert batch["old"][0].tolist() == [0, -0.5, 0, -0.25, 0, 0, 0, 0]
