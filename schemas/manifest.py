"""The manifest: what a corpus holds, shard by shard, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from schemas.canonical import canonical_digest
from schemas.errors import WrongCall

FORMAT_VERSION: Final = 2
# The table of conversations, prompts and pairs of the corpus that are in no shard, and why; other runs have none.
LEFT_OUT: Final = "left_out"
# What the digest leaves out: itself, and what says when or with what code, not what.
NOT_CONTENT: Final = ("digest", "code_version")


class Part(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(Part):
    """A file of the run: path relative to the manifest, rows, bytes, SHA-256."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Counted(Part):
    """Tokens of a shard or of several: those of `input_ids`, and of preferences also of `rejected_ids`.

    Where nothing is rejected the manifest does not speak of it.
    """

    tokens: int
    rejected_tokens: int = 0

    @model_serializer(mode="wrap")
    def _told(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        told: dict[str, Any] = whole(self)
        return told if self.rejected_tokens else {key: told[key] for key in told if key != "rejected_tokens"}


class Shard(FileEntry, Counted):
    """A token shard."""


class ComponentShards(Counted):
    """One component of a mixture."""

    weight: float
    where: str
    documents: int
    shards: list[Shard]


def sums_of(shards: list[Shard]) -> dict[str, int]:
    """What a component counts of its shards: documents and tokens."""
    return {
        "documents": sum(one.rows for one in shards),
        "tokens": sum(one.tokens for one in shards),
        "rejected_tokens": sum(one.rejected_tokens for one in shards),
    }


class MixtureShards(Part):
    """One mixture: whether its rows are documents or conversations, and its components by name."""

    kind: Literal["documents", "conversations", "prompts", "preferences"] = "documents"
    components: dict[str, ComponentShards]


class TokenizerEntry(Part):
    """The tokenizer of all shards."""

    file: str
    digest: str
    vocabulary: int
    end_of_text: str
    end_of_text_id: int
    begin_of_text: str | None = None
    begin_of_text_id: int | None = None


class ConversationsEntry(Part):
    """How conversations were made into tokens, and what became of those that were too long."""

    template: str
    template_digest: str
    template_file: str
    max_tokens: int
    conversations: int
    learned_tokens: int
    cut: int
    left_out: int


class Totals(Part):
    """Documents, characters and tokens of one group."""

    documents: int
    characters: int
    tokens: int


class Counts(Part):
    """What came in and what became of it: `read = curated + dropped`, `quarantined` beside it."""

    read: int
    quarantined: int
    dropped: dict[str, int]
    curated: int
    total: Totals
    by_source: dict[str, Totals]
    by_type: dict[str, Totals]
    by_language: dict[str, Totals]
    by_authority: dict[str, Totals]


class Contamination(Part):
    """What was found of one benchmark."""

    benchmark: str
    items: int
    items_unchecked: int
    items_found: int
    documents: int


class Manifest(Part):
    """The content of `manifest.json`; `digest` covers everything but time, place, engine and code."""

    format_version: int = FORMAT_VERSION
    digest: str = ""
    name: str
    seed: int
    parents: list[str] = []
    recipe_digest: str
    code_version: str
    tokenizer: TokenizerEntry
    licences: dict[str, int]
    decontaminated_of: list[Contamination]
    counts: Counts
    conversations: ConversationsEntry | None = None
    # SHA-256 of every file beside the sources that decided what came out, by what it is for and its place:
    # benchmarks, lists of withdrawn documents, labels, tokenizer, template, models.
    inputs: dict[str, dict[str, str]] = {}
    mixtures: dict[str, MixtureShards]
    files: list[FileEntry]
    # SHA-256 of what else other commands read: the tokenizer's configuration and chat template,
    # overlaps with benchmarks, conversations that are in no shard.
    beside: dict[str, str] = {}

    def content_digest(self) -> str:
        """SHA-256 of the manifest's content in canonical JSON."""
        # Manifests of before these digests were kept have none, and keep their own digest.
        unset = [name for name in ("inputs", "beside") if not getattr(self, name)]
        left_out: dict[str, Any] = dict.fromkeys((*NOT_CONTENT, *unset), True)
        if self.tokenizer.begin_of_text is None:
            left_out["tokenizer"] = {"begin_of_text", "begin_of_text_id"}
        return canonical_digest(self.model_dump(mode="json", exclude=left_out))

    def sealed(self) -> Manifest:
        """The same manifest with its digest filled in."""
        return self.model_copy(update={"digest": self.content_digest()})


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest: its form, its version and its own digest.

    The one file that this room opens: programs of others that have a run's folder begin here.
    """
    if path.is_dir():
        path = path / "manifest.json"
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WrongCall(f"{path} does not exist; `curate run RECIPE --run-dir D` writes one") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongCall(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise WrongCall(f"{path}: {error}") from None
    if manifest.format_version != FORMAT_VERSION:
        raise WrongCall(f"{path}: format version {manifest.format_version}; this code reads {FORMAT_VERSION}")
    if manifest.digest != manifest.content_digest():
        raise WrongCall(f"{path}: the digest does not match the content; the manifest was changed by hand")
    return manifest


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of manifests, as published in `schemas/published/manifest.schema.json`."""
    return Manifest.model_json_schema()
