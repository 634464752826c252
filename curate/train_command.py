"""`curate train`: one stage or a chain of them, on this machine or by Slurm."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schemas.errors import CurateError, WrongCall

if TYPE_CHECKING:
    from trainers.stage import TrainConfig


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
    options); `curate train ratios RECIPE …` optimises the ratios between groups of tasks.

    \b
    Examples:
      curate train recipes/train/all-stages.yaml --manifest runs/demo --out runs/demo/models
      curate train recipes/train/cpt.yaml --manifest runs/medical --out runs/cpt --from Qwen2.5-7B
      curate train ratios recipes/train/ratios-small.yaml --manifest runs/demo --out runs/ratios
    """


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
@click.option("--check", "check_only", is_flag=True, help="Check recipe, layout, parent and manifest; start nothing.")
def stages_command(
    recipe: Path,
    manifest: Path,
    out: Path,
    parent: Path | None,
    stop_after: int | None,
    slurm: bool,
    per_node: int,
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
    train(recipe, manifest, out, parent, stop_after, per_node if slurm else 0, check_only)


def train(
    recipe: Path,
    manifest: Path,
    out: Path,
    parent: Path | None = None,
    stop_after: int | None = None,
    slurm_per_node: int = 0,
    check_only: bool = False,
) -> None:
    """Check everything that can be checked without starting a process, then train what is not yet done."""
    for name in ("torch", "megatron", "transformers"):
        if importlib.util.find_spec(name) is None:
            raise WrongCall(f"`curate train` needs {name}: pip install 'curate-medical[train]'")
    from schemas.manifest import load_manifest
    from trainers.launch.chain import PlannedStage, is_chain, plan_chain
    from trainers.loop.position import STOPPED
    from trainers.stage import load_stage

    told = load_manifest(manifest)
    if is_chain(recipe):
        stages = plan_chain(recipe, out, parent)
    else:
        config = load_stage(recipe)
        update = {"parent": str(parent)} if parent else {}
        stages = [PlannedStage(config.model_copy(update=update), out)]
    for number, stage in enumerate(stages):
        if len(stages) > 1 and stage.done():
            click.echo(f"{stage.config.name}: done before, {stage.out} is kept", err=True)
            continue
        _check(stage.config, told, stage.out, manifest)
        if check_only:
            click.echo(f"{stage.config.name}: recipe, layout, parent and manifest fit", err=True)
            if number + 1 < len(stages):
                click.echo("later stages are checked when their parents exist", err=True)
            return
        if slurm_per_node:
            from trainers.launch.slurm import submit

            submit(recipe, manifest, out, parent, stages[number:], slurm_per_node)
            return
        if len(stages) > 1:
            click.echo(f"{stage.config.name}: training into {stage.out}", err=True)
        _launch(stage.config, manifest, stage.out, stop_after)
        if (stage.out / STOPPED).exists():
            return


def _check(config: TrainConfig, manifest: Any, out: Path, where: Path) -> None:
    from trainers.data.blending import check_mixtures, planned_phases
    from trainers.loop.position import check_same_run, latest, read_position
    from trainers.start import find_start, trajectory_digest

    check_mixtures(config.data, manifest, where)
    planned_phases(config.data, manifest)
    start = find_start(config, manifest)
    newest = latest(out)
    if newest is not None:
        digest = trajectory_digest(config, start)
        check_same_run(read_position(newest), manifest.digest, config.data.mixture, digest, newest)


def _launch(config: TrainConfig, manifest: Path, out: Path, stop_after: int | None) -> None:
    """A process for each rank; SIGTERM and SIGINT go on to them, and they save before they end."""
    from curate.train_panel import TrainingPanel
    from trainers.loop.position import write_stage
    from trainers.loop.stopping import ASKING, held_back

    processes = config.parallel.world_size
    command = [sys.executable, "-W", "ignore"]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "trainers.train", str(write_stage(config, out)), str(manifest), str(out)]
    command += [str(stop_after)] if stop_after else []
    panel = TrainingPanel(out, config.name)
    environment = {"PYTHONWARNINGS": "ignore", "TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ}
    if processes > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    if panel.live:
        environment["CURATE_QUIET"] = "1"
    with held_back():
        process = subprocess.Popen(command, env=environment)
        forward = _Forward(process)
        before = {number: signal.signal(number, forward) for number in ASKING}
    try:
        with panel:
            while process.poll() is None:
                panel.refresh()
                time.sleep(0.25)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    status = process.returncode
    if status == WrongCall.exit_status:
        raise SystemExit(status)
    if status:
        raise CurateError(f"training ended with status {status}; what was saved in {out} is kept, call again to go on")


class _Forward:
    """Asks the training processes to stop; a second Ctrl-C does not wait for them to save."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.interrupted = process, False

    def __call__(self, number: int, frame: Any) -> None:
        import psutil

        force = number == signal.SIGINT and self.interrupted
        self.interrupted |= number == signal.SIGINT
        try:
            parent = psutil.Process(self.process.pid)
            every = [*parent.children(recursive=True), parent]
        except psutil.NoSuchProcess:
            return
        if not force and number == signal.SIGINT:
            click.echo("saving before the end; Ctrl-C again ends at once, and keeps the last checkpoint", err=True)
        for one in every:
            with contextlib.suppress(psutil.Error):
                one.kill() if force else one.terminate()
