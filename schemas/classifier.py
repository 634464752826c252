"""A classifier's recipe: which sources carry which label, which are held out, and how it is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from schemas.embedding import EmbedderSettings
from schemas.recipe import Name, Seed, Source, StepCall, Strict, _step_call, _unique_names

# A label in any script, blanks within it too; no line feed, which would end fastText's line.
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(?:[^\r\n]*\S)?$")]


class LabelledSource(Source):
    """Documents of one label; `where` (SQL over document columns and scores) takes only some of them.

    `files` are below `--data`; those that begin with `./` lie beside the recipe.

    Sources of role `test` are never trained on: the model is measured on other origins than its own.
    """

    label: Label | None = None
    label_column: str | None = None
    labels: list[str] = Field([], description="CSV files of `id` and `label`, beside the recipe or below --data")
    id_column: str | None = Field(
        None, description="the column that `labels` name rows by; else a file's stem or its uri"
    )
    where: str | None = None
    role: Literal["train", "test"] = "train"
    max_documents: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_label(self) -> LabelledSource:
        if [self.label is None, self.label_column is None, not self.labels].count(False) != 1:
            raise ValueError(f"source '{self.name}': give either `label`, `label_column` or `labels`")
        return self


class FastTextTraining(Strict):
    """fastText's own parameters (Joulin et al. 2016, arXiv 1607.01759), one thread for equal bytes."""

    dim: int = Field(16, ge=1, le=1000)
    epoch: int = Field(10, ge=1, le=1000)
    lr: float = Field(0.5, gt=0)
    word_ngrams: int = Field(2, ge=1, le=5)
    min_count: int = Field(2, ge=1)
    bucket: int = Field(200_000, ge=1)
    max_characters: int = Field(6000, ge=100, description="how much of each text is read")


class NgramTraining(Strict):
    """Logistic regression over hashed n-grams, and where `head` names an embedder, over its vectors for the doubtful.

    `inverse_penalty` is C of Fan et al. 2008 (LIBLINEAR), found by cross-validation. `folds`: scores of held-out
    folds choose the threshold, the calibration and the band of the doubtful.
    """

    bits: int = Field(18, ge=10, le=24, description="log2 of the number of buckets")
    max_characters: int = Field(3000, ge=100, description="how much of each text is read")
    beginning: int = Field(400, ge=20, description="characters of each text that are learned a second time, alone")
    inverse_penalty: float = Field(50.0, gt=0)
    folds: int = Field(5, ge=2, le=20)
    head: EmbedderSettings | None = None
    doubtful: float = Field(0.25, gt=0, lt=1, description="share of documents that the head may be asked for")


class ClassifierRecipe(Strict):
    """A whole training: `positive` is the label whose probability is the score."""

    name: Name
    seed: Seed = 17
    positive: Label
    sources: list[LabelledSource] = Field(min_length=1)
    steps: list[StepCall] = []
    method: Literal["fasttext", "ngrams"] = "fasttext"
    ignore: list[Label] = Field([], description="labels whose documents are neither learned nor measured")
    precision: float = Field(0.95, gt=0, lt=1, description="precision that the threshold is chosen for")
    choose: Literal["precision", "f1"] = Field("precision", description="what the threshold is chosen by")
    validation: float = Field(0.2, gt=0, lt=1, description="share of the training documents that is held out")
    balance: bool = Field(True, description="repeat documents of the smaller labels up to the largest")
    fasttext: FastTextTraining = FastTextTraining()
    ngrams: NgramTraining = NgramTraining()

    @field_validator("steps", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return [_step_call(entry) for entry in value] if isinstance(value, list) else value

    @field_validator("sources")
    @classmethod
    def _unique(cls, value: list[LabelledSource]) -> list[LabelledSource]:
        return _unique_names(value, "source")
