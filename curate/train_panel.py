"""A live panel over a training run, read from its log; only on a terminal."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 48  # characters of the loss curve


class TrainingPanel:
    """Shows step, losses, speed and what happened, as the log of the first rank grows."""

    def __init__(self, out: Path, name: str) -> None:
        self.out, self.name = out, name
        self.live = sys.stderr.isatty()
        self._place = 0
        self._records: list[dict[str, Any]] = []
        self._started = time.monotonic()
        self._view: Live | None = None

    def __enter__(self) -> TrainingPanel:
        if self.live:
            self._view = Live(self._panel(), console=Console(stderr=True), refresh_per_second=4)
            self._view.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._view is not None:
            self.refresh()
            self._view.__exit__(kind, error, trace)

    def refresh(self) -> None:
        """Read what was logged since, and draw."""
        if self._view is None:
            return
        path = self.out / "log.jsonl"
        if path.exists():
            if path.stat().st_size < self._place:
                self._place, self._records = 0, []
            with path.open("rb") as file:
                file.seek(self._place)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._place += len(line)
                    self._records.append(json.loads(line))
        self._view.update(self._panel())

    def _panel(self) -> Panel:
        return Panel(panel_table(self._records, self._total()), title=f"training {self.name}", expand=False)

    def _total(self) -> int:
        settings = self.out / "train.json"
        try:
            return int(json.loads(settings.read_text(encoding="utf-8"))["total_steps"])
        except (OSError, ValueError, KeyError):
            return 0


def panel_table(records: list[dict[str, Any]], total: int) -> Table:
    """The panel's content for the records so far."""
    grid = Table.grid(padding=(0, 2))
    if not records:
        grid.add_row("starting", "loading libraries, data and weights")
        return grid
    last = records[-1]
    grid.add_row("step", f"{last['step']:,} of {total:,}" if total else f"{last['step']:,}")
    if total:
        grid.add_row("", ProgressBar(total=total, completed=last["step"], width=WIDTH))
    grid.add_row("loss", f"{last['loss']:.4f}  {curve([one['loss'] for one in records])}")
    rewarded = [one for one in records if "reward" in one]
    if rewarded:
        _add_rewards(grid, rewarded)
    validated = next((one for one in reversed(records) if "validation_loss" in one), None)
    if validated:
        grid.add_row("validation", f"{validated['validation_loss']:.4f} at step {validated['step']:,}")
    grid.add_row("gradient norm", f"{last['grad_norm']:.3g}")
    grid.add_row("learning rate", f"{last['learning_rate']:.3g}")
    grid.add_row(
        "speed",
        f"{last['tokens_per_second']:,.0f} tokens/s, {last['mfu']:.1%} MFU, data wait {last['data_wait_share']:.1%}",
    )
    if total:
        left = (total - last["step"]) * (last.get("seconds") or _seconds(last))
        grid.add_row("left", _duration(left))
    spikes = sum(1 for one in records if one.get("spike"))
    if spikes:
        grid.add_row("spikes", f"{spikes}, see events.jsonl")
    return grid


def _add_rewards(grid: Table, rewarded: list[dict[str, Any]]) -> None:
    """What a batch of rollouts tells."""
    last = rewarded[-1]
    grid.add_row("reward", f"{last['reward']:.3f}  {curve([one['reward'] for one in rewarded])}")
    if parts := last.get("reward_by"):
        grid.add_row("by part", ", ".join(f"{name.rsplit('/', 1)[-1]} {value:.3f}" for name, value in parts.items()))
    grid.add_row("answers", f"{last['right_share']:.0%} right, {last['unparsed_share']:.0%} unparsed, {last['failed_share']:.0%} without verdict")  # fmt: skip # noqa: E501
    grid.add_row("length", f"{last['answer_tokens']:.0f} tokens, {last['truncated_share']:.0%} cut")
    grid.add_row("groups", f"{last['flat_groups_share']:.0%} without variance, {last['mastered_prompts']:.0f} prompts mastered")  # fmt: skip # noqa: E501
    grid.add_row("policy", f"entropy {last['entropy']:.3f}, KL {last['kl']:.4f}, clipped {last['clip_low_share']:.1%} below and {last['clip_high_share']:.1%} above")  # fmt: skip # noqa: E501
    grid.add_row("sampling", f"{last['sampled_tokens_per_second']:,.0f} tokens/s, {last['sampling_seconds']:.1f} s; scoring {last['scoring_seconds']:.1f} s")  # fmt: skip # noqa: E501


def curve(values: list[float]) -> str:
    """A loss curve in one line of block characters."""
    step = max(1, len(values) // WIDTH)
    shown = [sum(values[i : i + step]) / len(values[i : i + step]) for i in range(0, len(values), step)][-WIDTH:]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int((one - low) / span * len(BARS)))] for one in shown)


def _seconds(record: dict[str, Any]) -> float:
    """How long a step took, by the tokens so far and their speed, where an older log does not tell."""
    tokens = float(record["tokens"]) / max(1, record["first_sample"] + record["batch"]) * record["batch"]
    return tokens / max(1.0, record["tokens_per_second"])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
