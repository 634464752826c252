"""Killed at random moments, on both engines: the same digest each time, nothing left over, nothing twice.

Each run is killed several times on its way, so that many kills take a few runs: a kill of the
whole process group, or of one worker, at a random moment after the last.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from tests.conftest import REPOSITORY, SOAK
from tests.pipelines.test_engines import DEMO, curate, files_of
from tests.warm import called

pytestmark = pytest.mark.slow
# Engine, workers, kills, seed: thirty in all where `make soak` asks for it, else eleven.
RUNS = [("datatrove", 2, 15, 1), ("datatrove", 1, 10, 2), ("beam", 1, 5, 4)]
if not SOAK:
    RUNS = [("datatrove", 2, 5, 1), ("datatrove", 1, 3, 2), ("beam", 1, 3, 4)]


def killed(folder: Path, engine: str, workers: int, moment: int, one_worker: bool) -> bool:
    """Start the run, and kill it when so many more tasks are done; False where it ended before."""
    before = len(list(folder.glob("stages/*/*.json")))
    arguments = ("run", DEMO, "--run-dir", folder, "--engine", engine, "--workers", workers)
    process = called(*arguments, cwd=REPOSITORY, new_session=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(folder.glob("stages/*/*.json"))) - before >= moment:
            break
        time.sleep(0.003)
    ended = process.poll() is not None
    victims = psutil.Process(process.pid).children(recursive=True) if one_worker and not ended else []
    workers_only = [one for one in victims if one.parent() and one.parent().pid != process.pid]
    if workers_only:
        workers_only[0].kill()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            pytest.fail("the run hangs after one of its workers was killed")
    elif not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    return not ended


@pytest.mark.parametrize(("engine", "workers", "times", "seed"), RUNS)
def test_kills_change_nothing(demo_run: Path, tmp_path: Path, engine: str, workers: int, times: int, seed: int) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "run"
    kills = 0
    for number in range(times):
        one_worker = engine == "datatrove" and workers > 1 and number % 2 == 1
        kills += killed(folder, engine, workers, chance.randint(0, 80 // times), one_worker)
    assert kills >= 2
    curate("run", DEMO, "--run-dir", folder, "--engine", engine, "--workers", workers)
    assert files_of(folder) == files_of(demo_run)
    assert not [path for path in folder.rglob("*") if path.name.endswith((".part", ".claim"))]
    ids = pl.concat([pl.read_parquet(folder / name / "*.parquet")["id"] for name in ("curated", "dropped")])
    assert ids.n_unique() == len(ids)


def test_workers_end_soon_after_their_run_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = called("run", DEMO, "--run-dir", folder, "--workers", 2, cwd=REPOSITORY, new_session=True)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("stages/*/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(family) >= 2
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive, [one.cmdline() for one in alive]
