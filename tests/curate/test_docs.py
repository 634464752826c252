"""What the documentation names exists, and what exists is documented."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from curate.reference import PAGES, step_told
from filters.step import STEPS
from schemas.recipe import Source
from sources.formats import FORMATS
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_steps_and_readers_are_current(name: str) -> None:
    page = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    assert page == PAGES[name](), f"docs/{name} is stale: run `python -m curate.reference`"


def test_every_step_says_its_source_and_its_example_is_valid() -> None:
    for name, entry in STEPS.items():
        assert entry.source, f"step {name} names no source"
        given = {key: value for key, value in entry.example.items() if key != "where"}
        entry.parameters(given)
        assert step_told(name, entry)["example"].startswith(f"- {name}")


def test_examples_of_readers_are_sources_of_a_recipe() -> None:
    for _, entry in FORMATS.items():
        Source.model_validate(YAML(typ="safe").load(entry.example))


def test_links_of_the_readme_lead_somewhere() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (REPOSITORY / target).exists(), f"README.md links to {target}, which does not exist"


def test_examples_of_the_readme_are_those_of_the_plugin() -> None:
    """They are type-checked there, and a test runs them."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name in ("exclamations.py", "subtitles.py"):
        code = (REPOSITORY / "examples" / "plugin" / "lecture_plugin" / name).read_text(encoding="utf-8")
        assert code in readme, f"README.md shows another {name}"


def test_architecture_points_to_files_of_under_a_hundred_lines() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(\.\./([a-z_/]+\.py)\)", page)
    assert len(targets) == 6
    for target in targets:
        assert len((REPOSITORY / target).read_text(encoding="utf-8").splitlines()) < 100, target
