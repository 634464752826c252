"""The published JSON Schemas are those of the models, and ids are what they always were."""

from __future__ import annotations

import json

import pytest

from curate.published_schemas import published_file, schemas
from schemas.canonical import canonical_digest
from schemas.document import document_id


@pytest.mark.parametrize("name", schemas())
def test_published_schemas_are_current(name: str) -> None:
    published = json.loads(published_file(name).read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(schemas()[name])), "write them again: python -m curate.published_schemas"


def test_ids_are_golden() -> None:
    assert document_id("anatomy", "textbooks/m1.cnxml", "") == "d2f01264794f7d020f68e62bdfb6d887"
    assert document_id("a", "b", "1") != document_id("a", "b1", "")


def test_canonical_digest_ignores_order() -> None:
    assert canonical_digest({"b": 1, "a": "é"}) == canonical_digest({"a": "é", "b": 1})
