"""The published JSON Schemas are those of the models, and ids are what they always were."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from curate.published_schemas import own_steps, published_file, schemas
from filters.step import STEPS
from schemas.canonical import canonical_digest
from schemas.document import document_id
from schemas.recipe import Recipe


@pytest.mark.parametrize("name", schemas())
def test_published_schemas_are_current(name: str) -> None:
    published = json.loads(published_file(name).read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(schemas()[name])), "write them again: python -m curate.published_schemas"


ROOT = Path(__file__).resolve().parents[2]


def accepts(name: str, recipe: object) -> bool:
    jsonschema = pytest.importorskip("jsonschema")
    return bool(jsonschema.Draft202012Validator(schemas()[name]).is_valid(recipe))


@pytest.mark.parametrize("path", ["demo.yaml", "medical.yaml", "classifiers/medicine.yaml", "classifiers/quality.yaml"])
def test_bundled_recipes_are_accepted(path: str) -> None:
    recipe = YAML(typ="safe").load((ROOT / "recipes" / path).read_text(encoding="utf-8"))
    assert accepts("classifier" if "classifiers" in path else "recipe", recipe)


def recipe_of(**parts: object) -> dict[str, object]:
    return {"name": "r", "sources": [{"name": "s", "files": "*.txt", "source_type": "web"}], **parts}


@pytest.mark.parametrize("name", own_steps())
def test_every_form_of_every_step_is_accepted_and_no_unknown_one(name: str) -> None:
    example = {key: value for key, value in STEPS.get(name).example.items() if key != "where"}
    for step in ({name: example}, {name: {**example, "where": "true"}}, {"name": name, "parameters": example}):
        assert accepts("recipe", recipe_of(steps=[step]))
        Recipe.model_validate(recipe_of(steps=[step]))
    if name != "datatrove":
        assert not accepts("recipe", recipe_of(steps=[{name: {**example, "no_such_parameter": 1}}]))


@pytest.mark.parametrize(
    "parts",
    [
        {"steps": ["normalize"]}, {"steps": [{"length": {"min_chars": 3}}]}, {"seed": -1}, {"seed": 10**20}, {"version": 2},
        {"mixtures": {"m": {"components": []}}}, {"mixtures": {"m": {"components": [{"name": "a", "weight": 0}]}}},
        {"dedup": {"minhash": {"bands": 0}}}, {"tokenizer": {"train": {"vocab_size": 2}}}, {"max_quarantined": 2},
    ],
)  # fmt: skip
def test_what_the_program_refuses_is_refused(parts: dict[str, object]) -> None:
    assert not accepts("recipe", recipe_of(**parts))


def test_short_forms_are_accepted() -> None:
    parts = {"dedup": {"exact": True, "minhash": False, "paragraphs": True}, "classifiers": {"c": "c.yaml"}}
    mixtures = {"m": {"components": [{"name": "a", "repeat": 2}, {"name": "b", "repeat": "scores.quality"}]}}
    assert accepts("recipe", recipe_of(**parts, mixtures=mixtures, steps=["normalise", {"length": None}]))


def test_ids_are_golden() -> None:
    assert document_id("anatomy", "textbooks/m1.cnxml", "", "0" * 64) == "23638cf36454d6ced6f4014a07f7a330"
    assert document_id("a", "b", "1", "") != document_id("a", "b1", "", "")
    assert document_id("a", "b", "1", "x") != document_id("a", "b", "1", "y")


def test_canonical_digest_ignores_order() -> None:
    assert canonical_digest({"b": 1, "a": "é"}) == canonical_digest({"a": "é", "b": 1})


def examples() -> list[tuple[str, object]]:
    """YAML in the pages that is a recipe, a part of one, or steps: fenced or indented."""
    found: list[tuple[str, object]] = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```yaml\n(.*?)```", text, re.S)
        blocks += [textwrap.dedent(one) for one in re.findall(r"(?:^    .*\n|^\n)+", text, re.M)]
        for block in blocks:
            try:
                value = YAML(typ="safe").load(block)
            except YAMLError:
                continue
            if isinstance(value, dict) and {"sources", "steps", "mixtures"} & value.keys() and "positive" not in value:
                found.append((path.name, {**recipe_of(), **value}))
            elif isinstance(value, list) and value and all(_is_step(one) for one in value):
                found.append((path.name, recipe_of(steps=value)))
    return found


def _is_step(value: object) -> bool:
    return value in own_steps() or (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in own_steps())


@pytest.mark.parametrize(("page", "recipe"), examples(), ids=lambda value: value if isinstance(value, str) else "")
def test_examples_of_the_pages_are_accepted_by_schema_and_program(page: str, recipe: dict[str, object]) -> None:
    assert accepts("recipe", recipe)
    parsed = Recipe.model_validate(recipe)
    for call in parsed.steps:
        STEPS.get(call.name).parameters(call.parameters)


def test_there_are_examples_to_hold_it_against() -> None:
    pages = {page for page, _ in examples()}
    assert {"README.md", "steps.md", "ift.md", "rl_reasoning.md"} <= pages
