"""What a run does on the way: spikes, entropy, loggers, lineage; and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from tests.pipelines.test_engines import curate
from tests.trainers.conftest import DEEP, called, job, log, stage
from tests.trainers.ranks import run

pytestmark = pytest.mark.slow

SHORT = ("steps: 20", "steps: 14")
TALKS = (
    ("mixture: pretrain", "mixture: ift"),
    ("length: 64", "length: 256"),
    ("name: tiny", "name: cold\nstage: cold_start"),
)


@pytest.fixture(scope="module")
def ran(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several short runs on one process: spikes met in each way, all loggers, entropy."""
    folder = tmp_path_factory.mktemp("ran")
    spiky = ("norm_factor: 1.3", "loss_factor: 1.5")
    jobs = []
    for action in ("skip", "rollback", "record"):
        spikes = f"spikes: {{action: {action}, {', '.join(spiky)}}}\nlog:"
        recipe = stage(folder, action, "tensor: 1", SHORT, ("log:", spikes), ("every: 8, keep", "every: 4, keep"))
        jobs.append(job(recipe, corpus, folder / action))
    recipe = stage(folder, "stop", "tensor: 1", SHORT, ("log:", f"spikes: {{action: stop, {', '.join(spiky)}}}\nlog:"))
    jobs.append(job(recipe, corpus, folder / "stop", refused="see them with `curate trace --step"))
    logs = ("log: {tensorboard: false}", "log: {tensorboard: true, wandb: true, entropy: true}")
    jobs.append(
        job(
            stage(folder, "cold", "tensor: 1", ("steps: 20, warmup: 4", "epochs: 2, warmup: 1"), *TALKS, logs),
            corpus,
            folder / "cold",
        )
    )
    groups = 'log: {tensorboard: false}\noptimizer: {groups: [{match: "*word_embeddings*", learning_rate: 0.0001, weight_decay: 0.0}]}'
    jobs.append(
        job(
            stage(folder, "groups", "tensor: 1", ("steps: 20", "steps: 5"), ("log: {tensorboard: false}", groups)),
            corpus,
            folder / "groups",
        )
    )
    run(1, jobs)
    return folder


def events(out: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    return [one for one in found if one["event"] == kind]


def test_spikes_are_recorded_with_their_documents_and_skipped(ran: Path) -> None:
    told = events(ran / "skip", "spike")
    assert told
    assert all("above 1.3 times the usual" in one["reason"] and one["documents"] for one in told)
    records = log(ran / "skip")
    assert [one["step"] for one in records if one.get("spike") == "skip"] == [one["step"] for one in told]
    assert records[-1]["step"] == 14
    record = log(ran / "record")
    assert [one["step"] for one in record if one.get("spike") == "record"]


def test_a_rollback_goes_back_and_on_with_later_data(ran: Path) -> None:
    records, told = log(ran / "rollback"), events(ran / "rollback", "spike")
    assert told
    assert records[-1]["step"] == 14
    assert records[-1]["first_sample"] > 13 * 8, "samples around spikes are not seen again"
    assert [one["first_sample"] for one in records] == sorted({one["first_sample"] for one in records})
    assert not any(one["first_sample"] == spike["first_sample"] for one in records for spike in told)


def test_entropy_and_every_logger(ran: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    records = log(ran / "cold")
    told = [one["entropy"] for one in records if "entropy" in one]
    assert told
    assert 0 < told[-1] < 7.7, "at most the logarithm of the vocabulary"
    board = EventAccumulator(str(ran / "cold" / "tensorboard")).Reload()
    assert {"loss", "grad_norm", "learning_rate", "mfu", "entropy"} <= set(board.Tags()["scalars"])
    assert any(name.startswith("loss_by/component/") for name in board.Tags()["scalars"])
    assert list((ran / "cold").glob("wandb/offline-run-*"))
    per_epoch = sum(events(ran / "cold", "blend")[0]["epochs"].values()) / 2
    assert 1.9 < per_epoch < 2.6, "two epochs, the last step filled up"


def test_groups_have_rates_of_their_own(ran: Path) -> None:
    from tests.trainers.conftest import weights
    from trainers.loop.position import latest
    from trainers.model.card import read_card
    from trainers.model.hf_export import hf_tensors

    assert latest(ran / "groups") is not None
    moved = dict(hf_tensors(read_card(ran / "groups"), latest(ran / "groups")))["model.embed_tokens.weight"]  # type: ignore[arg-type]
    other = weights(ran / "record")["model.embed_tokens.weight"]
    assert moved.std() == pytest.approx(0.02, rel=0.02), "hardly moved from where it was drawn"
    assert float((other - moved).abs().mean()) > 1e-4


def test_a_step_is_traced_to_its_documents_and_a_document_to_its_steps(ran: Path, corpus: Path) -> None:
    lines = [json.loads(line) for line in called("trace", "--step", 5, "--checkpoint", ran / "record").splitlines()]
    assert {sample for line in lines for sample in line["samples"]} == set(range(32, 40))
    assert all(line["table"] == "curated" and line["component"].startswith("pretrain/") for line in lines)
    document = lines[0]["document"]
    back = json.loads(called("trace", corpus, "--document", document, "--checkpoint", ran / "record"))
    assert 5 in back["steps"]
    for step in (back["steps"][0], back["steps"][-1]):
        told = called("trace", "--step", step, "--checkpoint", ran / "record")
        assert any(json.loads(line)["document"] == document for line in told.splitlines())
    assert "has no step 99" in curate("trace", "--step", 99, "--checkpoint", ran / "record", status=2).stderr
    packed = json.loads(called("trace", "--step", 2, "--checkpoint", ran / "cold").splitlines()[0])
    assert 2 in json.loads(called("trace", "--document", packed["document"], "--checkpoint", ran / "cold"))["steps"]


def refused(
    corpus: Path, folder: Path, words: str, *changes: tuple[str, str], layout: str = "tensor: 1", **more: Any
) -> None:
    recipe = stage(folder, "wrong", layout, *changes)
    manifest = more.pop("manifest", corpus)
    told = curate(
        "train", recipe, "--manifest", manifest, "--out", folder / "model", *more.pop("options", ()), status=2
    ).stderr
    assert words in told, told
    assert not list((folder / "model").glob("checkpoints/*"))


WRONG: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("tensor: 3", "model.heads (4) must be divisible by parallel.tensor (3); nearest that do: 1, 2, 4", []),
    ("pipeline: 3", "model.layers (4) must be divisible by parallel.pipeline x parallel.chunks (3); nearest that do: 1, 2, 4", [DEEP]),
    ("pipeline: 2, chunks: 2", "the nearest batch.global is 8", [DEEP, ("global: 8", "global: 6")]),
    ("data: 3", "batch.global (8) must be divisible by batch.micro x parallel.data (6)", []),
    ("context: 3", "data.sequence_length (64) must be divisible by the split of a sequence", []),
    ("tensor: 1", "chunks above 1 needs", [("tensor: 1", "chunks: 2")]),
    ("tensor: 1", "has no mixture 'pretrian'; did you mean 'pretrain'?", [("mixture: pretrain", "mixture: pretrian")]),
    ("tensor: 1", "has no component 'gudiance'; did you mean 'guidance'?", [("mixture: pretrain", "mixture: pretrain, weights: {gudiance: 1}")]),
    ("tensor: 1", "warmup (20) must be below", [("warmup: 4", "warmup: 20")]),
    ("tensor: 1", "did you mean 'layers'", [("layers: 2", "leyers: 2")]),
    ("tensor: 1", "give one of `steps`, `tokens` and `epochs`", [("steps: 20", "steps: 20, epochs: 1")]),
    ("tensor: 1", "must be divisible by heads", [("heads: 4", "heads: 5")]),
    ("tensor: 1", "parent /nowhere does not exist", [("seed: 5", "seed: 5\nparent: /nowhere")]),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_wrong_recipes_are_refused_before_any_process_starts(corpus: Path, tmp_path: Path, number: int) -> None:
    layout, words, changes = WRONG[number]
    refused(corpus, tmp_path, words, *changes, layout=layout)


def test_too_few_tokens_long_conversations_and_caps_are_refused(corpus: Path, tmp_path: Path) -> None:
    jobs = []
    for number, (words, changes) in enumerate(
        [
            ("no component with enough tokens", [("length: 64", "length: 65536")]),
            ("a conversation of", [("mixture: pretrain", "mixture: ift")]),
            ("the data last for", [("mixture: pretrain", "mixture: pretrain, max_epochs: 0.5")]),
        ]
    ):
        jobs.append(
            job(stage(tmp_path, str(number), "tensor: 1", *changes), corpus, tmp_path / str(number), refused=words)
        )
    run(1, jobs)


def test_altered_data_and_foreign_runs_are_refused(corpus: Path, ran: Path, tmp_path: Path) -> None:
    recipe, jobs = stage(tmp_path, "altered"), []
    for number, (words, alter) in enumerate(
        [
            ("Not an Arrow file", lambda path: _flip(path, -1)),
            ("was altered", lambda path: _flip(path, path.stat().st_size // 2)),
            ("is missing", lambda path: path.unlink()),
        ]
    ):
        copy = tmp_path / str(number)
        shutil.copytree(corpus, copy)
        alter(min(copy.glob("shards/pretrain/*/*.arrow")))
        jobs.append(job(recipe, copy, tmp_path / f"model-{number}", refused=words, status=2))
    copy = tmp_path / "retokenized"
    shutil.copytree(corpus, copy)
    tokenizer = copy / "tokenizer" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    jobs.append(job(recipe, copy, tmp_path / "model-3", refused="is not the manifest's", status=2))
    run(1, jobs)
    assert not list(tmp_path.glob("model-*/checkpoints/*"))
    refused(corpus, tmp_path, "is missing", manifest=tmp_path / "2")
    other = stage(tmp_path, "other", "tensor: 1", SHORT, ("seed: 5", "seed: 6"))
    told = curate("train", other, "--manifest", corpus, "--out", ran / "record", status=2).stderr
    assert "was trained with seed 5, the recipe says 6; set it back" in told


def _flip(path: Path, place: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_parent_of_another_kind_is_refused(corpus: Path, ran: Path, tmp_path: Path) -> None:
    def edited(name: str, **changes: Any) -> Path:
        card = json.loads((ran / "cold" / "model.json").read_text())
        folder = tmp_path / name
        (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
        (folder / "checkpoints" / "step-00000001" / "position.json").write_text(
            json.dumps({"step": 1, "samples": 1, "manifest_digest": "", "mixture": "", "trajectory_digest": ""})
        )
        (folder / "model.json").write_text(json.dumps({**card, **changes}))
        return folder

    base = [("model: {family: qwen3, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128}\n", "")]
    for words, parent in (
        ("another tokenizer", edited("a", tokenizer_digest="other")),
        ("another chat template", edited("b", template_digest="other")),
        ("holds LoRA adapters; merge them first", edited("c", lora={"rank": 4, "alpha": 8})),
    ):
        refused(corpus, tmp_path, words, *base, options=("--from", parent))
    refused(
        corpus,
        tmp_path,
        "model.hidden of the recipe is not that of its parent",
        ("hidden: 64", "hidden: 32"),
        options=("--from", edited("d")),
    )
    hf = tmp_path / "hf"
    curate("export", "model", ran / "cold", "--to", hf)
    (hf / "tokenizer.json").write_text((hf / "tokenizer.json").read_text() + " ")
    refused(corpus, tmp_path, "is not the manifest's tokenizer", *base, options=("--from", hf))
    pl.read_json(hf / "config.json")


def test_checkpoints_that_would_run_code_are_refused(ran: Path, tmp_path: Path) -> None:
    import os
    import pickle

    from schemas.errors import WrongCall
    from trainers.loop.position import latest
    from trainers.model.saved_weights import check_harmless

    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path}/hacked",)

    whole = latest(ran / "record")
    assert whole is not None
    check_harmless(whole)
    for name, write in (
        (".metadata", lambda path: path.write_bytes(pickle.dumps(Hostile()))),
        ("common.pt", lambda path: torch.save(Hostile(), path)),
    ):
        copy = tmp_path / name
        shutil.copytree(whole, copy)
        write(copy / name)
        with pytest.raises(WrongCall, match="is refused"):
            check_harmless(copy)
    assert not (tmp_path / "hacked").exists()


def test_a_stage_that_ended_leaves_no_model_and_no_process_group(corpus: Path, tmp_path: Path) -> None:
    recipe = stage(tmp_path, "ended", "tensor: 1", ("steps: 20, warmup: 4", "steps: 2, warmup: 1"))
    told = {"config": str(recipe), "manifest": str(corpus), "out": str(tmp_path / "model"), "most_more": 5}
    run(1, [("threads", told)])
