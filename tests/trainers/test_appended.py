"""More data join a run that goes on: what was drawn before stays, and what joins is drawn from there on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from pipelines.execute import execute
from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from tests.conftest import write_recipe
from tests.trainers.conftest import called, job, log, stage, weights
from tests.trainers.ranks import run
from trainers.data.appended import open_appended, phases_with
from trainers.data.blending import PlannedPhase
from trainers.stage import DataConfig, load_stage

pytestmark = pytest.mark.slow

LATE = """
name: late
sources: [{{name: notes, files: "late.jsonl", source_type: knowledge}}]
steps: [normalise]
dedup: {{exact: false, minhash: false}}
tokenizer: {tokenizer}
mixtures: {{pretrain: {{components: [{{name: notes}}]}}}}
"""
TWELVE = (("steps: 20, warmup: 4", "steps: 12, decay: constant, warmup: 2"), ("every: 8", "every: 100"))


@pytest.fixture(scope="module")
def late(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another run of curation, with the tokenizer of the first."""
    return curated(tmp_path_factory.mktemp("late"), f"{{file: {corpus / 'tokenizer' / 'tokenizer.json'}}}")


def curated(folder: Path, tokenizer: str) -> Path:
    rows = [
        {"text": f"Late finding {n}: drug {n * 7} lowers the pressure in {n} of {n + 9} adults."} for n in range(300)
    ]
    (folder / "late.jsonl").write_text("\n".join(map(json.dumps, rows)))
    execute(write_recipe(folder, LATE.format(tokenizer=tokenizer)), folder, folder / "run")
    return folder / "run"


def with_late(folder: Path, name: str, run_dir: Path, share: float = 0.5) -> Path:
    joined = f"validation: 0.1, append: [{{name: late, run: {run_dir}, share: {share}}}]"
    return stage(folder, name, "tensor: 1", *TWELVE, ("validation: 0.1", joined))


def test_data_that_join_are_drawn_from_there_on_and_to_the_bit(corpus: Path, late: Path, tmp_path: Path) -> None:
    plain, more = stage(tmp_path, "plain", "tensor: 1", *TWELVE), with_late(tmp_path, "more", late)
    other = with_late(tmp_path, "other", late, share=0.25)
    whole, once, twice = (tmp_path / name for name in ("whole", "once", "twice"))
    words = "data may join behind those that are there"
    jobs = [
        job(plain, corpus, whole),
        job(plain, corpus, once, stop_after=6),
        job(more, corpus, once),
        job(plain, corpus, twice, stop_after=6),
        job(more, corpus, twice, stop_after=8),
        job(other, corpus, twice, refused=words),
        job(plain, corpus, twice, refused=words),
        job(more, corpus, twice),
    ]
    run(1, jobs)
    assert [one["loss"] for one in log(once)[:6]] == [one["loss"] for one in log(whole)[:6]]
    assert [one["loss"] for one in log(once)] == [one["loss"] for one in log(twice)]
    mine, theirs = weights(once), weights(twice)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    told = json.loads((once / "train.json").read_text())
    (joined,) = told["appended"]
    assert (joined["name"], joined["first_sample"]) == ("late", 48)
    assert told["changed"][0]["field"] == "data.append"
    model = json.loads((once / "model.json").read_text())
    assert model["parents"] == [f"data:{load_manifest(late).digest[:16]}"]
    steps = {
        at: [json.loads(line) for line in called("trace", "--step", at, "--checkpoint", once).splitlines()]
        for at in (6, 9)
    }
    drawn = {at: {one["component"] for one in rows if isinstance(one["component"], str)} for at, rows in steps.items()}
    assert "late/notes" not in drawn[6]
    assert "late/notes" in drawn[9]
    found = next(one for one in steps[9] if one["component"] == "late/notes")
    assert found["source"] == "notes"
    traced = json.loads(called("trace", late, "--document", found["document"], "--checkpoint", once))
    assert 9 in traced["steps"]
    assert min(traced["steps"]) > 6


def test_what_cannot_join_is_refused(corpus: Path, late: Path, tmp_path: Path) -> None:
    manifest = load_manifest(corpus)

    def appended(**changes: Any) -> DataConfig:
        return DataConfig.model_validate({"append": [{"name": "late", "run": str(late), "share": 0.5, **changes}]})

    (found,) = open_appended(appended(), manifest, [], 40)
    assert found.first_sample == 40
    (again,) = open_appended(appended(), manifest, [found.told()], 99)
    assert again.first_sample == 40
    foreign = curated(tmp_path, "{train: {vocab_size: 400}}")
    for data, recorded, words in (
        (appended(run=str(foreign)), [], "another tokenizer"),
        (appended(run=str(foreign)), [found.told()], "give new data a name of their own"),
        (appended(name="pretrain"), [], "a mixture of this name"),
        (appended(mixture="pretrian"), [], "did you mean 'pretrain'"),
        (appended(weights={"books": 1.0}), [], "no component 'books'"),
    ):
        with pytest.raises(WrongCall, match=words):
            phases_with(PlannedPhase(1.0, {"pretrain/a": 1.0}), open_appended(data, manifest, recorded, 0), 100)
    told = {"append": [{"name": "late", "run": str(late), "share": 0.5}]}
    epochs = stage(tmp_path, "epochs", "tensor: 1", ("steps: 20, warmup: 4", "epochs: 2, warmup: 4"))
    epochs.write_text(epochs.read_text().replace("data: {", f"data: {{append: {json.dumps(told['append'])}, "))
    with pytest.raises(WrongCall, match=r"give schedule\.steps or tokens"):
        load_stage(epochs)
    with pytest.raises(ValueError, match="stands there twice"):
        DataConfig.model_validate({"append": [{"name": "a", "run": "x", "share": 0.5}] * 2})


def test_shares_of_what_joins_are_of_all_that_was_there(corpus: Path, late: Path) -> None:
    parts = [{"name": name, "run": str(late), "share": share} for name, share in (("one", 0.5), ("two", 0.2))]
    data = DataConfig.model_validate({"append": parts})
    recorded = [{"name": "one", "manifest_digest": load_manifest(late).digest, "first_sample": 25}]
    joined = open_appended(data, load_manifest(corpus), recorded, 75)
    phases = phases_with(PlannedPhase(1.0, {"pretrain/a": 1.0}), joined, 100)
    assert [phase.until for phase in phases] == [0.25, 0.75, 1.0]
    assert [phase.weights.get("pretrain/a") for phase in phases] == pytest.approx([1.0, 0.5, 0.4])
    assert phases[2].weights == pytest.approx({"pretrain/a": 0.4, "one/notes": 0.4, "two/notes": 0.2})
    assert len(phases_with(PlannedPhase(1.0, {"pretrain/a": 1.0}), joined, 60)) == 2  # the second comes too late
