"""A Slurm batch script for a stage or a chain: one task a node, torchrun on each, requeued when preempted.

Every path and name stands quoted in it, so that a space or a `;` in one is a part of the path and no
command; what Slurm's own directives cannot hold is refused.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from schemas.errors import CurateError, WrongCall
from storage.publishing import write_text
from trainers.loop.position import STAGE_FILE, STOPPED, write_stage

if TYPE_CHECKING:
    from trainers.launch.chain import PlannedStage

RENDEZVOUS_PORT = 29500


def script(
    recipe: Path, manifest: Path, out: Path, parent: Path | None, stages: list[PlannedStage], per_node: int
) -> str:
    """The batch script. Account, partition and time come from sbatch's own environment variables.

    On one node it is `curate train` itself; on several, for each stage torchrun on each node with the
    first as rendezvous. SIGTERM reaches the processes two minutes before the job's time ends; they
    save and end, and the job is requeued and goes on.
    """
    nodes = max(_nodes(stage, per_node) for stage in stages)
    manifest, out = manifest.resolve(), out.resolve()
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={stages[0].config.name}",
        f"#SBATCH --nodes={nodes}",
        f"#SBATCH --output={_for_directive(out)}/slurm-%j.log",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --signal=TERM@120",
        "export PYTHONSAFEPATH=1",  # the folder of the job is no place of modules
    ]
    if nodes == 1:
        start = f" --from {quote(str(parent.resolve()))}" if parent else ""
        lines += _run(
            f"srun --ntasks=1 {quote(sys.executable)} -m curate.cli train {quote(str(recipe.resolve()))} "
            f"--manifest {quote(str(manifest))} --out {quote(str(out))}{start}",
            out,
        )
    else:
        for stage in stages:
            lines += _run(_on_all_nodes(stage, manifest, per_node), out)
    return "\n".join(lines) + "\n"


def _for_directive(path: Path) -> str:
    """A path in a line that sbatch reads itself: without quotes of a shell, `%` standing for a pattern."""
    text = str(path)
    wrong = next((sign for sign in text if sign.isspace() or sign in "\"'\\" or not sign.isprintable()), None)
    if wrong is not None:
        raise WrongCall(
            f"{text!r} holds {wrong!r}, which Slurm's directives cannot; choose an --out without white space and quotes"
        )
    return text.replace("%", "%%")


def _nodes(stage: PlannedStage, per_node: int) -> int:
    return -(-stage.config.parallel.world_size // per_node)


def _on_all_nodes(stage: PlannedStage, manifest: Path, per_node: int) -> str:
    """torchrun would cut off ranks that are saving when it is asked to stop; so it is not told."""
    nodes, out = _nodes(stage, per_node), stage.out.resolve()
    return (
        f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 "
        f"env --block-signal=TERM {quote(sys.executable)} -m torch.distributed.run "
        f"--nnodes={nodes} --nproc-per-node={min(per_node, stage.config.parallel.world_size)} "
        f'--rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID"-{quote(stage.config.name)} '
        f'--rdzv-endpoint="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)":{RENDEZVOUS_PORT} '
        f"-m trainers.train {quote(str(out / STAGE_FILE))} {quote(str(manifest))} {quote(str(out))}"
    )


def _run(command: str, out: Path) -> list[str]:
    """Requeued where it stopped to go on later, ended where it failed."""
    folder = quote(str(out))
    return [
        f"{command} || status=$?",
        f"if ls {folder}/{STOPPED} {folder}/*/{STOPPED} 2> /dev/null | grep -q .",
        'then scontrol requeue "$SLURM_JOB_ID"; exit 0; fi',
        '[ "${status:-0}" = 0 ] || exit "$status"',
    ]


def submit(
    recipe: Path, manifest: Path, out: Path, parent: Path | None, stages: list[PlannedStage], per_node: int
) -> str:
    """Write the script beside the model, and hand it to sbatch where there is one; returns the job's number."""
    path = out / "train.sbatch"
    content = script(recipe, manifest, out, parent, stages, per_node)
    for stage in stages:
        write_stage(stage.config, stage.out)
    write_text(path, content)
    if shutil.which("sbatch") is None:
        command = f"sbatch {quote(str(path))}"
        raise WrongCall(f"sbatch is not on this machine; the script is written, submit it elsewhere: {command}")
    done = subprocess.run(["sbatch", "--parsable", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CurateError(f"sbatch refused {path}: {done.stderr.strip()}")
    return done.stdout.strip()
