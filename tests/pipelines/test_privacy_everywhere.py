"""A planted identifier is nowhere in a run's folder once it has ended: not in tables, plan, log, report or between stages."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.execute import execute
from storage.columnar import open_arrow
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate

# Invented: a telephone number and a mail address for each place that could keep one.
PLACES = (
    "file",
    "member",
    "text",
    "title",
    "series",
    "publisher",
    "task",
    "tool",
    "citation",
    "error",
    "broken",
    "labelled",
    "canonical",
)
PHONES = {place: f"138{number:02d}4567{number:02d}" for number, place in enumerate(PLACES)}
MAILS = {place: f"jane.{place}@example-clinic.org" for place in PLACES}

RECIPE = """
name: private
sources:
  - {name: letters, files: "letters/*", source_type: record}
  - {name: rows, files: "rows/*.jsonl", source_type: dialogue, conversation: openai}
  - {name: notes, files: "notes/*.jsonl", source_type: record, text: "{text}"}
classifiers: {topic: topic.yaml}
steps:
  - normalise
  - phi
  - length: {min_characters: 40, unspaced_min_characters: 40}
  - fasttext_classifier: {model: topic, action: score}
tokenizer: {train: {vocab_size: 400}}
mixtures: {pretrain: {components: [{name: all}]}}
max_quarantined: 1.0
"""


def told(place: str) -> str:
    return f"{PHONES[place]} {MAILS[place]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private")
    for name in ("letters", "rows", "notes"):
        (folder / name).mkdir()
    (folder / "letters" / f"letter {told('file')}.txt").write_text(
        f"The patient can be reached at {told('text')}, he says. " * 3
    )
    with zipfile.ZipFile(folder / "letters" / "more.zip", "w") as archive:
        archive.writestr(
            f"{told('member')}/a.txt", "A letter about a knee that hurts when it rains, and about rain. " * 3
        )
        archive.writestr("b.txt", b"\x00\x01\x02" * 50)
    address = f"https://clinic.example/letters/{PHONES['canonical']}/{MAILS['canonical']}"
    page = "".join(
        f"<p>Paragraph {number} of a letter about a knee that hurts when it rains.</p>" for number in range(9)
    )
    (folder / "letters" / "page.html").write_text(
        f"<html><head><link rel=canonical href='{address}'></head><body><nav>Home</nav><article><h1>A knee</h1>{page}</article></body></html>"
    )
    (folder / "letters" / f"{PHONES['broken']}-{MAILS['broken']}.txt.gz").write_bytes(gzip.compress(b"x" * 900)[:20])
    talk = {
        "messages": [
            {"role": "user", "content": "What helps a knee that hurts when it rains?"},
            {"role": "assistant", "content": "Rest, says the book."},
        ],
        "tools": [{"name": "search", "description": f"call {told('tool')}"}],
        "citations": [f"letter of {told('citation')}"],
        "task": f"ask {told('task')}",
    }
    bad = {"messages": [{"role": f"nurse {told('error')}", "content": "a"}]}
    (folder / "rows" / "a.jsonl").write_text("\n".join(map(json.dumps, [talk, bad])))
    notes = [
        {
            "text": f"Note {number} on a knee that hurts, in some more words than that. ",
            "title": f"Letter to {told('title')}",
            "series": told("series"),
            "publisher": told("publisher"),
        }
        for number in range(3)
    ]
    (folder / "notes" / "a.jsonl").write_text("\n".join(map(json.dumps, notes)))
    labelled = [
        {"text": f"{word} {number} {told('labelled')} and more of it", "label": label}
        for number in range(40)
        for word, label in (("knee", "a"), ("goal", "b"))
    ]
    (folder / "labelled.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    (folder / "topic.yaml").write_text(
        "name: topic\npositive: a\nsources:\n  - {name: l, files: labelled.jsonl, source_type: record, label_column: label, text: '{text}'}\n"
    )
    return folder


def all_words(run: Path) -> Iterator[tuple[Path, str]]:
    """Every byte of a run's folder as text, tables decoded as well."""
    for path in run.rglob("*"):
        if path.is_dir():
            continue
        yield path, str(path)
        yield path, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            yield path, json.dumps(pl.read_parquet(path).to_dicts(), ensure_ascii=False, default=str)
        if path.suffix == ".arrow":
            yield path, str(open_arrow(path).to_pylist())


@pytest.mark.parametrize("engine", ["datatrove", "beam"])
def test_no_identifier_is_left_anywhere(folder: Path, engine: str) -> None:
    recipe = write_recipe(folder, RECIPE)
    curate("run", recipe, "--run-dir", folder / engine, "--engine", engine, "--workers", 1)
    found = {
        f"{value} in {path.relative_to(folder)}"
        for path, words in all_words(folder / engine)
        for value in (*PHONES.values(), *MAILS.values())
        if value in words
    }
    assert not found
    curated = pl.concat([pl.read_parquet(folder / engine / name / "*.parquet") for name in ("curated", "dropped")])
    uris = " ".join(curated["uri"])
    assert "letters/letter [PHONE_2] [EMAIL_2]" in uris  # the text has a number and an address of its own
    assert "more.zip!/[PHONE] [EMAIL]/a.txt" in uris
    assert "https://clinic.example/letters/[PHONE]/[EMAIL]" in curated["canonical"].to_list()
    talk = curated.filter(pl.col("source") == "rows").row(0, named=True)
    assert json.loads(talk["conversation"])["tools"][0]["description"].startswith("call [PHONE")
    broken = pl.read_parquet(folder / engine / "quarantined" / "*.parquet")
    assert any("[EMAIL]" in one for one in broken["uri"])
    assert any("unknown role" in one for one in broken["error"])


def test_a_run_that_forgot_names_is_still_the_same_run(folder: Path) -> None:
    recipe = write_recipe(folder, RECIPE)
    first = execute(recipe, folder, folder / "again").digest
    assert execute(recipe, folder, folder / "again").digest == first
    assert execute(recipe, folder, folder / "other", reuse=[folder / "again"]).digest == first


def test_kept_intermediates_are_said_to_be_kept(folder: Path) -> None:
    recipe = write_recipe(folder, RECIPE)
    said: list[str] = []
    execute(recipe, folder, folder / "kept", keep_intermediates=True, say=said.append)
    assert "may" in said[-1] or "names" in said[-1]
    assert PHONES["file"] in (folder / "kept" / "plan.json").read_text()
