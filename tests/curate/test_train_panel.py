"""The live panel: what it says of a run so far."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from curate.train_panel import curve, panel_table


def shown(records: list[dict[str, Any]], total: int) -> str:
    console = Console(width=110)
    with console.capture() as told:
        console.print(panel_table(records, total))
    return told.get()


def test_the_panel_tells_step_loss_speed_and_what_is_left() -> None:
    record = {
        "step": 40, "loss": 2.5, "grad_norm": 0.8, "learning_rate": 1e-3, "tokens_per_second": 1000.0, "mfu": 0.41,
        "data_wait_share": 0.002, "tokens": 40 * 8 * 100, "first_sample": 39 * 8, "batch": 8, "validation_loss": 2.7,
    }  # fmt: skip
    text = shown([{**record, "step": 39, "loss": 3.0}, {**record, "spike": "skip"}], 100)
    for words in (
        "40 of 100",
        "2.5000",
        "2.7000 at step 40",
        "1,000 tokens/s",
        "41.0% MFU",
        "0 min 48 s",
        "1, see events.jsonl",
    ):
        assert words in text, text
    assert "loading libraries" in shown([], 0)


def test_a_curve_falls_from_high_to_low() -> None:
    drawn = curve([5.0 - 0.01 * step for step in range(400)])
    assert len(drawn) <= 48
    assert drawn[0] == "█"
    assert drawn[-1] == "▁"
    assert curve([1.0]) == "▁"


def test_rewards_are_in_the_panel() -> None:
    record = {
        "step": 3, "loss": 0.1, "grad_norm": 1.0, "learning_rate": 1e-3, "tokens_per_second": 10.0, "mfu": 0.1,
        "data_wait_share": 0.0, "batch": 8, "reward": 0.5, "right_share": 0.4, "unparsed_share": 0.1, "failed_share": 0.0,
        "answer_tokens": 12.0, "truncated_share": 0.2, "flat_groups_share": 0.25, "mastered_prompts": 2.0, "entropy": 0.7,
        "kl": 0.01, "clip_low_share": 0.01, "clip_high_share": 0.02, "sampled_tokens_per_second": 900.0,
        "sampling_seconds": 1.5, "scoring_seconds": 0.2,
    }  # fmt: skip
    from io import StringIO

    from rich.console import Console

    out = Console(file=StringIO(), width=120)
    out.print(panel_table([record], 0))
    told = out.file.getvalue()  # type: ignore[attr-defined]
    for words in ("0.500", "40% right", "25% without variance", "entropy 0.700", "900 tokens/s"):
        assert words in told
