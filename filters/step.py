"""What a step is: a pure function from a batch of documents to an outcome.

    @step("length", scores=("characters",))
    def length(batch: Batch, *, min_characters: int = 200) -> Outcome: ...

Keyword parameters are the recipe's parameters: their names, types and defaults are read from the
signature and validated before anything runs. A step never removes a row itself: it returns, for
each row, the reason to drop it or null, and the runner keeps the row with that reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from plugins.registry import Registry
from schemas.errors import WrongCall
from schemas.nearest import nearest
from textcolumns.columns import TextColumn

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Batch:
    """Rows that no step has dropped so far, with the text features that several steps share.

    `frame` has the document columns (without scores and decisions). `column` segments the text
    once, on first use, into units and lines; they follow the rows from step to step until one of
    the steps edits the text.
    """

    def __init__(self, frame: pl.DataFrame, column: TextColumn | None = None) -> None:
        self.frame = frame
        if column is not None:
            self.__dict__["column"] = column

    def kept(self, rows: pl.Series) -> TextColumn | None:
        """Features of the rows kept, shape (rows,), where they have been computed; else None."""
        found: TextColumn | None = self.__dict__.get("column")
        if found is None or rows.all():
            return found
        return found.kept(rows.to_numpy(), self.text.filter(rows))

    def __len__(self) -> int:
        return self.frame.height

    @property
    def text(self) -> pl.Series:
        """The text column, shape (rows,)."""
        return self.frame["text"]

    @cached_property
    def column(self) -> TextColumn:
        """The text as bytes with its units and lines, computed once."""
        return TextColumn(self.text)

    @cached_property
    def unspaced(self) -> Mask:
        """Rows written in a script without spaces between words (Chinese, Japanese), shape (rows,).

        By the language column where a step has set it, else by the characters themselves.
        """
        language = self.frame["language"]
        unknown = language.null_count()
        if unknown == len(self):
            return self.column.ideograph_share > 0.3
        by_language = language.is_in(["zh", "ja"]).fill_null(False).to_numpy()
        if not unknown:
            return by_language
        return np.where(language.is_null().to_numpy(), self.column.ideograph_share > 0.3, by_language)


@dataclass(frozen=True)
class Outcome:
    """What a step found: scores by name, changed columns, counted edits, and reasons to drop.

    `reasons` is a string column with null where the row stays; `scores` have shape (rows,).
    """

    scores: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    columns: Mapping[str, pl.Series] = field(default_factory=dict)
    edits: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    reasons: pl.Series | None = None


# What a column of 64-bit integers can be held against.
MOST: Final = 2**63

StepFunction = Callable[..., Outcome]


@cache
def _parameter_model(name: str, function: StepFunction) -> type[BaseModel]:
    """Made once a step: a recipe's steps are checked many times over."""
    signature = inspect.signature(function, eval_str=True)
    fields: dict[str, Any] = {}
    open_ended = False
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_ended = True
            continue
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (parameter.annotation, ... if required else parameter.default)
    config = ConfigDict(extra="allow" if open_ended else "forbid", strict=False)
    return create_model(name, __config__=config, **fields)


@dataclass(frozen=True)
class StepKind:
    """A registered step: its function, the scores it declares, and its validated parameters."""

    name: str
    function: StepFunction
    scores: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]]
    summary: str
    edits_only: bool = False
    check: Callable[[Mapping[str, Any]], None] | None = None
    names_files: tuple[str, ...] = ()
    version: int = 1
    source: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> type[BaseModel]:
        """The step's parameters as a model, by the function's signature; open-ended steps take others too."""
        return _parameter_model(self.name, self.function)

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Validate a recipe's parameters against the function's signature; errors are `WrongCall`."""
        model = self.model()
        for name, value in given.items():
            if name not in model.model_fields and model.model_config["extra"] == "forbid":
                raise WrongCall(f"step '{self.name}' has no parameter '{name}'{nearest(name, model.model_fields)}")
            if isinstance(value, int | float) and not -MOST < value < MOST:  # NaN fails as well
                raise WrongCall(f"step '{self.name}', parameter '{name}': {value} is no number that fits")
        try:
            return dict(model(**given))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise WrongCall(f"step '{self.name}', parameter '{where}': {first['msg']}") from None

    def score_names(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """The scores this step will add, which may depend on its parameters."""
        return self.scores(parameters) if callable(self.scores) else self.scores


STEPS: Registry[StepKind] = Registry("step", ("filters",))


def step(
    name: str,
    *,
    scores: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]] = (),
    edits_only: bool = False,
    check: Callable[[Mapping[str, Any]], None] | None = None,
    names_files: tuple[str, ...] = (),
    version: int = 1,
    source: str = "",
    example: Mapping[str, Any] | None = None,
) -> Callable[[StepFunction], StepFunction]:
    """Register a step under `name`, declaring the scores it adds.

    `edits_only` steps come before all others in a recipe: what they take out of a text (identifiers
    of persons) must not live on in documents that another step dropped before them. `check` looks at
    what the parameters name (a model's files, say) before anything runs; `names_files` are the
    parameters that name a file or folder, whose content the plan then watches. `version` counts up with
    every change of what the step makes of the same text: finished work of another version is done again.
    `source` is where its rules come from (a paper, with its section), `example` parameters as a recipe
    would give them; both stand in the documentation.
    """

    def register(function: StepFunction) -> StepFunction:
        summary = (function.__doc__ or "").strip().split("\n")[0]
        kind = StepKind(name, function, scores, summary, edits_only, check, names_files, version, source, example or {})
        STEPS.add(name, kind)
        return function

    return register


@dataclass(frozen=True)
class Rule:
    """One threshold on one score: the row is dropped when the score lies on the wrong side.

    `threshold` is a number, or one number a row (thresholds that depend on the script).
    """

    score: str
    side: Literal["below", "above"]
    threshold: float | Floats | None
    label: str


def first_failures(scores: Mapping[str, npt.NDArray[Any]], rules: Sequence[Rule], rows: int) -> pl.Series:
    """For each row the first broken rule, as `score=value < label=threshold`; null where none is.

    A threshold of None (or NaN for a row) means that the rule does not apply.
    """
    failing: npt.NDArray[np.intp] = np.full(rows, -1, dtype=np.intp)
    for index, rule in enumerate(rules):
        if rule.threshold is None:
            continue
        value = np.asarray(scores[rule.score], dtype=np.float64)
        threshold = np.broadcast_to(np.asarray(rule.threshold, dtype=np.float64), (rows,))
        broken = value < threshold if rule.side == "below" else value > threshold
        failing = np.where((failing == -1) & broken, index, failing)
    reasons: list[str | None] = [None] * rows
    for row in np.flatnonzero(failing >= 0):
        rule = rules[failing[row]]
        found = float(scores[rule.score][row])
        limit = float(np.broadcast_to(np.asarray(rule.threshold), (rows,))[row])
        sign = "<" if rule.side == "below" else ">"
        reasons[row] = f"{rule.score}={found:.4g} {sign} {rule.label}={limit:.4g}"
    return pl.Series("reason", reasons, dtype=pl.String)
