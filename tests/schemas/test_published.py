"""The published JSON Schemas are those of the models, and ids are what they always were."""

from __future__ import annotations

import json

from schemas.canonical import canonical_digest
from schemas.classifier import ClassifierRecipe
from schemas.document import document_id
from schemas.manifest import manifest_schema
from schemas.recipe import Recipe
from tests.conftest import REPOSITORY


def test_published_schemas_are_current() -> None:
    models = {
        "manifest": manifest_schema(),
        "recipe": Recipe.model_json_schema(),
        "classifier": ClassifierRecipe.model_json_schema(),
    }
    for name, schema in models.items():
        published = json.loads((REPOSITORY / "schemas" / "published" / f"{name}.schema.json").read_text())
        assert published == json.loads(json.dumps(schema)), f"write schemas/published/{name}.schema.json again"


def test_ids_are_golden() -> None:
    assert document_id("anatomy", "textbooks/m1.cnxml", "") == "d2f01264794f7d020f68e62bdfb6d887"
    assert document_id("a", "b", "1") != document_id("a", "b1", "")


def test_canonical_digest_ignores_order() -> None:
    assert canonical_digest({"b": 1, "a": "é"}) == canonical_digest({"a": "é", "b": 1})
