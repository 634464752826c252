"""fastText classifiers: trained twice the same, thresholds by precision, refused when they do not fit."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.classifier import check_model, classifier
from filters.classifier_model import load_classifier
from pipelines.classifiers.labelled import read_labelled
from pipelines.classifiers.measures import choose_threshold
from pipelines.classifiers.training import train_classifier
from schemas.classifier import ClassifierRecipe
from schemas.errors import CurateError, WrongCall
from sources.inputs import find_inputs
from tests.conftest import batch
from tests.pipelines.test_engines import curate
from textcolumns.columns import TextColumn
from textcolumns.spacing import spaced_lines

HEART = [
    "heart",
    "valve",
    "artery",
    "pressure",
    "blood",
    "patient",
    "dose",
    "aspirin",
    "心脏",
    "血压",
    "患者",
    "动脉",
    "治疗",
]
GOALS = [
    "goal",
    "match",
    "team",
    "season",
    "striker",
    "ticket",
    "coach",
    "league",
    "比赛",
    "球队",
    "进球",
    "赛季",
    "教练",
]


def rows(words: list[str], label: str, seed: int, count: int = 60) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [
        {"text": " ".join(chance.choices([*words, "the", "and", "的"], k=40)), "label": label} for _ in range(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled rows and a trained model."""
    folder = tmp_path_factory.mktemp("classifier")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(HEART, "medicine", 1) + rows(GOALS, "sport", 2)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    train(folder, "model")
    return folder


def recipe_of(folder: Path, **changes: object) -> ClassifierRecipe:
    source = {
        "name": "rows",
        "files": "rows.jsonl",
        "source_type": "knowledge",
        "label_column": "label",
        "text": "{text}",
    }
    return ClassifierRecipe.model_validate({"name": "t", "positive": "medicine", "sources": [source], **changes})


def train(folder: Path, name: str, **changes: object) -> dict[str, object]:
    recipe = recipe_of(folder, **changes)
    files = [file for source in recipe.sources for file in find_inputs(source, folder)]
    return train_classifier(recipe, read_labelled(recipe, files, ("train", "test")), folder / name)


def test_it_learns_and_tells_so_on_its_card(folder: Path) -> None:
    card = json.loads((folder / "model" / "card.json").read_text())
    assert card["validation"]["accuracy"]["value"] > 0.9
    assert card["validation"]["documents"] >= 10
    assert sum(card["validation"]["confusion"].values()) == card["validation"]["documents"]
    assert card["data"]["rows"]["labels"] == {"medicine": 60, "sport": 60}
    assert card["near_threshold"]
    load_classifier.cache_clear()
    scores = classifier(
        batch(["heart valve artery pressure", "team match goal season"]), model=str(folder / "model"), score="s"
    ).scores["s"]
    assert scores[0] > 0.8 > 0.2 > scores[1]


def test_the_same_seed_gives_the_same_bytes(folder: Path) -> None:
    first = train(folder, "one")
    again = train(folder, "two")
    assert first == again
    assert (folder / "one" / "model.bin").read_bytes() == (folder / "two" / "model.bin").read_bytes()


@pytest.mark.parametrize("action", ["keep", "drop", "score"])
def test_actions(folder: Path, action: str) -> None:
    texts = ["heart valve artery pressure blood", "team match goal season league"]
    outcome = classifier(batch(texts), model=str(folder / "model"), action=action, threshold=0.5)  # type: ignore[arg-type]
    kept = [True, True] if outcome.reasons is None else [reason is None for reason in outcome.reasons]
    assert kept == {"keep": [True, False], "drop": [False, True], "score": [True, True]}[action]
    assert classifier(batch([]), model=str(folder / "model")).scores["model"].shape == (0,)


def test_scores_are_fasttexts_own(folder: Path) -> None:
    texts = ["heart 心脏", "goal 比赛 team", "", "Blood PRESSURE 120"]
    column = TextColumn(pl.Series(texts))
    lines = spaced_lines(column, 6000)
    model = fasttext.load_model(str(folder / "model" / "model.bin"))
    labels, shares = model.predict(lines, k=2)
    wanted = [
        dict(zip(names, values, strict=True)).get("__label__medicine", 0.0)
        for names, values in zip(labels, shares, strict=True)
    ]
    assert np.allclose(load_classifier(str(folder / "model")).scores(column), np.minimum(wanted, 1.0))


def test_models_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="neither a folder nor bundled"):
        check_model({"model": str(tmp_path / "none")})
    with pytest.raises(WrongCall, match="no label 'surgery'"):
        check_model({"model": str(folder / "model"), "label": "surgery"})
    for name, damage, told in (
        (
            "cut",
            lambda f: (f / "model.bin").write_bytes((folder / "model" / "model.bin").read_bytes()[:100]),
            "damaged",
        ),
        ("text", lambda f: (f / "model.bin").write_text("no model"), "damaged"),
        ("card", lambda f: (f / "card.json").write_text("{}"), "not a classifier's card"),
        ("gone", lambda f: (f / "card.json").unlink(), "has no card.json"),
        ("other", lambda f: change_card(f, labels=["a", "b"]), "its card says a, b"),
        ("cuts", lambda f: change_card(f, segmentation="jieba"), "cut in another way"),
    ):
        shutil.copytree(folder / "model", tmp_path / name)
        damage(tmp_path / name)
        with pytest.raises(WrongCall, match=told):
            check_model({"model": str(tmp_path / name)})


def change_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps(card))


def test_one_label_or_too_few_documents_are_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps(row) for row in rows(HEART, "medicine", 1)), encoding="utf-8"
    )
    with pytest.raises(CurateError, match="all training documents have one label"):
        train(tmp_path, "m")
    with pytest.raises(CurateError, match="no training document has the label 'law'"):
        train(tmp_path, "m", positive="law")
    few = rows(HEART, "medicine", 1) + rows(GOALS, "sport", 2, count=3)
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in few), encoding="utf-8")
    with pytest.raises(CurateError, match="fewer than 10"):
        train(tmp_path, "m")


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.floats(0.5, 0.99))
def test_the_threshold_reaches_the_precision_it_was_chosen_for(
    pairs: list[tuple[float, bool]], precision: float
) -> None:
    scores, truth = (np.array(one) for one in zip(*pairs, strict=True))
    scores = np.round(scores, 6)
    threshold = choose_threshold(scores, truth, precision)
    said = scores >= threshold
    if threshold != 0.999 and said.any():
        assert truth[said].mean() >= precision
        lower = scores[scores < threshold]
        if len(lower):  # no lower threshold would do
            assert truth[scores >= lower.max()].mean() < precision


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=80), min_size=1, max_size=5))
def test_spaced_lines_lose_no_letter(texts: list[str]) -> None:
    lines = spaced_lines(TextColumn(pl.Series(texts)), 10_000)
    for text, line in zip(texts, lines, strict=True):
        assert "\n" not in line
        kept = {char for char in line if char.isalpha()}
        assert {char for char in text if char.isalpha() and not char.isascii()} <= kept


def test_the_command_trains_on_files_and_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    told = curate(
        "classifier",
        "train",
        folder / "rows.jsonl",
        "--labels",
        "label",
        "--positive",
        "medicine",
        "--to",
        tmp_path / "m",
    ).stdout
    assert "| validation |" in told
    assert curate("classifier", "card", tmp_path / "m").stdout.startswith("# Classifier m")
    assert "--positive" in curate("classifier", "train", folder / "rows.jsonl", "--to", tmp_path / "n", status=2).stderr
    wrong = curate("classifier", "train", folder / "rows.jsonl", "--positive", "a", "--to", tmp_path / "n", status=2)
    assert "say its label" in wrong.stderr


def test_a_run_trains_its_classifier_and_steps_use_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number, row in enumerate(rows(HEART, "m", 5, 6) + rows(GOALS, "s", 6, 6)):
        (tmp_path / "docs" / f"{number}.txt").write_text(row["text"], encoding="utf-8")
    shutil.copy(folder / "rows.jsonl", tmp_path / "rows.jsonl")
    (tmp_path / "topic.yaml").write_text(
        "name: topic\npositive: medicine\nsources:\n"
        "  - {name: rows, files: rows.jsonl, source_type: knowledge, label_column: label, text: '{text}'}\n"
    )
    (tmp_path / "r.yaml").write_text(
        "name: r\nsources: [{name: docs, files: 'docs/*', source_type: web}]\nclassifiers: {topic: topic.yaml}\n"
        "steps: [normalise, {fasttext_classifier: {model: topic, threshold: 0.5}}]\ntokenizer: {train: {vocab_size: 400}}\n"
        "mixtures: {pretrain: {components: [{name: sure, where: 'scores.topic > 0.6', repeat: '1.0 + scores.topic'}]}}\n"
    )
    curate("run", tmp_path / "r.yaml", "--run-dir", tmp_path / "run", "--workers", 2)
    curated = pl.read_parquet(tmp_path / "run" / "curated" / "*.parquet")
    assert curated.height == 6
    assert curated["scores"].struct.field("topic").min() > 0.5
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert 6 <= manifest["mixtures"]["pretrain"]["components"]["sure"]["documents"] <= 12
    first = manifest["recipe_digest"]
    (tmp_path / "topic.yaml").write_text((tmp_path / "topic.yaml").read_text() + "precision: 0.9\n")
    again = curate("run", tmp_path / "r.yaml", "--run-dir", tmp_path / "run").stderr
    assert "the recipe changed" in again
    assert "train the classifiers: 1/1 classifiers, 120 documents" in again
    assert "read: 1/1 partitions, taken over" in again
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["recipe_digest"] != first
