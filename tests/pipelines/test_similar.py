"""`curate similar`: near documents of a finished run, by a text or by an id."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.execute import execute
from pipelines.run_folder import RunFolder
from pipelines.similar import ensure_index, similar_to_document, similar_to_text
from schemas.errors import WrongCall
from tests.conftest import SMALL_RECIPE, write_recipe
from tests.pipelines.test_engines import curate

LEAFLET = "Take one tablet of metformin with a meal in the morning and another in the evening, and drink enough water with each of them. "


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("similar")
    (folder / "docs").mkdir()
    texts = [
        LEAFLET * 3,
        (LEAFLET * 3).replace("metformin", "glipizide"),
        "The knee bends and stretches, and turns a little when it is bent. " * 5,
        "心脏有四个腔室，血液从右心室流向肺，再回到左心房，由左心室送往全身。" * 4,
    ]
    for number, text in enumerate(texts):
        (folder / "docs" / f"{number}.txt").write_text(text, encoding="utf-8")
    recipe = SMALL_RECIPE.replace("steps: [normalise]", "steps: [normalise]\ndedup: {minhash: {threshold: 0.95}}")
    execute(write_recipe(folder, recipe), folder, folder / "run")
    return folder / "run"


def test_a_text_finds_its_neighbours_nearest_first(run: Path) -> None:
    folder = RunFolder(run)
    ensure_index(folder)
    assert not ensure_index(folder), "an index of this corpus is there"
    found = similar_to_text(folder, LEAFLET * 3, 10, 0.0)
    assert found[0]["similarity"] == 1.0
    assert found[0]["uri"] == "docs/0.txt"
    assert all(one["similarity"] <= 1.0 for one in found)
    assert (
        similar_to_text(folder, "心脏有四个腔室，血液从右心室流向肺，再回到左心房，由左心室送往全身。" * 4, 1, 0.5)[0][
            "uri"
        ]
        == "docs/3.txt"
    )
    assert similar_to_text(folder, "Nothing of this kind stands anywhere in here.", 10, 0.0) == []


def test_a_document_finds_others_and_not_itself(run: Path) -> None:
    folder = RunFolder(run)
    ensure_index(folder)
    ids = dict(pl.read_parquet(run / "curated" / "*.parquet").select("uri", "id").iter_rows())
    assert ids["docs/0.txt"] not in [one["id"] for one in similar_to_document(folder, ids["docs/0.txt"], 10, 0.0)]
    with pytest.raises(WrongCall, match="has no curated document 'nobody'"):
        similar_to_document(folder, "nobody", 10, 0.0)


def test_the_command_says_what_is_wrong_and_prints_json(run: Path, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(LEAFLET * 3)
    told = json.loads(curate("similar", run, "--text", tmp_path / "q.txt", "--json").stdout)
    assert set(told["results"][0]) == {"similarity", "id", "title", "source", "uri"}
    assert "give either" in curate("similar", run, status=2).stderr
    (tmp_path / "empty.txt").write_text(" \n")
    assert "no word" in curate("similar", run, "--text", tmp_path / "empty.txt", status=2).stderr
    assert "does not exist" in curate("similar", tmp_path / "none", "--id", "x", status=2).stderr
