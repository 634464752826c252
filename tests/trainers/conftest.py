"""A curated corpus for all tests of training, recipes of tiny stages, and what came out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

STAGE = """
name: tiny
seed: 5
model: {{family: qwen3, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128}}
data: {{mixture: pretrain, validation: 0.1, sequence_length: 64}}
parallel: {{{layout}}}
batch: {{micro: 2, global: 8}}
schedule: {{steps: 20, warmup: 4, learning_rate: 1.0e-3, min_learning_rate: 1.0e-4}}
checkpoint: {{every: 8, keep: 2}}
validation: {{every: 10, batches: 1}}
log: {{tensorboard: false}}
"""
DEEP = ("layers: 2", "layers: 4")  # for two chunks on each of two ranks


@pytest.fixture(scope="session")
def corpus(demo_run: Path) -> Path:
    """A finished run of the sample."""
    return demo_run


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task of `uses`: its corpus in `run`, and in `cold` a model that was begun on it."""
    from tests.trainers.uses import make

    return make(tmp_path_factory.mktemp("rl"))


def stage(folder: Path, name: str, layout: str = "tensor: 1", *changes: tuple[str, str]) -> Path:
    """A stage's recipe in `folder`, with some of its text changed."""
    text = STAGE.format(layout=layout)
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def job(recipe: Path, corpus: Path, out: Path, **more: Any) -> tuple[str, dict[str, Any]]:
    """A job of `ranks` that trains a stage."""
    return "train", {"config": str(recipe), "manifest": str(corpus), "out": str(out), **more}


def log(out: Path) -> list[dict[str, Any]]:
    """The records of a run."""
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def weights(out: Path) -> dict[str, Any]:
    """Hugging Face tensors of the newest checkpoint, whatever its layout."""
    from trainers.model.card import read_card
    from trainers.model.hf_export import hf_tensors, newest_checkpoint

    return dict(hf_tensors(read_card(out), newest_checkpoint(out)))


def largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def called(*arguments: object) -> str:
    """What a command prints, called within this process: its libraries are loaded once."""
    from click.testing import CliRunner

    from curate.cli import main

    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False).stdout


def invoked(*arguments: object) -> str:
    """What a command says on either stream, called within this process."""
    from click.testing import CliRunner

    from curate.cli import main

    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False).output
