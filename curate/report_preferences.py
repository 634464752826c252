"""The part of a report on learning from pairs: how often the preferred answer wins, and what a reward model likes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from curate.plots import line_plot
from storage.json_files import read_json

QUALITY: Final = "reward.json"  # what a reward model's training leaves (trainers.preference.quality)
LENGTHS: Final = {"chosen_longer": "longer", "alike": "as long", "chosen_shorter": "shorter"}


def preference_plots(steps: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Accuracy and margin of a stage that learned from pairs; none for another."""
    plots = []
    for title, name, keys in (
        ("Preferred answer wins", "share of pairs", {"accuracy": "training", "validation_accuracy": "held out"}),
        ("Reward margin", "margin", {"reward_margin": "training", "validation_reward_margin": "held out"}),
        (
            "Difference of scores", "difference",
            {"score_difference": "training", "validation_score_difference": "held out"},
        ),
    ):  # fmt: skip
        series = {said: [(one["step"], one[key]) for one in steps if key in one] for key, said in keys.items()}
        series = {said: points for said, points in series.items() if points}
        if series:
            plots.append((title, line_plot(series, "step", name)))
    return plots


def reward_quality(folder: Path) -> dict[str, Any] | None:
    """What was measured of a reward model on held-out pairs, as the page shows it."""
    if not (folder / QUALITY).exists():
        return None
    told = read_json(folder / QUALITY)
    rows = [("all pairs", told["accuracy"])]
    rows += [(name, one) for name, one in told["by_aspect"].items()]
    rows += [(f"preferred answer {LENGTHS[name]}", one) for name, one in told["by_length"].items()]
    rows.append(("the longer answer wins", told["longer_is_better"]))
    bins = told["calibration"]["bins"]
    drawn = {
        "found": [(one["said"], one["found"]) for one in bins],
        "as said": [(one["said"], one["said"]) for one in bins],
    }
    return {
        "rows": [(name, one) for name, one in rows if one["pairs"]],
        "calibration": line_plot(drawn, "what the model says", "share that is right") if len(bins) > 1 else None,
        "error": told["calibration"]["error"],
        "likes_length": told["likes_length"],
        "correlation": told["length_correlation"],
        "agreement": sorted(told["agreement_of_aspects"].items()),
    }
