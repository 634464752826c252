"""JSON Schemas of what others read and write, as they lie in `schemas/published/`.

    python -m curate.published_schemas

writes them again after a change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from filters.step import STEPS
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
        "recipe": _with_steps(Recipe.model_json_schema()),
        "classifier": _with_steps(ClassifierRecipe.model_json_schema()),
        "prompt": Prompt.model_json_schema(),
        "preference": Preference.model_json_schema(),
        "rollout": TypeAdapter(Rollout).json_schema(),
        "verdict": TypeAdapter(Verdict).json_schema(),
    }


def _with_steps(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every form in which a recipe may call a step, of the steps that come with this package.

    Steps of plug-ins are not known to a published file: their names are refused by it, not by the program.
    """
    schema["$defs"].pop("StepCall", None)
    schema["properties"]["steps"]["items"] = {"anyOf": [form for name in own_steps() for form in _step_forms(name)]}
    return schema


def own_steps() -> list[str]:
    """Names of the steps of this package, in order."""
    return sorted(name for name in STEPS.names() if STEPS.get(name).function.__module__.startswith("filters."))


def _step_forms(name: str) -> list[dict[str, Any]]:
    parameters = STEPS.get(name).model().model_json_schema()
    parameters.pop("title", None)
    where = {"type": ["string", "null"], "description": "an SQL condition over the document columns"}
    short = {**parameters, "properties": {**parameters.get("properties", {}), "where": where}}
    needed = bool(parameters.get("required"))
    forms: list[dict[str, Any]] = [
        {"properties": {name: short if needed else {"anyOf": [short, {"type": "null"}]}}, "required": [name]},
        {
            "properties": {"name": {"const": name}, "parameters": parameters, "where": where},
            "required": ["name", "parameters"] if needed else ["name"],
        },
    ]
    whole = [{"type": "object", "additionalProperties": False, **form} for form in forms]
    return whole if needed else [{"const": name}, *whole]


def published_file(name: str) -> Path:
    """Where the schema of a name lies."""
    return FOLDER / f"{name}.schema.json"


if __name__ == "__main__":
    for name, schema in schemas().items():
        write_json(published_file(name), schema)
