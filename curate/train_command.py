"""`curate train`: one stage or a chain of them, on this machine or by Slurm."""

from __future__ import annotations

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

STAGE_FILE = "stage.json"  # the resolved recipe that the processes of a stage read


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
    from trainers.chain import PlannedStage, is_chain, plan_chain
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
            from curate.slurm import submit

            submit(recipe, manifest, out, parent, stage.config, slurm_per_node)
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
    from schemas.files import write_json

    out.mkdir(parents=True, exist_ok=True)
    write_json(out / STAGE_FILE, config.model_dump(mode="json", by_alias=True))
    processes = config.parallel.world_size
    command = [sys.executable, "-W", "ignore"]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "trainers.train", str(out / STAGE_FILE), str(manifest), str(out)]
    command += [str(stop_after)] if stop_after else []
    panel = TrainingPanel(out, config.name)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    if panel.live:
        environment["CURATE_QUIET"] = "1"
    process = subprocess.Popen(command, env=environment)
    before = {number: signal.signal(number, lambda *_: _forward(process)) for number in (signal.SIGTERM, signal.SIGINT)}
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


def _forward(process: subprocess.Popen[bytes]) -> None:
    """Ask the training processes themselves to stop; torchrun between us would cut them off."""
    import psutil

    try:
        parent = psutil.Process(process.pid)
        every = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in every:
        try:
            line = one.cmdline()
        except psutil.Error:
            continue
        if "trainers.train" in line and "torch.distributed.run" not in line:
            one.terminate()
