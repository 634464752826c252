"""The document: a row of an Arrow record batch, and the identity that follows it everywhere.

The columns are the contract between curation, inspection and training. `scores` is a struct
whose fields are the scores that the recipe's steps declare, so that SQL can say `scores.words`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, get_args

import polars as pl

SourceType = Literal[
    "textbook",
    "guideline",
    "consensus",
    "literature",
    "drug_label",
    "encyclopedia",
    "clinical_pathway",
    "exam",
    "dialogue",
    "record",
    "web",
    "knowledge",
]
Grade = Literal["A", "B", "C", "D", "E"]
SOURCE_TYPES: Final[tuple[str, ...]] = get_args(SourceType)
AUTHORITY_GRADES: Final[tuple[str, ...]] = get_args(Grade)

EDIT: Final = pl.Struct({"step": pl.String, "what": pl.String, "count": pl.Int64})

# What a reader, or the recipe, can know of a document; in the order in which files show it.
READ_COLUMNS: Final[dict[str, pl.DataType]] = {
    "id": pl.String(),
    "text": pl.String(),
    "title": pl.String(),
    "source": pl.String(),
    "source_type": pl.String(),
    "uri": pl.String(),
    "canonical": pl.String(),  # the address that a page calls its own
    "raw_sha256": pl.String(),
    "licence": pl.String(),
    "language": pl.String(),
    "authority": pl.String(),
    "authority_reason": pl.String(),
    "published": pl.String(),
    "series": pl.String(),
    "edition": pl.String(),
    "doi": pl.String(),
    "identifiers": pl.List(pl.String),  # `pmid:1`, `pmcid:pmc1`
    "publisher": pl.String(),
    "issn": pl.String(),
    "article_type": pl.String(),
    "design": pl.String(),
    "retracted": pl.Boolean(),
    "retracts": pl.List(pl.String),
    "notices": pl.List(pl.String),  # "expression-of-concern of DOI" on a notice, "… by DOI" on what it concerns
    "superseded_by": pl.String(),
    "task": pl.String(),
    "ability": pl.String(),
    "difficulty": pl.Int32(),
    "conversation": pl.String(),
    "ocr": pl.Float64(),
    "edits": pl.List(EDIT),
}
# What a reader tells and documents carry among their scores.
READ_SCORES: Final = ("ocr",)
DECISION_COLUMNS: Final[dict[str, pl.DataType]] = {
    "dropped_by": pl.String(),
    "drop_reason": pl.String(),
}
QUARANTINE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "uri": pl.String(),
    "source": pl.String(),
    "reader": pl.String(),
    "error": pl.String(),
    "bytes": pl.Int64(),
    "sha256": pl.String(),
}


def scores_type(names: Sequence[str]) -> pl.Struct:
    """The type of the `scores` column for a recipe whose steps declare `names`."""
    return pl.Struct([pl.Field(name, pl.Float64()) for name in names])


def document_columns(score_names: Sequence[str]) -> dict[str, pl.DataType]:
    """All columns of a document, in file order, for a recipe with these scores."""
    read = {name: kind for name, kind in READ_COLUMNS.items() if name not in READ_SCORES}
    return {**read, "scores": scores_type(score_names), **DECISION_COLUMNS}


def document_id(source: str, uri: str, place: str, content: str) -> str:
    """A stable identity: 128 bits of BLAKE2b over source name, uri within it, place in the file, and what stands there.

    `content` is the digest of the record's own bytes: deliveries whose files have the same names hold other
    documents. The same on every machine and for every engine; it depends on no absolute path.
    """
    key = "\x1f".join((source, uri, place, content)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=16).hexdigest()
