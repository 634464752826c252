"""The part of a report on reinforcement learning: reward curves, and answers of the first batch beside the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from curate.plots import line_plot
from trainers.rl.rollout_files import batches_of, read_rollouts

PROMPTS: Final = 4  # shown before and after
ANSWERS: Final = 2  # of each
LONGEST: Final = 600  # characters of an answer that are shown
CURVES: Final = (
    ("Reward", {"reward": "reward", "held_out_reward": "held out", "gold_reward": "gold"}),
    ("Shares of answers", {"right_share": "right", "unparsed_share": "unparsed", "truncated_share": "truncated"}),
    ("Groups without variance", {"flat_groups_share": "share of groups"}),
    ("Entropy and KL", {"entropy": "entropy", "kl": "KL"}),
)


def reward_plots(steps: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Plots of a stage that was rewarded; none for another."""
    plots = []
    for title, names in CURVES if any("reward" in one for one in steps) else ():
        series = {
            said: [(one["step"], one[key]) for one in steps if one.get(key) is not None] for key, said in names.items()
        }
        series = {said: points for said, points in series.items() if points}
        if series:
            plots.append((title, line_plot(series, "step", title.lower())))
    shares: dict[str, list[tuple[float, float]]] = {}
    for one in steps:
        for name, value in one.get("share_of_advantage", {}).items():
            shares.setdefault(name.rsplit("/", 1)[-1].replace("_", " "), []).append((one["step"], value))
    if shares:
        plots.append(("Shares of the advantage", line_plot(shares, "step", "share of variance in groups")))
    return plots


def before_and_after(folder: Path) -> list[dict[str, Any]]:
    """Prompts that the first and the last batch share, with some answers of either and their verdicts."""
    batches = batches_of(folder)
    if len(batches) < 2:
        return []
    first, last = (_by_prompt(folder, number) for number in (batches[0], batches[-1]))
    shared = [one for one in first if one in last]
    return [
        {"question": first[one][0].question, "before": _shown(first[one]), "after": _shown(last[one])}
        for one in shared[:PROMPTS]
    ]


def _by_prompt(folder: Path, batch: int) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in read_rollouts(folder, batch)[0]:
        found.setdefault(one.prompt, []).append(one)
    return found


def _shown(rollouts: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "text": one.text[:LONGEST] + ("…" if len(one.text) > LONGEST else ""),
            "state": one.state,
            "reward": one.reward,
            "verdicts": [f"{told['verifier']}: {told['state']} ({told['why']})" for told in json.loads(one.verdicts)],
        }
        for one in rollouts[:ANSWERS]
    ]
