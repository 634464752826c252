"""Wrong recipes: exit status 2, file and line, the nearest right name, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate.cli import main
from pipelines.execute import execute
from pipelines.recipes import load_checked_recipe, load_recipe
from pipelines.stage import in_order
from schemas.errors import WrongCall
from tests.conftest import REPOSITORY, SMALL_RECIPE, write_recipe

CASES = [
    (
        "steps: [normalise]",
        "steps: [normalize]",
        r"recipe.yaml:5: unknown step 'normalize'; did you mean 'normalise'\?",
    ),
    ("source_type: web", "source_type: webb", r"recipe.yaml:4: sources\.0\.source_type: Input should be"),
    ("name: small", "nmae: small", r"recipe.yaml:2: nmae: unknown key 'nmae'; did you mean 'name'\?"),
    ("shards: 2", "shards: two", r"recipe.yaml:8: mixtures\.pretrain\.shards: Input should be a valid integer"),
    ("{name: all}", "{name: all, were: x}", r"unknown key 'were'; did you mean 'where'\?"),
    (
        "steps: [normalise]",
        "steps: [{length: {min_char: 3}}]",
        r"recipe.yaml:5: step 'length' has no parameter 'min_char'",
    ),
    ("docs/*", "nothing/*", r"source 'docs': no file matches 'nothing/\*' under"),
    ("{name: all}", "{name: all, where: 'no_such = 1'}", r"mixture 'pretrain', component 'all'.*no_such"),
    ("{train: {vocab_size: 400}}", "{file: gone.json}", r"tokenizer file 'gone.json' does not exist"),
    ("name: small", "name: [", r"recipe.yaml:\d+: not valid YAML"),
    (
        "  - {name: docs",
        '  - {name: docs, files: "docs/*", source_type: web}\n  - {name: docs',
        r"source name 'docs' is used twice",
    ),
    ("steps: [normalise]", "steps: [normalise]\nsteps: []", r"recipe.yaml:6: .*duplicate key"),
    ("steps: [normalise]", "steps: [{datatrove: {block: filters.Nope}}]", r""),
]


@pytest.mark.parametrize(("good", "bad", "message"), CASES[:-1])
def test_wrong_recipes_write_nothing(tmp_path: Path, good: str, bad: str, message: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("A text.")
    assert good in SMALL_RECIPE
    recipe = write_recipe(tmp_path, SMALL_RECIPE.replace(good, bad))
    with pytest.raises(WrongCall, match=message):
        execute(recipe, None, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_recipe_and_a_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="does not exist"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "r.yaml").write_bytes("name: 高血压".encode("gb18030"))
    with pytest.raises(WrongCall, match="is not UTF-8"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize("name", ["a\nb", "../up", "a;b", "a b", "-flag", ".hidden", "", "x" * 101])
@pytest.mark.parametrize("good", ["name: small", "{name: docs,", "  pretrain:", "{name: all}"])
def test_a_name_that_becomes_a_file_is_one(tmp_path: Path, good: str, name: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("A text.")
    word = good.strip(" {},:").split(": ")[-1]
    recipe = write_recipe(tmp_path, SMALL_RECIPE.replace(good, good.replace(word, json.dumps(name))))
    with pytest.raises(WrongCall, match=r"recipe.yaml:\d+: "):
        execute(recipe, tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_plan_shows_every_stage_with_its_tasks_inputs_and_outputs() -> None:
    recipe = str(REPOSITORY / "recipes" / "demo.yaml")
    stages = json.loads(CliRunner().invoke(main, ["plan", recipe, "--json"]).output)["stages"]
    shown = [stage["stage"] for stage in stages]
    assert shown == [stage.name for stage in in_order()]
    for stage in stages:
        assert stage["tasks"] >= 0
        assert {"after", "cut", "reads", "writes"} <= stage.keys(), stage
    text = CliRunner().invoke(main, ["plan", recipe]).output
    assert all(name in text for name in shown)


def test_the_recipes_of_the_repository_are_valid() -> None:
    for path in (REPOSITORY / "recipes").glob("*.yaml"):
        load_checked_recipe(path)


def test_help_of_every_command_shows_examples() -> None:
    runner = CliRunner()
    for name in ("run", "plan", "verify", "inspect", "report", "trace", "train", "demo"):
        result = runner.invoke(main, [name, "--help"])
        assert result.exit_code == 0
        assert "Examples:" in result.output
        assert result.output.count("\n") < 45


def test_an_unknown_command_names_the_nearest() -> None:
    result = CliRunner().invoke(main, ["verfy"])
    assert result.exit_code == 2
    assert "did you mean 'verify'?" in result.output
