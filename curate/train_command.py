"""`curate train`: one stage or a chain of them, on this machine or by Slurm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from curate.train_rl_command import rl_group


class _StagesByDefault(click.Group):
    """`curate train RECIPE …` trains; `curate train ratios …` looks for ratios to train with."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["stages", *args]
        return super().parse_args(context, args)


@click.group("train", cls=_StagesByDefault)
def train_command() -> None:
    """Train on the token shards of a manifest, with Megatron-Core.

    `curate train RECIPE …` runs one stage, or a chain of stages (`curate train stages --help` has the
    options); `curate train ratios RECIPE …` optimises the ratios between groups of tasks;
    `curate train rl …` measures prompts and judges old answers again.

    \b
    Examples:
      curate train recipes/train/all-stages.yaml --manifest runs/demo --out runs/demo/models
      curate train recipes/train/cpt.yaml --manifest runs/medical --out runs/cpt --from Qwen2.5-7B
      curate train ratios recipes/train/ratios-small.yaml --manifest runs/demo --out runs/ratios
    """


train_command.add_command(rl_group)


@train_command.command("ratios")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--manifest", type=click.Path(path_type=Path), required=True, help="Manifest of a curated run.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of the trials; called again on it, the search goes on after the last.",
)
def ratios_command(recipe: Path, manifest: Path, out: Path) -> None:
    """Find the sampling ratios over task groups with which a small proxy model learns best.

    Each trial is a real short training; a Gaussian process over all trials says where improvement is
    most to be expected next. Prints the ratios; --out/ratios.html shows every trial.

    \b
    Examples:
      curate train ratios recipes/train/ratios-small.yaml --manifest runs/demo --out runs/ratios
    """
    from curate.ratios_view import run_ratios

    run_ratios(recipe, manifest, out)


@train_command.command("stages")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--manifest", type=click.Path(path_type=Path), required=True, help="Manifest (or folder) of a curated run."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of checkpoints and logs (for a chain, of one folder a stage); called again on it, training goes on.",
)
@click.option(
    "--from",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    help="Start from this Hugging Face folder or trained model, instead of the recipe's parent.",
)
@click.option("--stop-after", type=click.IntRange(1), help="Save and stop after this step; call again to go on.")
@click.option("--slurm", is_flag=True, help="Write a batch script for Slurm into --out and submit it.")
@click.option("--per-node", type=click.IntRange(1), default=8, show_default=True, help="Processes a node, for Slurm.")
@click.option("--fallback", is_flag=True, help="Where the newest checkpoint is damaged, go on from the one before.")
@click.option("--check", "check_only", is_flag=True, help="Check recipe, layout, parent and manifest; start nothing.")
def stages_command(
    recipe: Path,
    manifest: Path,
    out: Path,
    parent: Path | None,
    stop_after: int | None,
    slurm: bool,
    per_node: int,
    fallback: bool,
    check_only: bool,
) -> None:
    """Train by RECIPE on the token shards of a manifest, with Megatron-Core.

    RECIPE is one stage, or a chain of stages of which those not yet done are run. Layouts of more
    than one process are started by torchrun on this machine. On several machines start
    `torchrun --nnodes N --rdzv-endpoint HOST:PORT -m trainers.train STAGE MANIFEST OUT` on each.

    \b
    Examples:
      curate train recipes/train/all-stages.yaml --manifest runs/demo --out runs/demo/models
      curate train recipes/train/cpt.yaml --manifest runs/medical --out runs/cpt --from Qwen2.5-7B
      curate train my.yaml --manifest runs/medical --out runs/model --stop-after 1000
      curate train my.yaml --manifest runs/medical --out runs/model --slurm
    """
    train(recipe, manifest, out, parent, stop_after, per_node if slurm else 0, check_only, fallback)


@contextmanager
def _nothing_to_save() -> Iterator[None]:
    """Asked to stop before a stage has begun, or between two: all is saved, and that is a good end."""

    def end(number: int, frame: object) -> None:
        _say("asked to stop while nothing was being trained; call again to go on")
        raise SystemExit(0)

    asking = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, end) for number in asking}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@_nothing_to_save()
def train(
    recipe: Path,
    manifest: Path,
    out: Path,
    parent: Path | None = None,
    stop_after: int | None = None,
    slurm_per_node: int = 0,
    check_only: bool = False,
    fallback: bool = False,
) -> None:
    """Check everything that can be checked without starting a process, then train what is not yet done."""
    from trainers.launch.local import check_installed, check_stage, planned_stages, stages_left, train_here

    check_installed()

    from curate.train_panel import TrainingPanel

    left = stages_left(planned_stages(recipe, out, parent), _say)
    if not left:
        return
    if check_only or slurm_per_node:
        check_stage(left[0].config, left[0].out, manifest)
    if check_only:
        _say(f"{left[0].config.name}: recipe, layout, parent and manifest fit")
        if len(left) > 1:
            _say("later stages are checked when their parents exist")
    elif slurm_per_node:
        from trainers.launch.slurm import submit

        click.echo(submit(recipe, manifest, out, parent, left, slurm_per_node))
    else:
        train_here(left, manifest, stop_after, TrainingPanel, _say, fallback)


def _say(text: str) -> None:
    click.echo(text, err=True)
