"""Stages on this machine: what can be checked is checked first, then a process for each rank is started."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from schemas.errors import CurateError, WrongCall
from schemas.manifest import load_manifest
from storage.same_imports import same_imports
from trainers.data.blending import check_mixtures, planned_phases
from trainers.launch.chain import PlannedStage, is_chain, plan_chain
from trainers.launch.fallback import set_damaged_aside
from trainers.loop.position import STOPPED, latest, read_position, write_stage
from trainers.loop.resuming import appended_data, check_same_run
from trainers.loop.stopping import ASKING, held_back
from trainers.stage import TrainConfig, load_stage
from trainers.start import find_start, trajectory_digest

NEEDED = ("torch", "megatron", "transformers")
LOOK_SECONDS = 0.25


class Panel(Protocol):
    """What shows a training run while it lasts; a live one takes the place of the ranks' own lines."""

    live: bool

    def refresh(self) -> None:
        """Show what was logged since."""
        ...


Watch = Callable[[Path, str], AbstractContextManager[Panel]]


def check_installed() -> None:
    """Refuse before anything is read where the train extra is not installed."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise WrongCall(f"`curate train` needs {name}: pip install 'curate-medical[train]'")


def planned_stages(recipe: Path, out: Path, parent: Path | None) -> list[PlannedStage]:
    """The stages that a recipe means: itself, or those of its chain."""
    if is_chain(recipe):
        return plan_chain(recipe, out, parent)
    config = load_stage(recipe)
    update = {"parent": str(parent)} if parent else {}
    return [PlannedStage(config.model_copy(update=update), out)]


def stages_left(stages: list[PlannedStage], say: Callable[[str], None]) -> list[PlannedStage]:
    """Those of a chain that are not done; one stage alone is always looked at again."""
    left = [stage for stage in stages if len(stages) == 1 or not stage.done()]
    for stage in stages:
        if stage not in left:
            say(f"{stage.config.name}: done before, {stage.out} is kept")
    return left


def train_here(
    stages: list[PlannedStage],
    manifest: Path,
    stop_after: int | None,
    watch: Watch,
    say: Callable[[str], None],
    fallback: bool = False,
) -> None:
    """Train stages one after the other, each checked when its parent is there, until one is asked to stop.

    `fallback`: from the newest whole checkpoint, where the newest of all is damaged.
    """
    for stage in stages:
        if fallback:
            set_damaged_aside(stage.out, say)
        check_stage(stage.config, stage.out, manifest)
        if len(stages) > 1:
            say(f"{stage.config.name}: training into {stage.out}")
        _launch(stage.config, manifest, stage.out, stop_after, watch, say)
        if (stage.out / STOPPED).exists():
            return


def check_stage(config: TrainConfig, out: Path, manifest_path: Path) -> None:
    """Everything that can be checked without starting a process: recipe, layout, parent, manifest, what is there."""
    manifest = load_manifest(manifest_path)
    check_mixtures(config.data, manifest, manifest_path)
    planned_phases(config.data, manifest)
    start = find_start(config, manifest)
    newest = latest(out)
    if newest is not None:
        check_same_run(read_position(newest), manifest.digest, config, partial(trajectory_digest, start=start), newest)
    appended_data(config, manifest, out, newest)


def _launch(
    config: TrainConfig,
    manifest: Path,
    out: Path,
    stop_after: int | None,
    watch: Watch,
    say: Callable[[str], None],
) -> None:
    """A process for each rank; SIGTERM and SIGINT go on to them, and they save before they end."""
    processes = config.parallel.world_size
    command = [sys.executable, "-W", "ignore"]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "trainers.train", str(write_stage(config, out)), str(manifest), str(out)]
    command += [str(stop_after)] if stop_after else []
    environment = {"PYTHONWARNINGS": "ignore", "TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ, **same_imports()}
    if processes > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with watch(out, config.name) as panel:
        if panel.live:
            environment["CURATE_QUIET"] = "1"
        status = _run(command, environment, panel, say)
    if status == WrongCall.exit_status:
        raise SystemExit(status)  # the process has said what is wrong
    if status:
        raise CurateError(f"training ended with status {status}; what was saved in {out} is kept, call again to go on")


def _run(command: list[str], environment: dict[str, str], panel: Panel, say: Callable[[str], None]) -> int:
    with held_back():
        process = subprocess.Popen(command, env=environment)
        forward = _Forward(process, say)
        before = {number: signal.signal(number, forward) for number in ASKING}
    try:
        while process.poll() is None:
            panel.refresh()
            time.sleep(LOOK_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return process.returncode


class _Forward:
    """Asks the training processes to stop; a second Ctrl-C does not wait for them to save."""

    def __init__(self, process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
        self.process, self.say, self.interrupted = process, say, False

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
            self.say("saving before the end; Ctrl-C again ends at once, and keeps the last checkpoint")
        for one in every:
            with contextlib.suppress(psutil.Error):
                one.kill() if force else one.terminate()
