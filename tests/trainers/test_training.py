"""Training from a manifest: layouts agree, resumption is exact, altered data is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.pipelines.test_engines import curate

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
pytestmark = pytest.mark.slow

CONFIG = """
name: tiny
seed: 5
model: {{layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128, sequence_length: 64}}
data: {{mixture: pretrain, validation: 0.1}}
parallel: {{tensor: {tensor}, pipeline: {pipeline}, data: {data}}}
batch: {{micro: 2, global: 8}}
schedule: {{steps: 20, warmup: 4, learning_rate: 3.0e-3, min_learning_rate: 3.0e-4}}
checkpoint: {{every: 8, keep: 2}}
validation: {{every: 10, batches: 1}}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the sample."""
    folder = tmp_path_factory.mktemp("corpus") / "run"
    curate("run", REPOSITORY / "recipes" / "demo.yaml", "--run-dir", folder, "--workers", 2)
    return folder


def config(folder: Path, tensor: int = 1, pipeline: int = 1, data: int = 1) -> Path:
    path = folder / f"tp{tensor}-pp{pipeline}-dp{data}.yaml"
    path.write_text(CONFIG.format(tensor=tensor, pipeline=pipeline, data=data))
    return path


def train(
    folder: Path, corpus: Path, out: str, *more: object, status: int = 0, **layout: int
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return curate(
        "train",
        config(folder, **layout),
        "--manifest",
        corpus / "manifest.json",
        "--out",
        folder / out,
        *more,
        status=status,
        env=environment,
    )


def log(folder: Path, out: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / out / "log.jsonl").read_text().splitlines()]


def weights(folder: Path, out: str) -> dict[str, object]:
    """All tensors of the newest checkpoint, whole, whatever its layout."""
    code = (
        "import sys, torch, torch.distributed.checkpoint as dcp\n"
        "from torch.distributed.checkpoint import FileSystemReader\n"
        "kept = {k: torch.empty(v.size, dtype=v.properties.dtype) for k, v in FileSystemReader(sys.argv[1]).read_metadata().state_dict_metadata.items() if hasattr(v, 'properties')}\n"
        "dcp.load(kept, checkpoint_id=sys.argv[1], no_dist=True)\n"
        "torch.save(kept, sys.argv[2])\n"
    )
    newest = sorted((folder / out / "checkpoints").glob("step-*"))[-1]
    target = folder / f"{out}.pt"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(newest), str(target)], check=True, capture_output=True
    )
    return dict(torch.load(target))


@pytest.fixture(scope="module")
def one(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty steps in one process."""
    folder = tmp_path_factory.mktemp("one")
    train(folder, corpus, "model")
    return folder


def test_the_loss_falls_and_the_log_says_what_it_should(one: Path) -> None:
    steps = log(one, "model")
    assert [step["step"] for step in steps] == list(range(1, 21))
    assert steps[-1]["loss"] < steps[0]["loss"] - 0.5
    assert {"loss", "grad_norm", "learning_rate", "tokens_per_second", "data_wait_share"} <= steps[0].keys()
    assert "validation_loss" in steps[9]
    assert all(step["data_wait_share"] < 0.2 for step in steps[1:])
    assert list((one / "model" / "tensorboard").glob("events*"))
    position = json.loads((sorted((one / "model" / "checkpoints").glob("step-*"))[-1] / "position.json").read_text())
    assert position["step"] == 20
    assert position["samples"] == 160
    assert len(position["manifest_digest"]) == 64


@pytest.mark.parametrize("layout", [{"tensor": 2}, {"data": 2}, {"pipeline": 2}], ids=["TP2", "DP2", "PP2"])
def test_layouts_agree_with_one_process(one: Path, corpus: Path, tmp_path: Path, layout: dict[str, int]) -> None:
    train(tmp_path, corpus, "model", **layout)
    for mine, reference in zip(log(tmp_path, "model"), log(one, "model"), strict=True):
        assert abs(mine["loss"] - reference["loss"]) < 1e-4
    whole, expected = weights(tmp_path, "model"), weights(one, "model")
    assert whole.keys() == expected.keys()
    assert max(float((whole[name] - expected[name]).abs().max()) for name in whole) < 1e-3  # type: ignore[operator, attr-defined]


def test_stopped_and_resumed_the_weights_are_bit_identical(one: Path, corpus: Path, tmp_path: Path) -> None:
    for stop in (3, 11):
        train(tmp_path, corpus, "model", "--stop-after", stop)
    partial = tmp_path / "model" / "checkpoints" / ".step-00000015.part"
    partial.mkdir()
    train(tmp_path, corpus, "model")
    resumed, expected = weights(tmp_path, "model"), weights(one, "model")
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)  # type: ignore[arg-type]
    assert [step["loss"] for step in log(tmp_path, "model")] == [step["loss"] for step in log(one, "model")]
    assert len(list((tmp_path / "model" / "checkpoints").glob("step-*"))) == 2


def test_altered_shards_and_foreign_tokenizers_are_refused(corpus: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    shard = next(iter(sorted(copy.glob("shards/pretrain/*/*.arrow"))))
    original = shard.read_bytes()
    shard.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    assert "was altered" in train(tmp_path, copy, "a", status=2).stderr
    shard.unlink()
    assert "is missing" in train(tmp_path, copy, "b", status=2).stderr
    shard.write_bytes(original)
    tokenizer = copy / "tokenizer" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    assert "is not the manifest's" in train(tmp_path, copy, "c", status=2).stderr
    assert not list((tmp_path / "a").glob("checkpoints/*"))


def test_another_recipe_or_manifest_does_not_go_on(one: Path, corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(CONFIG.format(tensor=1, pipeline=1, data=1).replace("seed: 5", "seed: 6"))
    done = curate("train", path, "--manifest", corpus, "--out", one / "model", status=2)
    assert "belongs to another training recipe" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("heads: 4", "heads: 3"), "must be divisible by heads"),
        (("global: 8", "global: 7"), "must be divisible by batch.micro"),
        (("mixture: pretrain", "mixture: pretrian"), "has no mixture 'pretrian'"),
        (("warmup: 4", "warmup: 20"), "must be below schedule.steps"),
        (("layers: 2", "leyers: 2"), "did you mean 'layers'"),
    ],
)
def test_wrong_training_recipes_are_refused(corpus: Path, tmp_path: Path, wrong: tuple[str, str], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(CONFIG.format(tensor=1, pipeline=1, data=1).replace(*wrong))
    assert message in curate("train", path, "--manifest", corpus, "--out", tmp_path / "m", status=2).stderr
