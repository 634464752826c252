"""From and to Hugging Face: logits, round trips, generation, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.ranks import run

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")
pytestmark = pytest.mark.slow

SHAPE: dict[str, Any] = {
    "vocab_size": 777,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
KINDS = {
    "qwen2": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SHAPE, tie_word_embeddings=True)),
    "qwen3": lambda: transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**SHAPE, head_dim=32, tie_word_embeddings=False)
    ),
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**SHAPE, rope_parameters=LLAMA3_ROPE)),
}
STAGE = """
name: hf
data: {{sequence_length: 128}}
batch: {{micro: 1, global: 4}}
parallel: {{{layout}}}
schedule: {{steps: 2}}
"""
LAYOUTS = {1: ["tensor: 1"], 2: ["tensor: 2, sequence: false", "pipeline: 2"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of each kind, biases and norms made visible, in several files."""
    base = tmp_path_factory.mktemp("hf")
    torch.manual_seed(3)
    for kind, make in KINDS.items():
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.normal_(1.0, 0.3)
        model.save_pretrained(base / kind, max_shard_size="200KB")
    return base


def reference(folder: Path, rows: list[list[int]]) -> list[Any]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [model(torch.tensor([row])).logits[0] for row in rows]


def test_logits_are_those_of_transformers_in_every_layout(folders: Path, tmp_path: Path) -> None:
    stream = torch.Generator().manual_seed(1)
    rows = [torch.randint(0, 777, (length,), generator=stream).tolist() for length in (1, 7, 128)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    outs = []
    for world, layouts in LAYOUTS.items():
        jobs = []
        for number, layout in enumerate(layouts):
            stage = tmp_path / f"{world}-{number}.yaml"
            stage.write_text(STAGE.format(layout=layout))
            for kind in KINDS:
                out = tmp_path / f"{world}-{number}-{kind}.pt"
                outs.append((kind, out))
                jobs.append(("logits", {"config": str(stage), "hf": str(folders / kind), "tokens": str(tmp_path / "rows.json"), "out": str(out)}))  # fmt: skip
        run(world, jobs)
    expected = {kind: reference(folders / kind, rows) for kind in KINDS}
    for kind, out in outs:
        for mine, theirs in zip(torch.load(out), expected[kind], strict=True):
            assert float((mine - theirs).abs().max()) < 1e-4, (kind, out.name)
