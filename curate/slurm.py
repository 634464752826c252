"""A Slurm batch script for a stage or a chain: one task a node, torchrun on each, requeued when preempted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schemas.errors import CurateError, WrongCall
from schemas.files import write_json, write_text

if TYPE_CHECKING:
    from trainers.stage import TrainConfig

RENDEZVOUS_PORT = 29500


def script(recipe: Path, manifest: Path, out: Path, parent: Path | None, config: TrainConfig, per_node: int) -> str:
    """The batch script. Account, partition and time come from sbatch's own environment variables.

    On one node it is `curate train` itself, chains included; on several, torchrun on each node with
    the first as rendezvous. SIGTERM reaches the processes two minutes before the job's time ends;
    they save and end, and the job is requeued and goes on.
    """
    nodes = -(-config.parallel.world_size // per_node)
    manifest, out, python = manifest.resolve(), out.resolve(), sys.executable
    if nodes == 1:
        start = f" --from {parent.resolve()}" if parent else ""
        run = (
            f"srun --ntasks=1 {python} -m curate.cli train {recipe.resolve()} --manifest {manifest} --out {out}{start}"
        )
    else:
        run = (
            f"srun --ntasks={nodes} --ntasks-per-node=1 {python} -m torch.distributed.run "
            f"--nnodes={nodes} --nproc-per-node={per_node} --rdzv-backend=c10d --rdzv-id=$SLURM_JOB_ID "
            f"--rdzv-endpoint=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1):{RENDEZVOUS_PORT} "
            f"-m trainers.train {out}/stage.json {manifest} {out}"
        )
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={config.name}",
        f"#SBATCH --nodes={nodes}",
        f"#SBATCH --output={out}/slurm-%j.log",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --signal=TERM@120",
        "set -euo pipefail",
        run,
        f'if compgen -G "{out}/stopped.json" "{out}/*/stopped.json" > /dev/null',
        'then scontrol requeue "$SLURM_JOB_ID"; fi',
    ]
    return "\n".join(lines) + "\n"


def submit(recipe: Path, manifest: Path, out: Path, parent: Path | None, config: TrainConfig, per_node: int) -> None:
    """Write the script beside the model, and hand it to sbatch where there is one."""
    path = out / "train.sbatch"
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "stage.json", config.model_dump(mode="json", by_alias=True))
    write_text(path, script(recipe, manifest, out, parent, config, per_node))
    if shutil.which("sbatch") is None:
        raise WrongCall(f"sbatch is not on this machine; the script is written, submit it elsewhere: sbatch {path}")
    done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CurateError(f"sbatch refused {path}: {done.stderr.strip()}")
    click.echo(done.stdout.strip())
