"""JSON Schemas of what others read and write, as they lie in `schemas/published/`.

    python -m curate.published_schemas

writes them again after a change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from schemas.classifier import ClassifierRecipe
from schemas.manifest import manifest_schema
from schemas.preference import Preference
from schemas.prompt import Prompt
from schemas.recipe import Recipe
from schemas.rollout import Rollout
from schemas.verdict import Verdict
from storage.json_files import write_json

FOLDER: Final = Path(__file__).resolve().parent.parent / "schemas" / "published"


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by name."""
    return {
        "manifest": manifest_schema(),
        "recipe": Recipe.model_json_schema(),
        "classifier": ClassifierRecipe.model_json_schema(),
        "prompt": Prompt.model_json_schema(),
        "preference": Preference.model_json_schema(),
        "rollout": TypeAdapter(Rollout).json_schema(),
        "verdict": TypeAdapter(Verdict).json_schema(),
    }


def published_file(name: str) -> Path:
    """Where the schema of a name lies."""
    return FOLDER / f"{name}.schema.json"


if __name__ == "__main__":
    for name, schema in schemas().items():
        write_json(published_file(name), schema)
