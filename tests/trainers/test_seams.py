"""The loop's seams, each proven by a toy: a second, frozen model, and batches that are made between steps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from schemas.errors import WrongCall
from tests.conftest import REPOSITORY
from tests.trainers.conftest import log, stage
from tests.trainers.ranks import run

pytestmark = pytest.mark.slow
TOY = (("name: tiny", "name: toy\nobjective: stay_near"), ("steps: 20", "steps: 8"))


@pytest.fixture(scope="module")
def toys(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy stage on one process, and on two of each kind."""
    folder = tmp_path_factory.mktemp("toys")
    for world, layouts in ((1, {"alone": "tensor: 1"}), (2, {"tensor": "tensor: 2", "pipeline": "pipeline: 2"})):
        jobs = []
        for name, layout in layouts.items():
            recipe = stage(folder, name, layout, *TOY)
            jobs.append(("toys", {"config": str(recipe), "manifest": str(corpus), "out": str(folder / name)}))
        run(world, jobs)
    return folder


def test_an_objective_may_look_at_a_frozen_model(toys: Path) -> None:
    records = log(toys / "alone")
    distances = [one["distance"] for one in records]
    assert distances[0] == pytest.approx(0.0, abs=1e-9), "at first both models are one"
    assert distances[-1] > 1e-4
    assert records[-1]["loss"] < records[0]["loss"]


def test_batches_may_be_made_from_the_model_between_steps(toys: Path) -> None:
    learned = [one["learned_tokens"] for one in log(toys / "alone")]
    assert learned[1::2] == [2 * one for one in learned[::2]]
    seen = json.loads((toys / "alone" / "seen.json").read_text())
    assert len(seen) == len(set(seen)) == 8, "the source saw the weights of every step"


@pytest.mark.parametrize("layout", ["tensor", "pipeline"])
def test_both_seams_hold_in_every_layout(toys: Path, layout: str) -> None:
    for one, other in zip(log(toys / "alone"), log(toys / layout), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=1e-4)
        assert other["distance"] == pytest.approx(one["distance"], abs=1e-4)


def test_an_unknown_objective_is_refused_with_the_nearest() -> None:
    from trainers.objectives.objective import OBJECTIVES

    with pytest.raises(WrongCall, match="unknown objective 'next_tokens'; did you mean 'next_token'"):
        OBJECTIVES.get("next_tokens")


def test_waiting_is_for_a_heartbeat_and_not_for_a_clock(tmp_path: Path) -> None:
    """The first rank works for longer than the others' collective would wait; one that dies is told."""
    run(2, [("waits", {"seconds": 7.0, "limit": 3.0})], timeout=60)
    errors = run(2, [("waits", {"seconds": 1.0, "limit": 3.0, "fails": True})], timeout=60, check=False)
    assert any("the first rank failed: no index" in one for one in errors)


def test_two_trainings_on_one_folder_are_refused(corpus: Path, tmp_path: Path) -> None:
    from storage.lease import leased

    out = tmp_path / "out"
    recipe = stage(tmp_path, "held", "tensor: 1", ("steps: 20", "steps: 6"))
    with leased(out, "another training"):
        run(
            1,
            [
                (
                    "train",
                    {
                        "config": str(recipe),
                        "manifest": str(corpus),
                        "out": str(out),
                        "refused": "in use by process",
                        "status": 2,
                    },
                )
            ],
        )
    assert not list(out.glob("*")), "nothing was written"


def test_a_rank_that_hangs_is_named_and_ends_the_others() -> None:
    begun = time.monotonic()
    told = "".join(run(2, [("hang", {"bound": 2.0})], check=False))
    assert "rank 1 has not moved for" in told, told[-2000:]
    assert "sampling token 7 of prompt 3" in told
    assert time.monotonic() - begun < 60


WATCHED = """
import sys, time, torch
from trainers.parallel.watchdog import Watchdog, tick
torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
with Watchdog(1.0):
    print("begun", flush=True)
    for _ in range(60):
        time.sleep(0.05)
        tick("working")
print("done", flush=True)
"""


def test_a_process_that_was_stopped_for_a_while_did_not_hang() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        process.send_signal(signal.SIGCONT)
        told, wrong = process.communicate(timeout=60)
    assert told == "done\n", wrong
