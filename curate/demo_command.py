"""`curate demo`: the bundled sample through the whole line, training and report included."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from schemas.errors import WrongCall
from schemas.manifest import Manifest

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = REPOSITORY / "recipes" / "demo.yaml"
TRAINING = REPOSITORY / "recipes" / "train" / "pretrain-small.yaml"


@click.command("demo")
@click.option(
    "--run-dir", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/demo"), show_default=True
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes (default: one a core).")
def demo_command(run_dir: Path, workers: int | None) -> None:
    """Curate the bundled sample, train a small model from it, and show the report's place.

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
    model = run_dir / "models" / "pretrain"
    if _trained(model):
        console.print(f"trained before: {model} is reused")
    else:
        train(TRAINING, run_dir / "manifest.json", model)
    report = write_report(run_dir)
    console.print(_panel(manifest, model, report))


def _losses(model: Path) -> list[dict[str, float]]:
    log = model / "log.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _trained(model: Path) -> bool:
    """Whether the model's log reaches the last step of its own recipe."""
    settings = model / "train.json"
    steps = _losses(model)
    if not settings.exists() or not steps:
        return False
    return steps[-1]["step"] == json.loads(settings.read_text(encoding="utf-8"))["schedule"]["steps"]


def _panel(manifest: Manifest, model: Path, report: Path) -> Panel:
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
    steps = _losses(model)
    if steps:
        grid.add_row(
            "loss",
            f"{steps[0]['loss']:.3f} at step {steps[0]['step']} → {steps[-1]['loss']:.3f} at step {steps[-1]['step']}",
        )
    grid.add_row("model", str(model))
    grid.add_row("report", str(report.resolve()))
    return Panel(grid, title="demo", expand=False)
