"""LoRA: layouts agree, only adapters move, and merged weights compute what the adapters did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")

from tests.trainers.conftest import job, log, stage, weights
from tests.trainers.ranks import run

pytestmark = pytest.mark.slow

LORA = (("steps: 20", "steps: 12"), ("log:", "lora: {rank: 4, alpha: 8}\nlog:"), ("rate: 1.0e-3", "rate: 1.0e-2"))


def test_adapters_train_alike_in_every_layout_and_merge(corpus: Path, tmp_path: Path) -> None:
    one = stage(tmp_path, "one", "tensor: 1", *LORA)
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps([[1, 5, 99, 300, 7], list(range(40))]))
    run(
        1,
        [
            job(one, corpus, tmp_path / "one"),
            (
                "logits",
                {
                    "config": str(one),
                    "model": str(tmp_path / "one"),
                    "tokens": str(tokens),
                    "out": str(tmp_path / "logits.pt"),
                },
            ),
        ],
    )
    layouts = {"tp": "tensor: 2", "plain-tp": "tensor: 2, sequence: false", "pp": "pipeline: 2", "dp": "data: 2"}
    run(2, [job(stage(tmp_path, name, layout, *LORA), corpus, tmp_path / name) for name, layout in layouts.items()])
    merged = weights(tmp_path / "one")
    for name in layouts:
        for mine, theirs in zip(log(tmp_path / name), log(tmp_path / "one"), strict=True):
            assert abs(mine["loss"] - theirs["loss"]) < 1e-5, name
            assert abs(mine["grad_norm"] - theirs["grad_norm"]) < 1e-4, name
        other = weights(tmp_path / name)
        assert max(float((other[key] - merged[key]).abs().max()) for key in merged) < 3e-5, name
    assert log(tmp_path / "one")[-1]["loss"] < log(tmp_path / "one")[0]["loss"] - 0.005
    losses = [step["loss"] for step in log(tmp_path / "one")]
    assert sum(losses[-3:]) / 3 < sum(losses[:3]) / 3 - 0.02
    _merged_computes_the_same(tmp_path, tokens)


def _merged_computes_the_same(folder: Path, tokens: Path) -> None:
    from trainers.model.hf_export import export_hf

    export_hf(folder / "one", folder / "hf")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=torch.float32).eval()
    with torch.no_grad():
        for row, adapted in zip(json.loads(tokens.read_text()), torch.load(folder / "logits.pt"), strict=True):
            assert float((model(torch.tensor([row])).logits[0] - adapted).abs().max()) < 1e-5
