"""Rules of the house that no linter knows: who writes files, and that rooms say what they are for."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

ROOMS = (
    "curate",
    "dedup",
    "embeddings",
    "endpoints",
    "filters",
    "pipelines",
    "plugins",
    "schemas",
    "sources",
    "storage",
    "textcolumns",
    "tokenization",
    "trainers",
    "verifiers",
)
# Files of a run are written, renamed and removed by `storage/` alone.
METHODS = {"write_text", "write_bytes", "unlink", "rmdir", "touch", "symlink_to", "hardlink_to"}
FUNCTIONS = {
    "os": {"replace", "rename", "remove", "unlink", "open", "makedirs", "mkdir", "link"},
    "shutil": {"rmtree", "copyfile", "copy", "copytree", "move"},
}
MODES = {"w", "a", "x", "+"}


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def writes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every call that writes to a file system by itself."""
    given = {  # what `published` yields may be written to: that is what it is for
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call) and getattr(item.context_expr.func, "id", "") == "published"
        if isinstance(item.optional_vars, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, getattr(node.func.value, "id", "")
        arguments = [one.value for one in node.args if isinstance(one, ast.Constant)]
        mode = next((one for one in arguments if isinstance(one, str)), "")
        if owner in given or owner == "logging_dir":  # datatrove's own folder of logs
            continue
        if (
            name in METHODS
            or name in FUNCTIONS.get(owner, ())
            or (name == "open" and set(mode) & MODES and len(mode) < 4)
        ):
            yield node.lineno, f"{owner or '…'}.{name}"


@pytest.mark.parametrize(
    "path", [one for one in modules() if one.parts[-2] != "storage"], ids=lambda one: str(one.relative_to(REPOSITORY))
)
def test_only_storage_writes_files(path: Path) -> None:
    found = list(writes(ast.parse(path.read_text(encoding="utf-8"))))
    assert not found, f"write through storage/: {found}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for(room: str) -> None:
    for path in (REPOSITORY / room).rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} says nothing"


def test_schemas_open_no_file_but_the_manifest() -> None:
    for path in sorted((REPOSITORY / "schemas").glob("*.py")):
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not calls & {"read_text", "read_bytes", "open"} or path.name == "manifest.py"


def test_what_lies_beside_the_modules_is_installed_with_them() -> None:
    """A table that only the repository has ends an installed program with a file that does not exist."""
    import tomllib

    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    patterns: dict[str, list[str]] = told["tool"]["setuptools"]["package-data"]
    command = ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "--", *ROOMS]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    beside = [Path(one) for one in listed.stdout.splitlines() if not one.endswith((".py", ".md"))]
    assert Path("dedup/facts.yaml") in beside
    packed = {
        path.relative_to(REPOSITORY)
        for room, wanted in patterns.items()
        for one in wanted
        for path in (REPOSITORY / room).glob(one)
    }
    assert [str(one) for one in beside if one not in packed] == []
