"""Run a chain of steps over a frame of documents; dropped rows leave the chain, never the frame."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.step import STEPS, Batch, Outcome, StepKind
from pipelines.stopwatch import Stopwatch
from schemas.condition import checked_expression, row_expression
from schemas.document import DECISION_COLUMNS, EDIT, READ_SCORES, document_columns
from schemas.errors import CurateError, WrongCall
from schemas.recipe import Recipe, Source, StepCall
from textcolumns.columns import TextColumn

# Drops only texts of no character, and makes matching easier for those that edit.
BEFORE_EDITS: Final = ("normalise",)


@dataclass(frozen=True)
class BoundStep:
    """A step with its validated parameters and the rows it applies to (`where`, SQL)."""

    kind: StepKind
    parameters: Mapping[str, Any]
    where: str | None
    idle: bool = False  # its model could not be trained: rows pass without a score

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores it adds."""
        return self.kind.score_names(self.parameters)


def bind_steps(
    recipe: Recipe, models: Mapping[str, Path] | None = None, untrained: Collection[str] = ()
) -> list[BoundStep]:
    """The recipe's steps, looked up and validated, in order; `models` says where its classifiers lie."""
    return bind_calls(recipe.steps, models, untrained)


def bind_calls(
    calls: Sequence[StepCall], models: Mapping[str, Path] | None = None, untrained: Collection[str] = ()
) -> list[BoundStep]:
    """Step calls, looked up and validated, in order."""
    bound = []
    dropping: str | None = None
    for call in calls:
        kind = STEPS.get(call.name)
        if kind.edits_only and dropping:
            raise WrongCall(
                f"step '{call.name}' stands after '{dropping}', which may drop documents with what it takes out; "
                f"move it before"
            )
        if not kind.edits_only and call.name not in BEFORE_EDITS:
            dropping = call.name
        parameters = kind.parameters(call.parameters)
        idle = parameters.get("model") in untrained
        if models and parameters.get("model") in models:
            name = str(parameters["model"])
            parameters |= {"model": str(models[name]), "score": parameters.get("score") or name}
        bound.append(BoundStep(kind, parameters, call.where, idle))
    return bound


def takes_out_persons(edits: Sequence[BoundStep]) -> bool:
    """Whether a recipe takes identifiers of persons out, so that no file of its runs may hold one."""
    return any(step.kind.edits_only for step in edits)


def named_values(value: Any) -> list[str]:
    """The files, folders or packages that a parameter names: one, several or none."""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def step_settings(steps: Sequence[BoundStep], plan: Any) -> list[Any]:
    """What the outcome of steps depends on beside the text: parameters, versions, files that they name.

    `plan` (`pipelines.plan.Plan`) says of those files what they hold.
    """
    held = {file.uri: file.told() for file in plan.given}
    told = []
    for step in steps:
        parameters = {name: value for name, value in step.parameters.items() if name not in step.kind.names_files}
        # A classifier of the run is known by its name, wherever the run's folder lies.
        values = {name: step.parameters.get(name) for name in step.kind.names_files}
        several = {name: [PurePath(one).name for one in named_values(value)] for name, value in values.items()}
        named = {
            name: (of if isinstance(values[name], list) else of[0]) if of else None for name, of in several.items()
        }
        files = sorted(one for uri, one in held.items() if any(v in uri for of in several.values() for v in of))
        told.append([step.kind.name, step.kind.version, parameters, named, step.where, step.idle, files])
    return told


# Columns that are the same for all rows of a partition, since a partition holds one source.
OF_SOURCE: Final = {"source", "source_type"}


def concerns(step: BoundStep, sources: Sequence[Source]) -> bool:
    """Whether a step can touch any document of these sources; True where its `where` asks for more than that."""
    if step.where is None:
        return True
    condition = row_expression(step.where)
    if not set(condition.meta.root_names()) <= OF_SOURCE:
        return True
    rows = pl.DataFrame({"source": [one.name for one in sources], "source_type": [one.source_type for one in sources]})
    return bool(rows.select(condition.fill_null(False).any()).item())


def score_names(steps: Sequence[BoundStep]) -> list[str]:
    """All scores that a recipe's documents carry, in the order of its steps; length first, always."""
    return list(dict.fromkeys(["characters", *READ_SCORES, *(name for step in steps for name in step.scores)]))


@dataclass(frozen=True)
class Decided:
    """All rows of a frame with their decisions, and the text features of those that no step dropped."""

    frame: pl.DataFrame
    alive: TextColumn | None


def run_steps(frame: pl.DataFrame, steps: Sequence[BoundStep]) -> pl.DataFrame:
    """The same rows in the same order, with scores, edits and decisions.

    `frame` has `READ_COLUMNS`; the result has `document_columns` of the steps' scores.
    """
    return decide(frame, steps).frame


def decide(
    frame: pl.DataFrame, steps: Sequence[BoundStep], watch: Stopwatch | None = None, names: Sequence[str] = ()
) -> Decided:
    """`run_steps`, with the features of the surviving rows for whoever goes on with them.

    `frame` may come out of an earlier `decide` over steps before these: its decisions and scores stay.
    `names` are the scores of the result, where they are more than those of these steps.
    """
    names = names or score_names(steps)
    watch = watch or Stopwatch()
    gone: list[pl.DataFrame] = []
    alive, column = _parted(_begun(frame, names), None, gone)
    for step in steps:
        if alive.is_empty():
            break
        if step.idle:
            continue
        with watch.of(f"step {step.kind.name}", column.size if column is not None else text_bytes(alive["text"])):
            alive, column = _apply(alive, column, step)
        alive, column = _parted(alive, column, gone)
    rows = pl.concat([*gone, alive]).sort("_row") if gone else alive
    columns = document_columns(names)
    scores = pl.struct(pl.col(f"_score_{name}").alias(name) for name in names).alias("scores")
    done = rows.select(scores if name == "scores" else name for name in columns)
    return Decided(done if done.schema == columns else done.cast(columns), column)  # type: ignore[arg-type]


def _parted(
    rows: pl.DataFrame, column: TextColumn | None, gone: list[pl.DataFrame]
) -> tuple[pl.DataFrame, TextColumn | None]:
    """The rows that are not dropped, with their features; those that are go to the end of `gone`.

    Each call of polars costs a sixth of a millisecond, whatever the rows: where none is dropped, none is made.
    """
    if rows["dropped_by"].null_count() == rows.height:
        return rows, column
    dropped = rows["dropped_by"].is_not_null()
    gone.append(rows.filter(dropped))
    return rows.filter(~dropped), Batch(rows, column).kept(~dropped)


def _begun(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with a column a score, columns of decisions and the number of each row, `_row`."""
    numbers = pl.int_range(pl.len()).alias("_row")
    if "scores" in frame.columns:
        known = [one.name for one in frame.schema["scores"].fields]  # type: ignore[attr-defined]
        new = [name for name in names if name not in known]
        return frame.select(
            pl.exclude("scores"),
            *(pl.col("scores").struct.field(name).alias(f"_score_{name}") for name in known),
            *(pl.lit(None, pl.Float64).alias(f"_score_{name}") for name in new),
            numbers,
        )
    new = [name for name in names if name not in ("characters", *READ_SCORES)]
    undecided = [name for name in DECISION_COLUMNS if name not in frame.columns]
    return frame.with_columns(
        *(pl.lit(None, pl.String).alias(name) for name in undecided),
        *(pl.lit(None, pl.Float64).alias(f"_score_{name}") for name in new),
        *(pl.col(name).alias(f"_score_{name}") for name in READ_SCORES),
        numbers,
        _score_characters=pl.col("text").str.len_chars().cast(pl.Float64),
    )


def edits_first(calls: Sequence[StepCall]) -> tuple[list[StepCall], list[StepCall]]:
    """The steps that take out what may not be written anywhere, with what stands before them; and the others.

    The first part runs as documents are read, so that no file of the run, not even one between two
    stages, holds the name of a person that the recipe takes out.
    """
    last = max((number for number, call in enumerate(calls, 1) if STEPS.get(call.name).edits_only), default=0)
    return list(calls[:last]), list(calls[last:])


def text_bytes(text: pl.Series) -> int:
    """UTF-8 bytes of a text column."""
    return int(text.str.len_bytes().sum() or 0)


def _apply(frame: pl.DataFrame, column: TextColumn | None, step: BoundStep) -> tuple[pl.DataFrame, TextColumn | None]:
    """One step over the rows that its `where` chooses; the other rows pass as they are."""
    if step.where is None:
        return _applied(frame, column, step)
    chosen = _chosen(frame, step.where)
    if not chosen.any():
        return frame, column
    if chosen.all():
        return _applied(frame, column, step)
    changed, _ = _applied(frame.filter(chosen), Batch(frame, column).kept(chosen), step)
    together = pl.concat([changed, frame.filter(~chosen)]).sort("_row")
    return together, column if together["text"].equals(frame["text"]) else None


def _chosen(frame: pl.DataFrame, where: str) -> pl.Series:
    """Which rows a step's condition takes; scores of the steps before it are in `scores`, as in the tables."""
    condition = row_expression(where)
    if "scores" in condition.meta.root_names():
        names = [name.removeprefix("_score_") for name in frame.columns if name.startswith("_score_")]
        frame = frame.with_columns(scores=pl.struct(pl.col(f"_score_{name}").alias(name) for name in names))
    chosen = frame.with_columns(_chosen=condition)["_chosen"]
    return chosen.cast(pl.Boolean).fill_null(False)


def check_conditions(steps: Sequence[BoundStep]) -> Iterator[tuple[int, WrongCall]]:
    """Index of each step whose `where` is no condition over the columns and scores known before it, and why."""
    for index, step in enumerate(steps):
        if step.where is not None:
            columns = document_columns(score_names(steps[:index]))
            known = {name: kind for name, kind in columns.items() if name not in DECISION_COLUMNS}
            try:
                checked_expression(step.where, known)
            except WrongCall as error:
                yield index, WrongCall(f"step '{step.kind.name}', `where: {step.where}`: {error}")


def _applied(frame: pl.DataFrame, column: TextColumn | None, step: BoundStep) -> tuple[pl.DataFrame, TextColumn | None]:
    batch = Batch(frame, column)
    try:
        outcome = step.kind.function(batch, **step.parameters)
    except WrongCall:
        raise
    except Exception as error:
        ids = ", ".join(frame["id"].head(3))
        raise CurateError(
            f"step '{step.kind.name}' failed on documents {ids}, …: {type(error).__name__}: {error}"
        ) from error
    text = outcome.columns.get("text")
    same = text is None or text.equals(frame["text"])
    return _with_outcome(frame, step.kind.name, outcome), batch.__dict__.get("column") if same else None


def with_edit(frame: pl.DataFrame, step: str, what: str, counts: npt.NDArray[np.int64]) -> pl.DataFrame:
    """The frame with one more edit on each row whose count (of shape (rows,)) is above 0."""
    if not counts.any():
        return frame
    edit = pl.struct(
        pl.lit(step).alias("step"), pl.lit(what).alias("what"), pl.Series("count", counts, dtype=pl.Int64)
    ).cast(EDIT)
    touched = pl.Series(counts > 0)
    return frame.with_columns(edits=pl.when(touched).then(pl.concat_list("edits", edit)).otherwise(pl.col("edits")))


def dropped_where(frame: pl.DataFrame, gone: pl.Series, by: str, reason: pl.Expr) -> pl.DataFrame:
    """The frame with the chosen rows dropped by a step, with its reason."""
    return frame.with_columns(
        dropped_by=pl.when(gone).then(pl.lit(by)).otherwise(pl.col("dropped_by")),
        drop_reason=pl.when(gone).then(reason).otherwise(pl.col("drop_reason")),
    )


def _with_outcome(frame: pl.DataFrame, name: str, outcome: Outcome) -> pl.DataFrame:
    columns = [
        pl.Series(f"_score_{score}", np.asarray(values, dtype=np.float64)) for score, values in outcome.scores.items()
    ]
    columns += [series.alias(column) for column, series in outcome.columns.items()]
    if outcome.reasons is not None and outcome.reasons.null_count() < frame.height:
        by = [None if reason is None else name for reason in outcome.reasons]
        columns += [outcome.reasons.alias("drop_reason"), pl.Series("dropped_by", by, dtype=pl.String)]
    frame = frame.with_columns(columns)
    for what, counts in outcome.edits.items():
        frame = with_edit(frame, name, what, counts)
    return frame
