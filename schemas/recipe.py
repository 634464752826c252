"""The recipe: what to read, which steps to take, what to mix. Data, validated before anything runs."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from schemas.conversation import ROLES, TOLD_BESIDE
from schemas.document import Grade, SourceType


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]
# Names become files and folders: no separators, no white space, no more than a file system takes.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


class Strict(BaseModel):
    """A model that refuses unknown keys and numbers that JSON has none of (NaN, infinity), and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# Seeds go through NumPy's and torch's generators, some of them with a number added.
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Ocr(Strict):
    """Whether pages without a text layer are read from their picture, and how surely they must be read."""

    enabled: bool = True
    min_confidence: float | None = Field(0.6, ge=0, le=1)


class PromptForm(Strict):
    """How a row becomes a prompt: templates of its turns, the verifier, and the reference that it reads.

    A value of the reference that is one column alone (`"{options}"`) is that column as it is, an object too.
    """

    user: str
    verifier: str
    reference: dict[str, Any]
    system: str | None = None
    task: str | None = None
    difficulty: str | None = None


class PreferenceForm(Strict):
    """How a row becomes a preference: templates of the question, of both answers and of what is told of them."""

    user: str
    chosen: str
    rejected: str
    system: str | None = None
    aspect: str | None = None
    annotator: str | None = None
    strength: str | None = None
    task: str | None = None


class Glance(Strict):
    """A look at each page of the web before it is extracted; what is surely unwanted is dropped with its reason.

    `languages` (ISO 639-1) are wanted, `model` is a classifier that comes with the package or a folder, and pages
    below `floor` are left out: choose it well below the threshold of the step that decides.
    """

    languages: list[str] = []
    model: str | None = None
    floor: float = Field(0.05, gt=0, lt=1)


# Columns of a document that rows may tell in columns of their own.
RowColumn = Literal[
    "published", "licence", "language", "authority", "doi", "retracted", "series", "edition", "publisher", "issn"
]


class Source(Strict):
    """Files of one kind and origin; `name` is part of every document's id."""

    name: Name
    files: Patterns
    exclude: Patterns = []
    format: str = "auto"
    source_type: SourceType
    licence: str | None = None
    authority: Grade | None = None
    publisher: str | None = None
    language: str | None = None
    text: str | None = None
    title: str | None = None
    columns: dict[RowColumn, str] | None = Field(
        None, description="columns of the rows that tell of a document, by what they tell: {published: date}"
    )
    conversation: Literal["auto", "openai", "sharegpt", "alpaca"] | dict[str, str] | None = None
    prompts: Literal["auto", "benchmark"] | PromptForm | None = None
    preferences: Literal["auto", "trl", "hh", "ultrafeedback", "labels"] | PreferenceForm | None = None
    ocr: Ocr = Ocr()
    glance: Glance | None = None
    citations: Literal["keep"] | None = Field(None, description="keep citation marks, as [3]; else they are left out")
    optional: bool = False

    @field_validator("conversation")
    @classmethod
    def _known_roles(cls, value: Any) -> Any:
        if isinstance(value, dict):
            unknown = [role for role in value if role not in (*ROLES, *TOLD_BESIDE)]
            if unknown or "user" not in value or "assistant" not in value:
                wrong = f"unknown role '{unknown[0]}'; " if unknown else ""
                raise ValueError(f"{wrong}give templates for user and assistant, and for system or tool if need be")
        return value

    @model_serializer(mode="wrap")
    def _as_before(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What a source does not ask for is not in its digest, as before there was any of it."""
        fields: dict[str, Any] = told(self)
        for name in ("prompts", "preferences", "glance", "citations", "columns"):
            if getattr(self, name) is None:
                fields.pop(name, None)
        return fields

    @property
    def holds_turns(self) -> bool:
        """Whether its rows are conversations, prompts or preferences."""
        return any(one is not None for one in (self.conversation, self.prompts, self.preferences))

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        if sum(one is not None for one in (self.conversation, self.prompts, self.preferences)) > 1:
            raise ValueError("give one of `conversation`, `prompts` and `preferences`")
        return self

    @field_validator("ocr", mode="before", json_schema_input_type=Ocr | bool)
    @classmethod
    def _ocr_switch(cls, value: Any) -> Any:
        return {"enabled": value} if isinstance(value, bool) else value


class StepCall(Strict):
    """A registered step by name, with its parameters, and the rows it looks at (SQL; default all)."""

    name: str
    parameters: dict[str, Any] = {}
    where: str | None = None


# Where labels, doses and stems of one template stand beside each other.
FACT_TYPES: Final = ("drug_label", "guideline", "exam", "record")


class MinHash(Strict):
    """Parameters of near-duplicate search; see `dedup.minhash.MinHashConfig`.

    Bands and rows are given, or follow from a similarity: `threshold` with at most `functions` of them,
    by datasketch's optimiser (`dedup.datasketch_form.shape_for`).
    """

    ngram: int = Field(5, ge=1, le=50)
    bands: int = Field(14, ge=1, le=256)
    rows: int = Field(8, ge=1, le=64)
    threshold: float | None = Field(None, gt=0, lt=1)
    functions: int = Field(112, ge=2, le=1024)
    keep_facts: bool | list[SourceType] = Field(
        False, description="hold near duplicates apart that assert other facts; true: those of FACT_TYPES"
    )

    @model_validator(mode="after")
    def _one_way(self) -> MinHash:
        if self.threshold is not None and {"bands", "rows"} & self.model_fields_set:
            raise ValueError("give either `threshold` or `bands` and `rows`")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, handler: Any) -> dict[str, Any]:
        """Without a threshold as it was before there was one: the digest of a recipe stays."""
        told: dict[str, Any] = handler(self)
        more = ("keep_facts",) if self.keep_facts else ()
        if self.threshold is None:
            return {name: told[name] for name in ("ngram", "bands", "rows", *more)}
        return {name: told[name] for name in ("ngram", "threshold", "functions", *more)}

    @property
    def fact_types(self) -> tuple[str, ...]:
        """Source types whose near duplicates are held apart by their facts."""
        return FACT_TYPES if self.keep_facts is True else tuple(self.keep_facts or ())


class Paragraphs(Strict):
    """Lines that repeat over documents are removed from all but the first; shorter lines always stay.

    Only in documents of these `source_types`: what is boilerplate on a page of the web (menus, footers, licences) is
    content elsewhere: a contraindication that sixty labels share, a table's head, a legal duty in guidelines.
    """

    source_types: list[SourceType] = ["web"]
    min_characters: int = Field(80, ge=1)
    unspaced_min_characters: int = Field(30, ge=1)
    min_documents: int = Field(3, ge=2)


class Dedup(Strict):
    """Which duplicates are removed."""

    exact: bool = True
    minhash: MinHash | None = MinHash()
    paragraphs: Paragraphs | None = None

    @field_validator("minhash", mode="before", json_schema_input_type=MinHash | bool | None)
    @classmethod
    def _switch(cls, value: Any) -> Any:
        return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value

    @field_validator("paragraphs", mode="before", json_schema_input_type=Paragraphs | bool | None)
    @classmethod
    def _switch_paragraphs(cls, value: Any) -> Any:
        return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value


class Supersede(Strict):
    """What becomes of a document of which a newer edition is there: dropped, or kept with `superseded_by` set."""

    action: Literal["drop", "keep"] = "drop"


class Withdrawn(Strict):
    """Documents that must not be used: lists of DOIs (or ids), one a line or in a column `doi` or `id`; licences."""

    files: Patterns = []
    licences: list[str] = []
    action: Literal["drop", "mark"] = "drop"


class BenchmarkFiles(Strict):
    """A benchmark to keep out of the corpus; `columns` maps roles to columns in unknown formats."""

    name: Name
    files: Patterns
    columns: dict[str, str | list[str]] | None = None
    optional: bool = False


class Decontaminate(Strict):
    """Which benchmarks to find, and whether documents or only the spans go."""

    benchmarks: list[BenchmarkFiles]
    ngram: int = Field(13, ge=5, le=100)
    action: Literal["drop", "cut"] = "drop"


class TokenizerTraining(Strict):
    """A byte-level BPE trained on the curated corpus."""

    vocab_size: int = Field(8000, ge=300, le=1_000_000)
    max_characters: int = Field(200_000_000, ge=1000)


class Tokenizer(Strict):
    """Train one, or use a Hugging Face `tokenizer.json`, with the `tokenizer_config.json` beside it.

    Documents begin and end with the marks that these say. `begin: false` for no mark, `begin: "<s>"` and
    `end: "</s>"` for others.
    """

    train: TokenizerTraining | None = None
    file: str | None = None
    begin: str | bool | None = None
    end: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Tokenizer:
        if (self.train is None) == (self.file is None):
            raise ValueError("give either `train` or `file`")
        if self.train and (self.begin is not None or self.end is not None):
            raise ValueError("`begin` and `end` are for a tokenizer that is given by `file`")
        return self


class Conversations(Strict):
    """How conversations become tokens: the chat template, and what becomes of those that are too long.

    `template`: `chatml`, `llama3`, or a file (Jinja, or a tokenizer's `tokenizer_config.json`).
    `cut` takes whole turns from the end until the rest fits into `max_tokens`. `date` is what a template that
    writes the day of today is told; without it such a template is told none, so that rows do not change with the day.
    """

    template: str = "chatml"
    max_tokens: int = Field(2048, ge=8)
    too_long: Literal["cut", "drop"] = "cut"
    date: datetime.date | None = None


class TrainedClassifier(Strict):
    """A classifier that the run trains before it reads; steps name it as their `model`.

    `optional`: where the data at hand holds too few labelled documents the steps that use it pass.
    """

    recipe: str
    optional: bool = False


class Component(Strict):
    """Documents that a mixture takes: an SQL condition over the document columns, and a weight.

    `repeat` (SQL, a number) says how often a document comes: 1.5 is once, and again for every second
    document, by the hash of its id. So a mixture can weigh documents by their scores.
    """

    name: Name
    where: str = "true"
    weight: float = Field(1.0, gt=0)
    repeat: str | None = None

    @field_validator("repeat", mode="before", json_schema_input_type=str | float | None)
    @classmethod
    def _number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class Mixture(Strict):
    """Weighted components, each cut into `shards` files, of documents, conversations, prompts or preferences."""

    kind: Literal["documents", "conversations", "prompts", "preferences"] = "documents"
    components: list[Component] = Field(min_length=1)
    shards: int = Field(1, ge=1, le=100_000)

    @field_validator("components")
    @classmethod
    def _unique(cls, value: list[Component]) -> list[Component]:
        return _unique_names(value, "component")


class Recipe(Strict):
    """A whole curation run."""

    name: Name
    seed: Seed = 17
    sources: list[Source] = Field(min_length=1)
    classifiers: dict[str, TrainedClassifier] = {}
    steps: list[StepCall] = []
    dedup: Dedup = Dedup()
    supersede: Supersede | None = None
    withdrawn: Withdrawn | None = None
    decontaminate: Decontaminate | None = None
    tokenizer: Tokenizer = Tokenizer(train=TokenizerTraining())
    conversations: Conversations = Conversations()
    mixtures: dict[str, Mixture] = {}
    max_quarantined: float = Field(0.05, ge=0, le=1)

    @property
    def holds_prompts(self) -> bool:
        """Whether any source holds prompts of reinforcement learning."""
        return any(source.prompts is not None for source in self.sources)

    @property
    def holds_preferences(self) -> bool:
        """Whether any source holds pairs of answers."""
        return any(source.preferences is not None for source in self.sources)

    @field_validator("steps", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return [_step_call(entry) for entry in value] if isinstance(value, list) else value

    @field_validator("classifiers", mode="before", json_schema_input_type=dict[str, TrainedClassifier | str])
    @classmethod
    def _classifier_files(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"recipe": one} if isinstance(one, str) else one for name, one in value.items()}

    @field_validator("sources")
    @classmethod
    def _unique(cls, value: list[Source]) -> list[Source]:
        return _unique_names(value, "source")

    @field_validator("mixtures", "classifiers")
    @classmethod
    def _names_of_files(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
                kind = str(info.field_name).removesuffix("s")
                raise ValueError(f"{kind} name {name!r} may hold letters, digits, '.', '_' and '-'")
        return value


def _step_call(entry: Any) -> Any:
    """`- normalise`, `- length: {…}` and `- {name: …, parameters: …}` all mean a step call."""
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, dict) and len(entry) == 1 and "name" not in entry:
        ((name, parameters),) = entry.items()
        if not isinstance(parameters, dict):
            return {"name": name, "parameters": {} if parameters is None else parameters}
        rest = {key: value for key, value in parameters.items() if key != "where"}
        return {"name": name, "parameters": rest, "where": parameters.get("where")}
    return entry


def _unique_names(items: list[Any], kind: str) -> list[Any]:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise ValueError(f"{kind} name '{item.name}' is used twice")
        seen.add(item.name)
    return items
