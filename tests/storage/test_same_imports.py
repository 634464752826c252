"""A working folder that has folders of our rooms' names: no process of ours imports from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.same_imports import children_import_alike
from tests.conftest import REPOSITORY, SMALL_RECIPE, SOAK, write_recipe
from tests.test_rooms import ROOMS, modules

LONG = "half a minute of Beam's workers, whose environment the test below looks at: make soak"
CURATE = Path(sys.executable).parent / "curate"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose `filters/`, `pipelines/` and so on would end whoever imports them, with texts to curate."""
    for room in (*ROOMS, "tests"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise SystemExit('imported from the working folder')\n")
    (tmp_path / "docs").mkdir()
    for number in range(4):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"Drug {number} lowers the pressure of the blood.\n" * 20)
    return tmp_path


def curate(folder: Path, *arguments: object) -> None:
    done = subprocess.run([CURATE, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "working folder" not in done.stderr


@pytest.mark.parametrize("engine", ["datatrove", pytest.param("beam", marks=pytest.mark.skipif(not SOAK, reason=LONG))])
def test_workers_of_an_engine(folder: Path, engine: str) -> None:
    second = "sources:\n  - {name: notes, files: 'docs/0*', source_type: web}\n"  # a partition of its own
    recipe = write_recipe(folder, SMALL_RECIPE.replace("sources:\n", second))
    curate(folder, "run", recipe, "--data", folder, "--run-dir", "D", "--workers", "2", "--engine", engine)
    assert (folder / "D" / "manifest.json").exists()


def test_what_a_library_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    told = [sys.executable, "-c", "import filters; print(filters.__file__)"]
    with children_import_alike():
        found = subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == REPOSITORY / "filters" / "__init__.py"
    assert subprocess.run(told, capture_output=True, check=False).returncode == 1
    assert "PYTHONPATH" not in os.environ
    for name in ("beam", "datatrove"):
        assert "with children_import_alike()" in (REPOSITORY / f"pipelines/engines/{name}_engine.py").read_text()


def test_judging_process_and_tried_template(folder: Path) -> None:
    script = folder / "judge.py"
    script.write_text(
        "from pathlib import Path\n"
        "from tokenization.chat_template import check_template, ChatTemplate\n"
        "from verifiers.bounded import Judges, Question\n"
        "source = '{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}'\n"
        "check_template(ChatTemplate('own', source, {}), Path('own.jinja'))\n"
        "with Judges() as judges:\n"
        "    print(*(one.state for one in judges.judge([Question('exam', '', 'Answer: B', {'key': 'B'})])))\n"
    )
    done = subprocess.run([sys.executable, "-P", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "right\n"


def test_whoever_starts_python_says_what_it_imports() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if "sys.executable" in text and path.name != "slurm.py":
            assert "same_imports()" in text, f"{path} starts Python without `storage.same_imports`"
