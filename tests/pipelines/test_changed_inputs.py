"""Every file that decides what comes out is watched: between a kill and the resume, and in the manifest."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from pipelines.execute import execute
from pipelines.prepare import prepare_run
from pipelines.tasks import perform
from schemas.errors import CurateError, WrongCall
from schemas.manifest import load_manifest
from storage import fingerprints
from storage.fingerprints import WHOLE_BYTES, fingerprint_of
from tests.conftest import write_recipe

RECIPE = """
name: watched
sources:
  - {name: docs, files: "docs/*.txt", source_type: textbook}
classifiers: {topic: {recipe: topic.yaml, optional: true}}
steps: [normalise, {medical_terms: {min_terms: 0, unspaced_min_terms: 0, terms: "%s/terms.yaml"}}]
withdrawn: {files: withdrawn.txt}
decontaminate: {benchmarks: [{name: exam, files: exam.jsonl}]}
tokenizer: {file: tok.json}
mixtures: {pretrain: {components: [{name: all}]}}
max_quarantined: 1.0
"""
ITEM = '{"question": "Which valve lies between the left rooms of the heart?", "options": {"A": "mitral"}}\n'
BESIDE = ("exam.jsonl", "withdrawn.txt", "labelled.jsonl", "tok.json", "terms.yaml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for number in range(3):
        (tmp_path / "docs" / f"{number}.txt").write_text(
            f"Sentence {number} on the heart and its {number} valves. " * 9
        )
    (tmp_path / "exam.jsonl").write_text(ITEM)
    (tmp_path / "withdrawn.txt").write_text("10.1000/withdrawn.1\n")
    (tmp_path / "labelled.jsonl").write_text('{"text": "a", "label": "x"}\n')
    (tmp_path / "terms.yaml").write_text("english: heart valve\nchinese: 心脏\n")
    (tmp_path / "topic.yaml").write_text(
        "name: topic\npositive: x\nsources:\n  - {name: l, files: labelled.jsonl, source_type: record, label_column: label, text: '{text}'}\n"
    )
    plain = write_recipe(
        tmp_path,
        RECIPE.replace("{file: tok.json}", "{train: {vocab_size: 400}}")
        .replace("%s", str(tmp_path))
        .replace("tok.json", ""),
    )
    execute(plain, tmp_path, tmp_path / "first")
    shutil.copy(tmp_path / "first" / "tokenizer" / "tokenizer.json", tmp_path / "tok.json")
    write_recipe(tmp_path, RECIPE % tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", BESIDE)
def test_a_file_beside_the_sources_that_changes_is_refused_by_name(data: Path, name: str) -> None:
    run = prepare_run(data / "recipe.yaml", data, data / "run")
    perform(run.path, "read", "00000")
    before = (data / name).read_bytes()
    (data / name).write_bytes(before + b"\n")
    with pytest.raises(WrongCall, match=f"{name}.*was .* bytes and is"):
        execute(data / "recipe.yaml", data, data / "run")
    (data / name).write_bytes(before)
    digest = execute(data / "recipe.yaml", data, data / "run").digest
    assert digest == execute(data / "recipe.yaml", data, data / "fresh").digest


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("exam.jsonl", ITEM.replace("left", "right")),
        ("withdrawn.txt", "10.1000/another.2\n"),
        ("labelled.jsonl", '{"text": "b", "label": "y"}\n'),
    ],
)
def test_other_files_beside_give_another_manifest(data: Path, name: str, more: str) -> None:
    first = execute(data / "recipe.yaml", data, data / "run")
    with (data / name).open("a") as handle:
        handle.write(more)
    second = execute(data / "recipe.yaml", data, data / "second")
    assert first.digest != second.digest
    assert [role for role in first.inputs if first.inputs[role] != second.inputs[role]]
    roles = " ".join(load_manifest(data / "run").inputs)
    for role in (
        "benchmark: exam",
        "list of withdrawn documents",
        "labels of topic",
        "tokenizer.file",
        "medical_terms.terms",
    ):
        assert role in roles


def test_a_benchmark_that_changes_while_the_run_goes_on_ends_it(data: Path) -> None:
    run = prepare_run(data / "recipe.yaml", data, data / "run")
    (data / "exam.jsonl").write_text(ITEM + ITEM)
    with pytest.raises(CurateError, match="exam.jsonl changed since the run was planned"):
        perform(run.path, "benchmarks", "index")


def test_benchmarks_and_lists_may_be_remote(data: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bench/exam.jsonl", ITEM.encode())
    store.pipe("/bench/gone.txt", b"10.1000/withdrawn.1\n")
    remote = (
        (RECIPE % data)
        .replace("files: exam.jsonl", "files: memory://bench/exam.jsonl")
        .replace("files: withdrawn.txt", "files: memory://bench/gone.txt")
    )
    write_recipe(data, remote)
    first = execute(data / "recipe.yaml", data, data / "remote")
    assert "bench/exam.jsonl" in json.dumps(first.inputs)
    assert str(data) not in json.dumps(first.inputs)
    assert first.decontaminated_of[0].items == 1
    store.pipe("/bench/exam.jsonl", (ITEM + ITEM.replace("left", "right")).encode())
    with pytest.raises(WrongCall, match="bench/exam.jsonl"):
        execute(data / "recipe.yaml", data, data / "remote")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder over HTTP, by a server that names no version of what it hands out."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *told: None})
    # A client that hangs up once it knows enough is no error.
    calm = type("Calm", (ThreadingHTTPServer,), {"handle_error": lambda *told: None})
    with calm(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_names_no_version_is_watched_by_content(data: Path, served: str) -> None:
    remote = (RECIPE % data).replace("files: exam.jsonl", f"files: {served}/exam.jsonl")
    recipe = write_recipe(data, remote.replace("files: withdrawn.txt", f"files: {served}/withdrawn.txt"))
    first = execute(recipe, data, data / "remote")
    assert first.decontaminated_of[0].items == 1
    assert execute(recipe, data, data / "remote").digest == first.digest
    # Each of the same size as before.
    for name, was, is_now in (("exam.jsonl", b"left", b"Left"), ("withdrawn.txt", b".1\n", b".2\n")):
        whole = (data / name).read_bytes()
        (data / name).write_bytes(whole.replace(was, is_now))
        with pytest.raises(WrongCall, match=name):
            execute(recipe, data, data / "remote")
        (data / name).write_bytes(whole)
    assert execute(recipe, data, data / "remote").digest == first.digest


def test_a_large_remote_file_without_a_version_is_told_by_samples(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "WHOLE_BYTES", 1000)
    path = tmp_path / "large"
    path.write_bytes(bytes(300_000))
    before = fingerprint_of(f"{served}/large")
    with path.open("r+b") as handle:
        handle.seek(150_010)
        handle.write(b"corrected")
    assert before
    assert fingerprint_of(f"{served}/large") not in ("", before)


def test_files_of_a_server_that_sends_no_parts_are_watched_too(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(12 << 20))  # more than a store's client asks for at once
    whole = fingerprint_of(f"{served}/large")
    with path.open("r+b") as handle:
        handle.seek(11 << 20)
        handle.write(b"corrected")
    assert fingerprint_of(f"{served}/large") not in ("", whole)
    monkeypatch.setattr(fingerprints, "WHOLE_BYTES", 1000)
    before = fingerprint_of(f"{served}/large")
    os.utime(path, (1, 1))
    assert before
    assert fingerprint_of(f"{served}/large") not in ("", before)


def test_a_large_file_is_told_by_size_samples_and_time(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as handle:
        handle.truncate(WHOLE_BYTES + 1)
    before = fingerprint_of(str(path))
    with path.open("r+b") as handle:
        handle.seek(WHOLE_BYTES // 5)
        handle.write(b"corrected")
    assert fingerprint_of(str(path)) != before
