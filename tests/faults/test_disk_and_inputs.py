"""A full disk at each stage's writes, and inputs that change or vanish between plan and read."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

import storage.publishing
from pipelines.execute import execute
from pipelines.prepare import prepare_run
from pipelines.run_folder import RunFolder
from pipelines.stage import in_order
from pipelines.tasks import perform
from schemas.errors import CurateError
from schemas.manifest import load_manifest
from tests.conftest import SMALL_RECIPE, write_recipe
from tests.pipelines.test_engines import curate, files_of

RECIPE = SMALL_RECIPE.replace("steps: [normalise]", "steps: [normalise]\ndedup: {paragraphs: {min_documents: 2}}") + (
    "decontaminate: {benchmarks: [{name: exam, files: exam.jsonl}]}\n"
)


def sources(folder: Path) -> Path:
    (folder / "docs").mkdir(parents=True)
    for number in range(3):
        (folder / "docs" / f"{number}.txt").write_text(
            f"Sentence {number} about the heart and its valves, told once. " * 20
        )
    (folder / "exam.jsonl").write_text(
        '{"question": "Which valve is this, between the left rooms of the heart?", "options": {"A": "mitral"}}\n'
    )
    return write_recipe(folder, RECIPE)


def perform_all(run: RunFolder) -> None:
    """Every task of every stage, in order."""
    for stage in in_order():
        for task in stage.tasks(run):
            perform(run.path, stage.name, task)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("disk")
    execute(sources(folder), folder, folder / "run")
    return files_of(folder / "run")


@pytest.mark.parametrize("stage", [stage.name for stage in in_order() if stage.name not in ("classifiers", "merge")])
def test_a_full_disk_at_each_stage_loses_nothing(
    whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    recipe = sources(tmp_path)
    run = prepare_run(recipe, tmp_path, tmp_path / "run")
    real = storage.publishing.os.fsync

    def full(number: int) -> None:
        written = Path(f"/proc/self/fd/{number}").resolve()
        if f"/stages/{stage}/" in str(written) or (stage == "curate" and "/curated/" in str(written)):
            raise OSError(errno.ENOSPC, "No space left on device", str(written))
        real(number)

    monkeypatch.setattr(storage.publishing.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        perform_all(run)
    assert not list(run.path.rglob("*.part"))
    monkeypatch.undo()
    execute(recipe, tmp_path, run.path)
    assert files_of(run.path) == whole


def test_an_input_that_changes_between_plan_and_read_is_refused(tmp_path: Path) -> None:
    recipe = sources(tmp_path)
    run = prepare_run(recipe, tmp_path, tmp_path / "run")
    path = tmp_path / "docs" / "1.txt"
    path.write_text("X" + path.read_text()[1:])  # the same length, another content
    with pytest.raises(CurateError, match="1.txt.*changed since the run was planned"):
        perform(run.path, "read", "00000")


def test_an_input_that_vanishes_between_plan_and_read_is_told(tmp_path: Path) -> None:
    recipe = sources(tmp_path)
    run = prepare_run(recipe, tmp_path, tmp_path / "run")
    (tmp_path / "docs" / "1.txt").unlink()
    with pytest.raises(CurateError, match="1.txt.*vanished since the run was planned"):
        perform(RunFolder(run.path).path, "read", "00000")


def test_a_finished_run_is_left_alone_by_a_missing_input(tmp_path: Path) -> None:
    recipe = sources(tmp_path)
    execute(recipe, tmp_path, tmp_path / "run")
    digest = load_manifest(tmp_path / "run").digest
    shutil.move(tmp_path / "docs" / "1.txt", tmp_path / "1.txt")
    wrong = curate("run", recipe, "--run-dir", tmp_path / "run", status=2)
    assert "1.txt" in wrong.stderr
    assert load_manifest(tmp_path / "run").digest == digest
