"""Every parallel layout trains the model that one process trains, and a checkpoint moves between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from tests.trainers.conftest import DEEP, job, largest_difference, log, stage, weights
from tests.trainers.ranks import run

pytestmark = pytest.mark.slow

LAYOUTS = {
    2: ["tensor: 2", "data: 2", "pipeline: 2", "pipeline: 2, chunks: 2", "context: 2"],
    4: ["tensor: 2, pipeline: 2", "tensor: 2, data: 2", "tensor: 2, context: 2"],
}
EIGHT = (("steps: 20", "steps: 8"), ("every: 10", "every: 4"))
PACKED = (
    ("mixture: pretrain", "mixture: ift"),
    ("name: tiny", "name: packed\nstage: ift"),
    ("steps: 20", "steps: 6"),
    ("length: 64", "length: 256"),
)


@pytest.fixture(scope="module")
def one(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of documents, of packed conversations, with recomputation, and in bf16."""
    folder = tmp_path_factory.mktemp("one")
    run(
        1,
        [
            job(stage(folder, "plain", "tensor: 1", *EIGHT), corpus, folder / "plain"),
            job(stage(folder, "deep", "tensor: 1", *EIGHT, DEEP), corpus, folder / "deep"),
            ("pack_and_alone", {"config": str(stage(folder, "alone", "tensor: 1", *PACKED)), "manifest": str(corpus)}),
            job(stage(folder, "packed", "tensor: 1", *PACKED), corpus, folder / "packed"),
            job(
                stage(folder, "recomputed", "tensor: 1", ("log:", "recompute: full\nlog:"), ("steps: 20", "steps: 6")),
                corpus,
                folder / "recomputed",
            ),
            job(stage(folder, "straight", "tensor: 1", ("steps: 20", "steps: 6")), corpus, folder / "straight"),
            job(
                stage(folder, "bf16", "tensor: 1", ("seed: 5", "seed: 5\nprecision: bf16"), *EIGHT),
                corpus,
                folder / "bf16",
            ),
            job(
                stage(folder, "accumulated", "tensor: 1", ("micro: 2", "micro: 1"), ("steps: 20", "steps: 6")),
                corpus,
                folder / "accumulated",
            ),
        ],
    )
    return folder


@pytest.mark.parametrize("world", [2, 4])
def test_losses_norms_and_weights_agree_with_one_process(one: Path, corpus: Path, tmp_path: Path, world: int) -> None:
    jobs, outs = [], []
    for number, layout in enumerate(LAYOUTS[world]):
        out = tmp_path / str(number)
        deep = (DEEP,) if "chunks" in layout else ()
        jobs.append(job(stage(tmp_path, f"stage-{number}", layout, *EIGHT, *deep), corpus, out))
        outs.append((layout, out, one / ("deep" if deep else "plain")))
    for layout in ("context: 2", "tensor: 2") if world == 2 else ():
        out = tmp_path / f"packed-{layout[:4]}"
        jobs.append(job(stage(tmp_path, out.name, layout, *PACKED), corpus, out))
        outs.append((f"packed, {layout}", out, one / "packed"))
    run(world, jobs)
    for layout, out, reference in outs:
        for mine, theirs in zip(log(out), log(reference), strict=True):
            assert abs(mine["loss"] - theirs["loss"]) < 1e-4, layout
            assert abs(mine["grad_norm"] - theirs["grad_norm"]) < 1e-4, layout
            assert mine.get("loss_by", {}).keys() == theirs.get("loss_by", {}).keys()
        assert largest_difference(weights(out), weights(reference)) < 1e-4, layout
        assert abs(log(out)[-1]["validation_loss"] - log(reference)[-1]["validation_loss"]) < 1e-4


def test_a_checkpoint_moves_between_layouts_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    import torch

    short = (("steps: 20", "steps: 5"), DEEP)
    split, piped, shared = (
        stage(tmp_path, name, layout, *short)
        for name, layout in (("tp", "tensor: 2"), ("pp", "pipeline: 2"), ("dp", "data: 2"))
    )
    there, apart, back = tmp_path / "there", tmp_path / "apart", tmp_path / "back"
    run(
        2,
        [
            job(split, corpus, tmp_path / "model", stop_after=4),
            (
                "resave",
                {"config": str(piped), "manifest": str(corpus), "source": str(tmp_path / "model"), "out": str(there)},
            ),
            ("resave", {"config": str(shared), "manifest": str(corpus), "source": str(there), "out": str(apart)}),
            ("resave", {"config": str(split), "manifest": str(corpus), "source": str(apart), "out": str(back)}),
            job(piped, corpus, tmp_path / "model"),
        ],
    )
    first = tmp_path / "model"
    expected, state = _at(first, 4), _moments(first, 4)
    assert len(state) > 20
    for moved in (there, apart, back):
        assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(moved).items())
        assert all(torch.equal(tensor, state[name]) for name, tensor in _moments(moved, 4).items())
    assert log(first)[-1]["step"] == 5, "training goes on in the other layout"


def _moments(out: Path, step: int) -> dict[str, Any]:
    """The optimizer's whole tensors by the names that they have in a checkpoint, without rows of padding."""
    from trainers.loop.position import checkpoint_folder
    from trainers.model.card import read_card
    from trainers.model.saved_weights import SavedWeights

    saved, vocabulary = SavedWeights(checkpoint_folder(out, step)), read_card(out).vocabulary
    names = [name for name in saved._tensors if name.startswith("optimizer.state.")]
    return {name: saved.read(name)[:vocabulary] if "embedding" in name else saved.read(name) for name in names}


def _at(out: Path, step: int) -> dict[str, Any]:
    from trainers.loop.position import checkpoint_folder
    from trainers.model.card import read_card
    from trainers.model.hf_export import hf_tensors

    return dict(hf_tensors(read_card(out), checkpoint_folder(out, step)))


def test_recomputed_activations_and_smaller_micro_batches_change_nothing(one: Path) -> None:
    straight = log(one / "straight")
    assert [step["loss"] for step in log(one / "recomputed")] == [step["loss"] for step in straight]
    for mine, theirs in zip(log(one / "accumulated"), straight, strict=True):
        assert abs(mine["loss"] - theirs["loss"]) < 1e-5
        assert abs(mine["grad_norm"] - theirs["grad_norm"]) < 1e-4


def test_bf16_with_fp32_master_weights_follows_fp32(one: Path) -> None:
    import torch

    for mine, theirs in zip(log(one / "bf16"), log(one / "plain"), strict=True):
        assert abs(mine["loss"] - theirs["loss"]) < 0.05
    assert all(tensor.dtype == torch.bfloat16 for tensor in weights(one / "bf16").values())


def test_the_log_says_what_it_should(one: Path) -> None:
    steps = log(one / "deep")
    assert [step["step"] for step in steps] == list(range(1, 9))
    assert steps[-1]["loss"] < steps[0]["loss"] - 0.03
    assert {
        "loss",
        "grad_norm",
        "learning_rate",
        "tokens_per_second",
        "mfu",
        "data_wait_share",
        "memory_bytes",
    } <= steps[0].keys()
    assert set(steps[0]["loss_by"]["grade"]) <= {"A", "B", "C", "D", "E", "ungraded"}
    assert all(name.startswith("pretrain/") for name in steps[3]["loss_by"]["component"])
    assert "perplexity" in steps[3]
    assert all(value > 1 for value in steps[3]["perplexity"].values())
    assert len(list((one / "deep" / "checkpoints").glob("step-*"))) == 1
