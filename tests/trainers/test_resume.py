"""Stopped, killed, asked to stop: a run goes on and ends with the same bits."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from torch.distributed.run import main as torchrun

from tests.conftest import REPOSITORY
from tests.trainers.conftest import DEEP, job, log, stage, weights
from tests.trainers.ranks import run
from tests.warm import Warm, called, training, wait_until

pytestmark = pytest.mark.slow

PACKED = (
    ("mixture: pretrain", "mixture: ift"),
    ("name: tiny", "name: packed\nstage: ift"),
    ("length: 64", "length: 256"),
)
SHORT = ("steps: 20", "steps: 8")


def same(one: Path, other: Path) -> bool:
    mine, theirs = weights(one), weights(other)
    equal = all(torch.equal(mine[name], theirs[name]) for name in theirs)
    return equal and [step["loss"] for step in log(one)] == [step["loss"] for step in log(other)]


def test_stages_and_layouts_resume_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    jobs, pairs = [], []
    for name, layout, changes in (
        ("tp", "tensor: 2", ()),
        ("pp", "pipeline: 2, chunks: 2", (DEEP,)),
        ("cp", "context: 2", PACKED),
        ("dp", "data: 2", (*PACKED, ("global: 8", "global: 8, ramp: [{until: 4, global: 4}]"))),
    ):
        recipe = stage(tmp_path, name, layout, SHORT, *changes)
        whole, parts = tmp_path / f"{name}-whole", tmp_path / f"{name}-parts"
        jobs += [
            job(recipe, corpus, whole),
            job(recipe, corpus, parts, stop_after=3),
            job(recipe, corpus, parts, stop_after=5),
        ]
        jobs.append(job(recipe, corpus, parts))
        pairs.append((whole, parts))
    run(2, jobs, timeout=400)
    for whole, parts in pairs:
        assert same(parts, whole), parts.name
    assert [step["batch"] for step in log(tmp_path / "dp-whole")] == [4] * 4 + [8] * 4


def test_killed_while_saving_out_of_space_and_asked_to_stop_it_ends_with_the_same_bits(
    corpus: Path, tmp_path: Path
) -> None:
    recipe = stage(tmp_path, "killed", "tensor: 1", ("every: 8", "every: 3"))
    out = tmp_path / "model"
    run(1, [job(recipe, corpus, tmp_path / "whole")])
    process = training(recipe, corpus, out)
    half = out / "checkpoints" / ".step-00000006.part"
    wait_until(half.exists, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # A half-written checkpoint is none: the one before is where the run goes on.
    half.mkdir(exist_ok=True)
    # No room for a checkpoint: a clear end, and the one before is kept.
    process = training(recipe, corpus, out, largest_file=300)
    errors = process.communicate(timeout=90)[1]
    assert process.returncode == 1, errors
    assert "could not be written" in errors
    assert "the one before is kept" in errors
    assert [one.name for one in (out / "checkpoints").glob("step-*")] == ["step-00000003"]
    process = training(recipe, corpus, out)
    wait_until((out / "checkpoints" / "step-00000006").exists, process)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    stopped = json.loads((out / "stopped.json").read_text())["step"]
    assert 6 <= stopped < 20
    assert json.loads((out / "checkpoints" / f"step-{stopped:08d}" / "position.json").read_text())["step"] == stopped
    process = training(recipe, corpus, out)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors
    assert not (out / "stopped.json").exists()
    assert same(out, tmp_path / "whole")
    assert len(list((out / "checkpoints").glob("step-*"))) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_before_anything_is_trained_it_ends_well(corpus: Path, tmp_path: Path, number: int) -> None:
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "model"
    os.mkfifo(recipe)  # whoever reads it waits
    process = called("train", recipe, "--manifest", corpus, "--out", out, cwd=REPOSITORY, new_session=True)
    writer: list[int] = []
    wait_until(lambda: writer or _opened(recipe, writer), process)
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    os.close(*writer)
    assert process.returncode == 0, errors
    assert errors.strip() == "asked to stop while nothing was being trained; call again to go on"


def _opened(fifo: Path, writer: list[int]) -> bool:
    """Whether a process is at reading it, only then can it be opened for writing; it waits while `writer` is open."""
    try:
        writer.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("world", [1, 2])
def test_a_save_that_was_left_says_nothing_of_the_next(corpus: Path, tmp_path: Path, world: int) -> None:
    recipe = stage(tmp_path, "left", f"data: {world}", SHORT, ("every: 8", "every: 2"))
    told = {"config": str(recipe), "manifest": str(corpus), "out": str(tmp_path / "out")}
    run(world, [("left_while_saving", told)])


def test_ctrl_c_saves_on_every_rank_before_the_end(corpus: Path, tmp_path: Path) -> None:
    recipe, out = stage(tmp_path, "interrupted", "data: 2", ("steps: 20", "steps: 2000")), tmp_path / "model"
    process = called("train", recipe, "--manifest", corpus, "--out", out, cwd=REPOSITORY, new_session=True)
    wait_until(lambda: (out / "log.jsonl").exists() and len(log(out)) > 3, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to launcher, torchrun and ranks
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert "Ctrl-C again ends at once" in errors
    stopped = json.loads((out / "stopped.json").read_text())["step"]
    assert (out / "checkpoints" / f"step-{stopped:08d}" / "position.json").exists()


def test_kept_checkpoints_are_the_last_and_every_nth(corpus: Path, tmp_path: Path) -> None:
    recipe = stage(
        tmp_path,
        "kept",
        "tensor: 1",
        ("every: 8, keep: 2", "every: 2, keep: 1, keep_every: 4"),
        ("steps: 20", "steps: 10"),
    )
    run(1, [job(recipe, corpus, tmp_path / "model")])
    assert sorted(one.name[-2:] for one in (tmp_path / "model" / "checkpoints").glob("step-*")) == ["04", "08", "10"]


def test_a_rank_that_dies_ends_the_others(corpus: Path, tmp_path: Path) -> None:
    recipe = stage(tmp_path, "dying", "data: 2", ("steps: 20", "steps: 2000"))
    words = ["--standalone", "--nproc-per-node", "2", "-m", "trainers.train", recipe, corpus, tmp_path / "model"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    process = Warm(torchrun, [str(word) for word in words], environment=environment, cwd=REPOSITORY, new_session=True)
    wait_until(lambda: (tmp_path / "model" / "log.jsonl").exists() and len(log(tmp_path / "model")) > 3, process)
    ranks = psutil.Process(process.pid).children()
    ranks[-1].kill()
    started = time.monotonic()
    errors = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert time.monotonic() - started < 60
    assert "Signal 9" in errors
