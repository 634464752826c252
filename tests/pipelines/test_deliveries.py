"""Editions, withdrawals and later deliveries: what goes, what stays, and what earlier shards hold."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dedup.exact import exact_hashes
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate, files_of
from textcolumns.columns import TextColumn

pytestmark = pytest.mark.slow

RECIPE = """
name: deliveries
sources:
  - {name: guidelines, files: "guidelines/*.md", source_type: guideline}
  - {name: articles, files: "articles/*.jsonl", source_type: literature, text: "{text}"}
steps: [normalise, editions, authority]
dedup: {exact: true, minhash: {ngram: 3, bands: 14, rows: 4}}
supersede: {action: drop}
tokenizer: {train: {vocab_size: 400}}
mixtures: {pretrain: {components: [{name: all}], shards: 2}}
max_quarantined: 1.0
"""
WORDS = [
    "heart",
    "valve",
    "kidney",
    "artery",
    "dose",
    "fever",
    "cough",
    "liver",
    "nerve",
    "blood",
    "lung",
    "bone",
    "skin",
    "brain",
    "muscle",
    "vein",
]


def prose(seed: int, count: int = 120) -> str:
    """Sentences that no other seed has."""
    import random

    chance = random.Random(seed)
    return " ".join(f"{chance.choice(WORDS)} {chance.choice(WORDS)} {seed}x{number}." for number in range(count))


def guideline(folder: Path, name: str, title: str, body: str) -> None:
    (folder / "guidelines").mkdir(parents=True, exist_ok=True)
    (folder / "guidelines" / name).write_text(f"# {title}\n\n{body}\n", encoding="utf-8")


def articles(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    (folder / "articles").mkdir(parents=True, exist_ok=True)
    (folder / "articles" / name).write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def table(run: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(run / name / "*.parquet")


def delivery_one(folder: Path) -> None:
    guideline(folder, "asthma-2019.md", "Guideline on asthma, 2019 edition", prose(1))
    articles(folder, "one.jsonl", [{"text": prose(n), "doi": f"10.1234/a{n}"} for n in (10, 11, 12)])


def delivery_two(folder: Path) -> None:
    guideline(folder, "asthma-2024.md", "Guideline on asthma, 2024 edition", prose(2))
    near = prose(11).replace("11x7.", "y7.")
    rows = [
        {"text": prose(10), "doi": "10.1234/b10"},
        {"text": near, "doi": "10.1234/b11"},
        {"text": prose(20), "doi": "10.1234/b20"},
    ]
    articles(folder, "two.jsonl", rows)


def test_the_newest_edition_stays_and_versions_replace_one_another(tmp_path: Path) -> None:
    delivery_one(tmp_path)
    delivery_two(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE)
    curate("run", recipe, "--run-dir", tmp_path / "drop", "--workers", 1)
    dropped, curated = table(tmp_path / "drop", "dropped"), table(tmp_path / "drop", "curated")
    old = dropped.filter(pl.col("uri").str.contains("2019"))
    new = curated.filter(pl.col("uri").str.contains("2024"))
    assert old["dropped_by"].to_list() == ["superseded"]
    assert old["drop_reason"][0] == f"superseded by {new['id'][0]}"
    write_recipe(tmp_path, RECIPE.replace("action: drop", "action: keep"))
    curate("run", recipe, "--run-dir", tmp_path / "keep", "--workers", 1)
    kept = table(tmp_path / "keep", "curated").filter(pl.col("uri").str.contains("2019"))
    assert kept["superseded_by"].to_list() == new["id"].to_list()


def test_a_delivery_held_against_the_first_equals_a_run_over_both(tmp_path: Path) -> None:
    for part in ("one", "both"):
        delivery_one(tmp_path / part)
    for part in ("two", "both"):
        delivery_two(tmp_path / part)
    recipe = write_recipe(tmp_path, RECIPE)
    curate("run", recipe, "--data", tmp_path / "one", "--run-dir", tmp_path / "d1", "--workers", 1)
    curate("run", recipe, "--data", tmp_path / "both", "--run-dir", tmp_path / "d", "--workers", 2)
    told = {}
    for engine in ("datatrove", "beam"):
        run = tmp_path / f"d2-{engine}"
        arguments = ("--data", tmp_path / "two", "--run-dir", run, "--workers", 1, "--engine", engine)
        told[engine] = curate("run", recipe, *arguments, "--against", tmp_path / "d1").stderr
    assert files_of(tmp_path / "d2-datatrove") == files_of(tmp_path / "d2-beam")
    first, second, both = (table(tmp_path / name, "curated") for name in ("d1", "d2-datatrove", "d"))
    earlier = json.loads((tmp_path / "d2-datatrove" / "earlier.json").read_text())
    replaced = {one["id"] for one in earlier["replaced"]}
    stays = pl.concat([first.filter(~pl.col("id").is_in(replaced)), second])
    # The same texts; of two that are equal the one that is there already stays, in a run over both that of the smaller id.
    assert sorted(exact_hashes(TextColumn(stays["text"]))) == sorted(exact_hashes(TextColumn(both["text"])))
    gone = table(tmp_path / "d2-datatrove", "dropped")
    assert sorted(gone["dropped_by"]) == ["exact", "minhash"]
    assert set(gone["drop_reason"].str.tail(32)) <= set(first["id"])
    old = next(one for one in earlier["replaced"] if "2019" in one["uri"])
    assert old["why"].startswith("superseded by")
    assert old["shards"][0]["shard"].startswith("shards/pretrain/all/")
    assert "replaced: 1 documents of earlier runs" in told["datatrove"]
    manifest = json.loads((tmp_path / "d2-datatrove" / "manifest.json").read_text())
    assert manifest["parents"] == [json.loads((tmp_path / "d1" / "manifest.json").read_text())["digest"]]
    # The text of the first delivery is not needed.
    for path in (tmp_path / "one").rglob("*.*"):
        path.unlink()
    curate(
        "run",
        recipe,
        "--data",
        tmp_path / "two",
        "--run-dir",
        tmp_path / "again",
        "--workers",
        1,
        "--against",
        tmp_path / "d1",
    )
    assert files_of(tmp_path / "again") == files_of(tmp_path / "d2-datatrove")
    other = write_recipe(tmp_path, RECIPE.replace("bands: 14", "bands: 10"))
    wrong = curate(
        "run", other, "--data", tmp_path / "two", "--run-dir", tmp_path / "x", "--against", tmp_path / "d1", status=2
    )
    assert "took other fingerprints" in wrong.stderr
    missing = curate(
        "run", other, "--data", tmp_path / "two", "--run-dir", tmp_path / "x", "--against", tmp_path / "no", status=2
    )
    assert "does not exist" in missing.stderr


def test_a_longer_list_drops_and_tells_which_shards_held_it(tmp_path: Path) -> None:
    delivery_one(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE)
    curate("run", recipe, "--run-dir", tmp_path / "d1", "--workers", 1)
    (tmp_path / "retracted.csv").write_text("doi,reason\n10.1234/A11,error\n")
    write_recipe(tmp_path, RECIPE + "withdrawn: {files: retracted.csv, licences: [CC-BY-NC-4.0]}\n")
    told = curate("run", recipe, "--run-dir", tmp_path / "d2", "--workers", 1, "--replaces", tmp_path / "d1")
    gone = table(tmp_path / "d2", "dropped")
    assert gone["dropped_by"].to_list() == ["withdrawn"]
    assert gone["drop_reason"][0] == "doi 10.1234/a11 is on the list retracted.csv"
    assert gone["authority"][0] == "E"
    assert "withdrawn: 1 documents of earlier runs, in 1 shards" in told.stderr
    line = json.loads(curate("trace", tmp_path / "d1", "--list", tmp_path / "retracted.csv").stdout)
    assert line["doi"] == "10.1234/a11"
    assert line["shards"] == json.loads((tmp_path / "d2" / "earlier.json").read_text())["withdrawn"][0]["shards"]
    (tmp_path / "retracted.csv").write_text("no doi here\n")
    assert "neither a DOI" in curate("run", recipe, "--run-dir", tmp_path / "d3", status=(1, 2)).stderr


def test_lines_that_repeat_over_documents_stay_once(tmp_path: Path) -> None:
    footer = "This page is published under a licence that permits any use and asks for nothing in return at all."
    rows = [{"text": f"{prose(n)}\n{footer}\nno known allergies", "doi": f"10.1234/c{n}"} for n in range(30, 36)]
    articles(tmp_path, "c.jsonl", rows)
    body = RECIPE.replace("rows: 4}}", "rows: 4}, paragraphs: {source_types: [literature], min_documents: 3}}").replace(
        '  - {name: guidelines, files: "guidelines/*.md", source_type: guideline}\n', ""
    )
    recipe = write_recipe(tmp_path, body)
    curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 2)
    texts = table(tmp_path / "run", "curated")["text"]
    assert texts.str.contains(footer).sum() == 1
    assert texts.str.contains("no known allergies").sum() == 6
    curate("run", recipe, "--run-dir", tmp_path / "beam", "--engine", "beam", "--workers", 1)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "beam")


def test_a_cluster_can_be_looked_at(tmp_path: Path) -> None:
    delivery_one(tmp_path)
    delivery_two(tmp_path)
    curate("run", write_recipe(tmp_path, RECIPE), "--run-dir", tmp_path / "run", "--workers", 1)
    gone = table(tmp_path / "run", "dropped").filter(pl.col("dropped_by") == "minhash")
    shown = curate("inspect", tmp_path / "run", "--cluster", gone["id"][0][:10]).stdout
    assert gone["id"][0] in shown
    assert "near duplicate of" in shown
    assert "y7." in shown
    rows = [
        json.loads(line)
        for line in curate("inspect", tmp_path / "run", "--cluster", gone["id"][0], "--json").stdout.splitlines()
    ]
    assert [row["table"] for row in rows] == ["curated", "dropped"] or len(rows) == 2
    assert "no cluster" in curate("inspect", tmp_path / "run", "--cluster", "zzz", status=2).stderr
    grades = [
        json.loads(line) for line in curate("inspect", tmp_path / "run", "--authority", "--json").stdout.splitlines()
    ]
    assert {row["authority"] for row in grades} == {"A", "C"}
