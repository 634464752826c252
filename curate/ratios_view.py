"""The search for ratios on the terminal, and its page: every trial, the best so far, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from markupsafe import Markup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from curate.page import page_of
from curate.plots import line_plot
from curate.terminal import json_line
from storage.publishing import write_text

SIDE, TOP, HIGH = 420, 28, 364  # of the triangle, in the units of its picture


def run_ratios(recipe: Path, manifest: Path, out: Path) -> None:
    """Check the recipe, run the search, and write its page."""
    from trainers.launch.local import check_installed

    check_installed()

    from trainers.launch.ratios import checked_search, search_here
    from trainers.ratios.trials import chosen

    config = checked_search(recipe, manifest)
    trials: list[dict[str, Any]] = []
    columns = (
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("best {task.fields[best]:.4f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("trials", total=config.trials, best=0.0)
        for one in search_here(recipe, manifest, out):
            trials.append(one)
            progress.update(task, advance=1, best=max(one["score"] for one in trials))
    ratios = chosen(config, trials)
    page = out / "ratios.html"
    write_text(page, ratios_page(config.name, config.groups, trials, ratios))
    click.echo(json_line(ratios))
    click.echo(f"every trial: {page}", err=True)


def ratios_page(name: str, groups: list[str], trials: list[dict[str, Any]], ratios: dict[str, float]) -> str:
    """The page of a search."""
    best, so_far = float("-inf"), []
    for one in trials:
        best = max(best, one["score"])
        so_far.append((one["trial"], best))
    curve = line_plot(
        {"score": [(one["trial"], one["score"]) for one in trials], "best so far": so_far}, "trial", "score"
    )
    return page_of("ratios.html").render(
        name=name,
        groups=groups,
        trials=trials,
        top=best,
        told=", ".join(f"{group} {share:.0%}" for group, share in ratios.items()),
        curve=curve,
        triangle=_triangle(groups, trials, ratios) if len(groups) == 3 else None,
    )


def _triangle(groups: list[str], trials: list[dict[str, Any]], ratios: dict[str, float]) -> Markup:
    """Trials in the triangle of three shares; the larger and darker, the better; the choice is ringed."""
    corners = ((30.0, TOP + HIGH), (30.0 + SIDE, TOP + HIGH), (30.0 + SIDE / 2, float(TOP)))

    def place(shares: list[float]) -> tuple[float, float]:
        total = sum(shares)
        return tuple(
            sum(share * corner[i] for share, corner in zip(shares, corners, strict=True)) / total for i in (0, 1)
        )  # type: ignore[return-value]

    scores = [one["score"] for one in trials]
    low, span = min(scores), (max(scores) - min(scores)) or 1.0
    edge = " ".join(f"{x},{y}" for x, y in corners)
    parts = [f'<polygon class="axis" points="{edge}"/>']
    for one in sorted(trials, key=lambda one: one["score"]):
        x, y = place(one["weights"])
        good = (one["score"] - low) / span
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{3 + 5 * good:.1f}" opacity="{0.25 + 0.75 * good:.2f}"/>'
        )
    x, y = place([ratios[group] for group in groups])
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11" fill="none" stroke="var(--second)" stroke-width="2"/>')
    for (x, y), group, anchor, down in zip(corners, groups, ("start", "end", "middle"), (18, 18, -8), strict=True):
        parts.append(f'<text x="{x}" y="{y + down}" text-anchor="{anchor}">{Markup.escape(group)}</text>')
    return Markup(f'<svg viewBox="0 0 {SIDE + 60} {HIGH + 60}" role="img" aria-label="trials">{"".join(parts)}</svg>')
