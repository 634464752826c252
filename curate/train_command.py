"""`curate train`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from schemas.errors import CurateError, WrongCall


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--manifest", type=click.Path(path_type=Path), required=True, help="Manifest (or folder) of a curated run."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of checkpoints and logs; called again on it, training goes on.",
)
@click.option("--stop-after", type=click.IntRange(1), help="Save and stop after this step; call again to go on.")
def train_command(config: Path, manifest: Path, out: Path, stop_after: int | None) -> None:
    """Train by CONFIG on the token shards of a manifest, with Megatron-Core.

    Layouts of more than one process are started by torchrun on this machine; under torchrun or
    Slurm, call `python -m trainers.pretrain CONFIG MANIFEST OUT` on each process instead.

    \b
    Examples:
      curate train recipes/train/pretrain-small.yaml --manifest runs/demo/manifest.json --out runs/model
      curate train my.yaml --manifest runs/medical --out runs/model --stop-after 1000
    """
    train(config, manifest, out, stop_after)


def train(config: Path, manifest: Path, out: Path, stop_after: int | None = None) -> None:
    """Check the recipe and the extra, then train in a process of its own for each rank."""
    try:
        import megatron.core  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise WrongCall(f"`curate train` needs {error.name}: pip install 'curate-medical[train]'") from None
    from schemas.manifest import load_manifest
    from trainers.config import load_train_config

    loaded = load_train_config(config)
    load_manifest(manifest)
    processes = loaded.parallel.world_size
    command = [sys.executable, "-W", "ignore"]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "trainers.pretrain", str(config), str(manifest), str(out)]
    command += [str(stop_after)] if stop_after else []
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    status = subprocess.run(command, env=environment, check=False).returncode
    if status == WrongCall.exit_status:
        raise SystemExit(status)
    if status:
        raise CurateError(f"training ended with status {status}; what was saved in {out} is kept, call again to go on")
