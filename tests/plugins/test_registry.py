"""Plug-ins: one that works is found, one that fails is named and left out, two of one name are told apart."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from plugins.registry import Registry
from schemas.errors import WrongCall
from tests.conftest import REPOSITORY

RECIPE = """
name: lectures
sources:
  - {name: lectures, files: "*.vtt", source_type: textbook}
steps: [normalise, {exclamations: {max_share: 0.02}}]
tokenizer: {train: {vocab_size: 400}}
mixtures: {pretrain: {components: [{name: all}]}}
"""
CUES = "WEBVTT\n\n1\n00:00.000 --> 00:02.000\nThe heart has four valves{end}\n\n2\n00:02.000 --> 00:05.000\nand each of them opens one way{end}\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the example plug-in; its other packages are those of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    site = next((folder / "env" / "lib").glob("python*")) / "site-packages"
    (site / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{REPOSITORY}\n")
    shutil.copytree(REPOSITORY / "examples" / "plugin", folder / "plugin")
    install = [sys.executable, "-m", "pip", "--python", folder / "env" / "bin" / "python", "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "--no-index", folder / "plugin"], check=True)
    return folder / "env"


def curate(environment: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [environment / "bin" / "python", "-m", "curate.cli", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=environment.parent,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == status, done.stderr[-2000:]
    return done


def plant(environment: Path, name: str, code: str) -> Path:
    """A further plug-in, as an installer would leave it: a module and what its distribution declares."""
    site = next((environment / "lib").glob("python*")) / "site-packages"
    (site / f"{name}.py").write_text(code)
    told = site / f"{name}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[curate.steps]\n{name} = {name}\n")
    return told


def test_a_recipe_uses_a_plugins_step_and_reader(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "calm.vtt").write_text(CUES.replace("{end}", "."))
    (tmp_path / "loud.vtt").write_text(CUES.replace("{end}", "!!!"))
    (tmp_path / "r.yaml").write_text(RECIPE)
    curate(environment, "run", tmp_path / "r.yaml", "--run-dir", tmp_path / "run", "--workers", 2)
    told = json.loads(curate(environment, "inspect", tmp_path / "run", "--json").stdout)
    assert told["curated"] == 1
    assert told["dropped"] == {"exclamations": 1}


def test_lists_say_where_an_entry_comes_from(environment: Path) -> None:
    steps = {one["name"]: one for one in json.loads(curate(environment, "steps", "--json").stdout)}
    assert steps["exclamations"]["from"] == "lecture-plugin"
    assert steps["normalise"]["from"] == "curate"
    assert [one["name"] for one in steps["exclamations"]["parameters"]] == ["max_share"]
    assert "[lecture-plugin]" in curate(environment, "readers").stdout
    assert "example: - exclamations: {max_share: 0.02}" in curate(environment, "steps", "exclamations").stdout


def test_one_that_fails_is_named_and_the_others_go_on(environment: Path) -> None:
    told = plant(environment, "broken_plugin", "raise RuntimeError('no such library')\n")
    try:
        listed = curate(environment, "steps")
        assert "exclamations" in listed.stdout
        assert "plug-in broken-plugin could not be imported" in listed.stderr.replace("_", "-")
        assert "no such library" in listed.stderr
    finally:
        shutil.rmtree(told)


def test_of_two_with_one_name_the_second_is_refused_by_name(environment: Path) -> None:
    twin = "from filters.step import Batch, Outcome, step\n\n@step('exclamations')\ndef other(batch: Batch) -> Outcome:\n    return Outcome()\n"
    told = plant(environment, "twin_plugin", twin)
    try:
        listed = curate(environment, "steps", "--json")
        assert {one["name"]: one["from"] for one in json.loads(listed.stdout)}["exclamations"] == "lecture-plugin"
        assert "registered twice: by lecture-plugin and by twin" in listed.stderr
    finally:
        shutil.rmtree(told)


def test_an_unknown_name_tells_the_nearest_and_the_broken_plugins() -> None:
    registry: Registry[int] = Registry("thing", ())
    registry.add("heart", 1)
    registry._loaded = True
    registry.broken["lungs"] = "ImportError: no air"
    with pytest.raises(
        WrongCall,
        match="unknown thing 'haert'; did you mean 'heart'.*plug-in lungs could not be imported: ImportError: no air",
    ):
        registry.get("haert")
    with pytest.raises(ValueError, match="thing 'heart' is registered twice: by curate and by curate"):
        registry.add("heart", 2)
