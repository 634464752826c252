"""`curate demo`: the bundled sample through the whole line, training and report included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from curate.streams import visible
from schemas.errors import WrongCall
from schemas.manifest import Manifest

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = REPOSITORY / "recipes" / "demo.yaml"
TRAINING = REPOSITORY / "recipes" / "train" / "demo-stages.yaml"
QUESTION = "What is Metformin used for?"


@click.command("demo")
@click.option(
    "--run-dir", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/demo"), show_default=True
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes (default: one a core).")
def demo_command(run_dir: Path, workers: int | None) -> None:
    """Curate the bundled sample, train a small model in seven stages, ask it a question, write the report.

    Called again it reuses what is done, and says so.

    \b
    Examples:
      curate demo
      curate demo --run-dir /tmp/demo --workers 1
    """
    from curate.progress import RunProgress
    from curate.report import write_report
    from curate.train_command import train
    from pipelines.execute import execute

    if not RECIPE.exists():
        raise WrongCall("the sample is part of the repository; clone it and run `make demo` there")
    console = Console(stderr=True)
    if (run_dir / "manifest.json").exists():
        console.print(f"curated before: {run_dir} is reused (delete it to begin again)")
    progress = RunProgress(quiet=(run_dir / "manifest.json").exists())
    try:
        manifest = execute(RECIPE, None, run_dir, workers=workers or os.cpu_count() or 1, watch=progress.watch)
    finally:
        progress.close()
    models = run_dir / "models"
    train(TRAINING, run_dir / "manifest.json", models)
    report = write_report(run_dir)
    console.print(_panel(manifest, models, report))


def _panel(manifest: Manifest, models: Path, report: Path) -> Panel:
    from trainers.answer import Answerer
    from trainers.loop.records import read_log

    counts = manifest.counts
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        "came in", f"{counts.read + counts.quarantined} inputs, {counts.quarantined} of them unreadable (quarantined)"
    )
    grid.add_row(
        "curated", f"{counts.curated} documents, {counts.total.characters:,} characters, {counts.total.tokens:,} tokens"
    )
    grid.add_row(
        "dropped", ", ".join(f"{name} {number}" for name, number in sorted(counts.dropped.items(), key=lambda d: -d[1]))
    )
    parts = manifest.mixtures["pretrain"].components
    grid.add_row(
        "tokens", ", ".join(f"{name} {part.tokens:,} (weight {part.weight:g})" for name, part in parts.items())
    )
    for model in sorted(models.glob("*/log.jsonl"), key=lambda path: path.stat().st_mtime):
        steps = read_log(model)
        name, told = _progress(steps)
        grid.add_row(f"{model.parent.name} {name}", f"{told} over {steps[-1]['step']} steps")
    grid.add_row("models", str(models))
    grid.add_row("asked", QUESTION)
    grid.add_row("answered", Text(visible(Answerer(models / "sft").answer(QUESTION, tokens=64)[0])))
    grid.add_row("report", str(report.resolve()))
    return Panel(grid, title="demo", expand=False)


def _progress(steps: list[dict[str, Any]]) -> tuple[str, str]:
    """What a stage is measured by, and how it went: loss, mean reward of a few steps, or share of pairs."""
    for name, shown in (("reward", "reward"), ("accuracy", "pairs right"), ("loss", "loss")):
        found = [float(one[name]) for one in steps if name in one]
        if found:
            few = 1 if name == "loss" else min(5, len(found))
            return shown, f"{sum(found[:few]) / few:.3f} → {sum(found[-few:]) / few:.3f}"
    return "loss", "unknown"
