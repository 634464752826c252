"""The training part of a report: for each model its curves, its losses by part of the data, and what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from curate.plots import line_plot
from curate.report_preferences import preference_plots, reward_quality
from curate.report_rollouts import before_and_after, reward_plots
from storage.json_files import read_json
from trainers.loop.records import read_log

STAGES: Final = (
    "pretrain", "cpt", "ift", "sft", "cold_start", "rl_reasoning", "reward_model", "dpo", "rl_alignment",
)  # fmt: skip
PARTS: Final = 6  # lines in one plot that can still be told apart


def training_parts(run: Path, models: tuple[Path, ...]) -> list[dict[str, Any]]:
    """The models given, and those in the run's `models/`, in the order of their stages."""
    beside = sorted(path.parent for path in run.glob("models/*/log.jsonl"))
    shown = [part for folder in dict.fromkeys([*models, *beside]) if (part := _model(folder)) is not None]
    return sorted(shown, key=lambda one: STAGES.index(one["stage"]) if one["stage"] in STAGES else len(STAGES))


def _model(folder: Path) -> dict[str, Any] | None:
    steps = [one for one in read_log(folder / "log.jsonl") if "loss" in one]
    if not steps:
        return None
    settings = read_json(folder / "train.json") if (folder / "train.json").exists() else {}
    validated = [one for one in steps if "validation_loss" in one]
    series = {"training": [(one["step"], one["loss"]) for one in steps]}
    if validated:
        series["validation"] = [(one["step"], one["validation_loss"]) for one in validated]
    plots = [
        *reward_plots(steps),
        *preference_plots(steps),
        ("Loss", line_plot(series, "step", "loss")),
        ("Gradient norm", _line(steps, "grad_norm", "gradient norm")),
        ("Learning rate", _line(steps, "learning_rate", "learning rate")),
        *((f"Loss by {kind}", _by_part(steps, kind)) for kind in ("component", "grade")),
    ]
    waits = [one["data_wait_share"] for one in steps[1:]] or [0.0]
    events = [one for one in read_log(folder / "events.jsonl") if one["event"] != "blend"]
    return {
        "name": settings.get("name", folder.name),
        "stage": settings.get("stage", {}).get("stage", "") if isinstance(settings.get("stage"), dict) else "",
        "steps": steps[-1]["step"],
        "first": steps[0]["loss"],
        "last": steps[-1]["loss"],
        "tokens": steps[-1].get("tokens") or sum(one.get("step_tokens", 0) for one in steps),
        "speed": float(np.median([one["tokens_per_second"] for one in steps])),
        "mfu": 100 * float(np.median([one.get("mfu", 0.0) for one in steps])),
        "wait": 100 * float(np.mean(waits)),
        "plots": [(title, plot) for title, plot in plots if plot is not None],
        "perplexity": sorted(validated[-1].get("perplexity", {}).items()) if validated else [],
        "events": events[-10:],
        "rollouts": before_and_after(folder),
        "quality": reward_quality(folder),
    }


def _line(steps: list[dict[str, Any]], key: str, name: str) -> Any:
    points = [(one["step"], one[key]) for one in steps if key in one]
    return line_plot({name: points}, "step", name) if points else None


def _by_part(steps: list[dict[str, Any]], kind: str) -> Any:
    """Losses of the parts with the most points; None where there is nothing to compare."""
    series: dict[str, list[tuple[float, float]]] = {}
    for one in steps:
        for name, value in one.get("loss_by", {}).get(kind, {}).items():
            series.setdefault(name, []).append((one["step"], value))
    kept = dict(sorted(series.items(), key=lambda item: (-len(item[1]), item[0]))[:PARTS])
    return line_plot(dict(sorted(kept.items())), "step", "loss") if len(kept) > 1 else None
