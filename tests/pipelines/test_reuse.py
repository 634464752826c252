"""A changed recipe costs what it changes: finished tasks are taken over, the digest is that of a run from nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from pipelines.execute import execute
from pipelines.run_folder import RunFolder
from pipelines.stage import STAGES, in_order, partitions
from pipelines.stages.annotate import decided_documents
from pipelines.tasks import marker
from pipelines.verify import first_difference, verify
from schemas.errors import CurateError, WrongCall
from sources.formats import FORMATS
from storage.places import place
from tests.conftest import write_recipe

RECIPE = """
name: small
seed: 3
sources:
  - {name: docs, files: "docs/*.txt", source_type: textbook}
  - {name: rows, files: "rows/*.jsonl", source_type: web, text: "{text}"}
steps: [normalise, {length: {min_characters: 20, unspaced_min_characters: 20}}, {length: {min_characters: 30, where: "source_type = 'web'"}}]
dedup: {paragraphs: {min_documents: 2}}
tokenizer: {train: {vocab_size: 340}}
mixtures:
  pretrain: {components: [{name: all, weight: 1.0}], shards: 2}
max_quarantined: 1.0
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("docs", "rows"):
        (tmp_path / name).mkdir()
    for number in range(4):
        (tmp_path / "docs" / f"{number}.txt").write_text(
            f"Sentence {number} on the heart and its {number} valves. " * 9
        )
    rows = [{"text": f"Row {number} on kidneys, of {number * 7} words or so. " * (1 + number)} for number in range(12)]
    (tmp_path / "rows" / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_recipe(tmp_path, RECIPE)
    return tmp_path


def performed(run: Path) -> Counter[str]:
    """How many tasks of each stage the last call performed rather than took over."""
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    last = max(number for number, one in enumerate(events) if one["event"] == "run")
    return Counter(one["stage"] for one in events[last:] if one["event"] == "task" and "taken_from" not in one)


def run(data: Path, recipe: str, name: str, **more: object) -> str:
    write_recipe(data, recipe)
    return execute(data / "recipe.yaml", data, data / name, **more).digest


def test_another_threshold_runs_only_what_it_concerns(data: Path) -> None:
    run(data, RECIPE, "run")
    told: list[str] = []
    stricter = RECIPE.replace("min_characters: 30", "min_characters: 200")
    again = run(data, stricter, "run", say=told.append)
    assert "the recipe changed" in told[0]
    assert "steps (length)" in told[0]
    assert "read" not in performed(data / "run")
    assert performed(data / "run")["annotate"] == 1  # of two partitions: the other holds no page
    assert again == run(data, stricter, "fresh")
    assert first_difference(data / "run", data / "fresh") is None
    list(verify(data / "run"))


def test_a_text_that_no_step_changes_is_written_once(data: Path) -> None:
    (data / "docs" / "3.txt").write_text("A sentence on the heart that has nothing to take out")
    run(data, RECIPE, "run")
    folder = RunFolder(place(str(data / "run")))
    left: set[str] = set()  # out of the file of decided documents
    for task in partitions(folder):
        frame = pl.read_parquet(folder.stage_file("annotate", f"{task}.parquet"))
        left |= set(frame.filter(pl.col("text").is_null())["uri"])
        decided = pl.concat(decided_documents(folder, task)).sort("id")
        written = pl.concat(
            [pl.read_parquet(data / "run" / name / f"{task}.parquet") for name in ("curated", "dropped")]
        )
        assert decided["text"].equals(written.sort("id")["text"])
    assert "docs/3.txt" in left
    assert "docs/0.txt" not in left  # it lost its last space


def test_weights_cost_nothing_and_a_tokenizer_reads_no_raw_file(data: Path) -> None:
    run(data, RECIPE, "first")
    weighted = RECIPE.replace("weight: 1.0", "weight: 2.0")
    digest = run(data, weighted, "weighted", reuse=[data / "first"])
    assert not performed(data / "weighted")
    assert digest == run(data, weighted, "weighted-fresh")
    larger = RECIPE.replace("vocab_size: 340", "vocab_size: 300")
    digest = run(data, larger, "larger", reuse=[data / "first"])
    assert set(performed(data / "larger")) == {"tokenizer", "tokens", "shards"}
    assert digest == run(data, larger, "larger-fresh")


def test_no_worker_starts_for_what_is_taken_over(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(data, RECIPE, "first")
    started: list[object] = []
    monkeypatch.setattr("pipelines.engines.datatrove_engine.execute", lambda *told: started.append(told))
    assert run(data, RECIPE, "second", reuse=[data / "first"], workers=2) == first
    assert not started
    assert not performed(data / "second")
    monkeypatch.setattr("pipelines.tasks.TAKEN_OVER_FIRST", 0)  # more than this process should hash: workers share it
    with pytest.raises(CurateError, match="missing or damaged"):
        run(data, RECIPE, "third", reuse=[data / "first"], workers=2)
    assert started


def test_another_reason_to_drop_trains_no_tokenizer(data: Path) -> None:
    (data / "docs" / "short.txt").write_text("Eleven words. ")
    run(data, RECIPE, "first")
    other = RECIPE.replace("length: {min_characters: 20,", "length: {min_characters: 19,")
    digest = run(data, other, "second", reuse=[data / "first"])
    assert performed(data / "second") == {"annotate": 2, "curate": 1}  # the one partition that it stands in
    assert digest == run(data, other, "fresh")


def test_a_changed_file_costs_its_own_partition(data: Path) -> None:
    run(data, RECIPE, "first")
    (data / "docs" / "3.txt").write_text("A new text on the lung, which breathes in and out. " * 9)
    digest = run(data, RECIPE, "second", reuse=[data / "first"])
    assert performed(data / "second")["read"] == 1
    assert digest == run(data, RECIPE, "fresh")


def test_a_readers_new_version_reads_its_own_formats_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    digest = run(data, RECIPE, "first")
    known = FORMATS.get("jsonl")
    monkeypatch.setitem(FORMATS._entries, "jsonl", replace(known, version=known.version + 1))
    assert run(data, RECIPE, "second", reuse=[data / "first"]) == digest
    assert performed(data / "second") == {"read": 1}


def test_a_damaged_file_is_never_taken_over(data: Path) -> None:
    digest = run(data, RECIPE, "first")
    damaged = data / "first" / "stages" / "read" / "00000.parquet"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert run(data, RECIPE, "second", reuse=[data / "first"]) == digest
    assert performed(data / "second")["read"] == 1
    told = first_difference(data / "second", data / "first")
    assert told is None  # markers still say what was written; verify reads the bytes themselves
    (data / "first" / "curated" / "00000.parquet").write_bytes(b"other")
    with pytest.raises(CurateError, match="curated/00000.parquet differs"):
        list(verify(data / "first"))


def test_reuse_of_no_run_and_an_unfinished_run_are_wrong_calls(data: Path) -> None:
    with pytest.raises(WrongCall, match="no run lies there"):
        run(data, RECIPE, "run", reuse=[data / "nowhere"])
    run(data, RECIPE, "run")
    (data / "run" / "manifest.json").unlink()
    with pytest.raises(WrongCall, match="unfinished run of another recipe"):
        run(data, RECIPE.replace("seed: 3", "seed: 4"), "run")


def test_what_an_edit_leaves_behind_is_cleared_away(data: Path) -> None:
    run(data, RECIPE, "run")
    digest = run(data, RECIPE.replace("shards: 2", "shards: 1"), "run")
    assert [one.name for one in sorted((data / "run" / "shards" / "pretrain" / "all").iterdir())] == [
        "00000-of-00001.arrow"
    ]
    assert digest == run(data, RECIPE.replace("shards: 2", "shards: 1"), "fresh")


def test_a_torn_marker_and_a_cut_file_are_done_again(data: Path) -> None:
    digest = run(data, RECIPE, "run")
    folder = data / "run"
    (folder / "manifest.json").unlink()
    (folder / "stages" / "read" / "00000.json").write_bytes(b"")
    cut = folder / "stages" / "annotate" / "00001.parquet"
    cut.write_bytes(cut.read_bytes()[:100])
    (folder / "stages" / "tokens" / "00000.json").write_bytes(b"\0" * 50)
    assert run(data, RECIPE, "run") == digest


def test_the_first_stage_that_differs_is_named(data: Path) -> None:
    run(data, RECIPE, "first")
    run(data, RECIPE.replace("vocab_size: 340", "vocab_size: 300"), "second")
    told = first_difference(data / "first", data / "second")
    assert told is not None
    assert "stage 'tokenizer'" in told


def test_moved_data_are_found_where_data_says(data: Path, tmp_path: Path) -> None:
    digest = run(data, RECIPE, "run")
    (data / "run" / "manifest.json").unlink()
    (data / "elsewhere").mkdir()
    for name in ("docs", "rows"):
        (data / name).rename(data / "elsewhere" / name)
    assert execute(data / "recipe.yaml", data / "elsewhere", data / "run").digest == digest


def test_a_run_in_memory_has_the_same_digest(data: Path) -> None:
    folder = place("memory://reuse-test/run")
    assert execute(data / "recipe.yaml", data, folder, workers=2).digest == run(data, RECIPE, "local")
    assert len(list(verify(folder))) > 5


def test_every_stage_reads_only_stages_it_waits_for(data: Path) -> None:
    """What a stage reads is done when it begins: it waits for it, or for one that does."""
    run(data, RECIPE, "run")
    folder = RunFolder(data / "run")
    order = [stage.name for stage in in_order()]
    for number, stage in enumerate(in_order()):
        for task in stage.tasks(folder):
            assert {one.stage for one in stage.reads(folder, task)} <= set(order[:number])
            assert marker(folder, stage.name, task).exists()
    assert order == [one for one in order if one in STAGES.names()]
