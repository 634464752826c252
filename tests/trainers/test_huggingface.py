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


def test_there_and_back_the_tensors_are_equal_and_generate_the_same(folders: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    from trainers.model.hf_export import export_hf

    jobs = []
    for kind in KINDS:
        for name, layout in (("tp", "tensor: 2"), ("pp", "pipeline: 2")):
            recipe = tmp_path / f"{name}.yaml"
            recipe.write_text(STAGE.format(layout=layout))
            jobs.append(
                (
                    "adopt",
                    {
                        "config": str(recipe),
                        "manifest": "",
                        "hf": str(folders / kind),
                        "out": str(tmp_path / f"{kind}-{name}"),
                    },
                )
            )
    run(2, jobs)
    for kind in KINDS:
        for name in ("tp", "pp"):
            to = tmp_path / f"{kind}-{name}-hf"
            export_hf(tmp_path / f"{kind}-{name}", to)
            theirs = {}
            for file in (folders / kind).glob("*.safetensors"):
                with safe_open(str(file), "pt") as opened:
                    theirs |= {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            with safe_open(str(to / "model.safetensors"), "pt") as opened:
                assert set(opened.keys()) == set(theirs)
                assert all(torch.equal(opened.get_tensor(key), theirs[key]) for key in theirs), (kind, name)
        before, after = (
            transformers.AutoModelForCausalLM.from_pretrained(one, dtype=torch.float32) for one in (folders / kind, to)
        )
        prompt = torch.tensor([[5, 9, 200, 31]])
        texts = [model.generate(prompt, max_new_tokens=16, do_sample=False).tolist() for model in (before, after)]
        assert texts[0] == texts[1]


def test_large_models_are_exported_in_several_files(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers.model import hf_export
    from trainers.model.hf_folder import HfFolder

    recipe = tmp_path / "one.yaml"
    recipe.write_text(STAGE.format(layout="tensor: 1"))
    run(
        1,
        [
            (
                "adopt",
                {"config": str(recipe), "manifest": "", "hf": str(folders / "llama"), "out": str(tmp_path / "model")},
            )
        ],
    )
    monkeypatch.setattr(hf_export, "FILE_BYTES", 300_000)
    files = hf_export.export_hf(tmp_path / "model", tmp_path / "hf", "bfloat16")
    assert sum(file.suffix == ".safetensors" for file in files) > 1
    assert HfFolder(tmp_path / "hf").model == HfFolder(folders / "llama").model


def altered(folder: Path, to: Path, **config: Any) -> Path:
    """A copy of a model with some of its configuration changed."""
    import shutil

    shutil.copytree(folder, to)
    told = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**told, **config}))
    return to


def test_what_cannot_be_loaded_is_refused_by_name(folders: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from schemas.errors import WrongCall
    from trainers.model.hf_folder import HfFolder

    qwen = folders / "qwen2"

    def refused(folder: Path, *words: str) -> None:
        with pytest.raises(WrongCall) as error:
            HfFolder(folder)
        assert all(word in str(error.value) for word in words), str(error.value)

    refused(altered(qwen, tmp_path / "a", architectures=["MambaForCausalLM"]), "MambaForCausalLM", "Qwen2ForCausalLM")
    refused(altered(qwen, tmp_path / "b", hidden_act="gelu"), "hidden_act", "gelu")
    refused(altered(qwen, tmp_path / "c", rope_parameters={"rope_type": "yarn"}), "yarn")
    refused(altered(qwen, tmp_path / "d", intermediate_size=128), "gate_proj", "(96, 64)", "(128, 64)")
    refused(altered(qwen, tmp_path / "e", num_hidden_layers=5), "model.layers.4", "is missing")
    refused(altered(qwen, tmp_path / "f", tie_word_embeddings=False), "lm_head.weight", "is missing")
    missing = altered(qwen, tmp_path / "g")
    sorted(missing.glob("*.safetensors"))[1].unlink()
    refused(missing, "names model-00002", "which is missing")
    whole = tmp_path / "h"
    whole.mkdir()
    (whole / "config.json").write_text((qwen / "config.json").read_text())
    refused(whole, "neither model.safetensors.index.json nor model.safetensors")
    (whole / "pytorch_model.bin").write_bytes(b"\x80\x04")
    refused(whole, "pytorch_model.bin is a pickle and is never loaded")
    tensors = {}
    for file in qwen.glob("*.safetensors"):
        tensors |= load_file(file)
    tensors["model.norm.weight"] = tensors["model.norm.weight"].to(torch.int8)
    save_file(tensors, whole / "model.safetensors")
    refused(whole, "model.norm.weight is I8")
    (whole / "model.safetensors").write_bytes(b"nonsense")
    refused(whole, "cannot be read as safetensors")
    refused(tmp_path, "is not a Hugging Face model")


def test_loading_reads_only_the_own_share(folders: Path, tmp_path: Path) -> None:
    """Of a model in many files, a rank touches ranges of one tensor at a time; nothing whole is held."""
    from trainers.model.families import part_shapes, weights_of
    from trainers.model.hf_folder import HfFolder
    from trainers.model.parts import own_part

    folder = HfFolder(folders / "qwen3")
    read = []

    def noted(name: str, dimension: int, start: int, stop: int) -> Any:
        tensor = folder.read(name, dimension, start, stop)
        read.append((name, tensor.numel()))
        return tensor

    for weight in weights_of(folder.model).values():
        shapes = part_shapes(folder.model, weight, folder.vocabulary)
        own_part(weight, folder.model, noted, [shape[weight.split or 0] for shape in shapes], 1, 2, 512)
    split = sum(count for name, count in read if "norm" not in name)
    whole = folder.model.parameters(folder.vocabulary)
    assert split <= whole / 2 + 64 * 777
