"""What the documentation names exists, and what exists is documented."""

from __future__ import annotations

import re

from filters.step import STEPS
from sources.formats import FORMATS
from tests.conftest import REPOSITORY


def test_every_step_and_reader_is_documented() -> None:
    text = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
    for name in (*STEPS.names(), *FORMATS.names()):
        assert f"`{name}`" in text, f"docs/recipes.md does not name {name}"


def test_links_of_the_readme_lead_somewhere() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (REPOSITORY / target).exists(), f"README.md links to {target}, which does not exist"
