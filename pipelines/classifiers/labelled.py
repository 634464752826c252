"""Documents with labels, read from the sources of a classifier's recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.steps import BoundStep, bind_calls, run_steps, score_names
from schemas.classifier import ClassifierRecipe, LabelledSource
from schemas.condition import checked_expression
from schemas.document import document_columns
from schemas.errors import CurateError, WrongCall
from sources.inputs import InputFile, check_unchanged
from sources.reading import read_frames
from tokenization.shards import shuffle_keys

MIN_DOCUMENTS: Final = 10  # of each label; below that there is nothing to learn or to measure


@dataclass(frozen=True)
class Labelled:
    """Documents with labels: columns id, source, role, label, text, uri."""

    frame: pl.DataFrame
    digests: Mapping[str, str]


def read_labelled(
    recipe: ClassifierRecipe, files: Sequence[InputFile], roles: Sequence[str], edits: Sequence[BoundStep] = ()
) -> Labelled:
    """All documents of the sources with one of these roles; a sample by hash where there are too many.

    `edits` come before the recipe's own steps: a run's classifiers learn what its corpus may hold.
    """
    steps = [*edits, *bind_calls(recipe.steps)]
    frames, digests = [], {}
    read: dict[tuple[Any, ...], pl.DataFrame] = {}  # several sources may take their share of the same files
    for source in recipe.sources:
        if source.role not in roles:
            continue
        own = [file for file in files if file.source == source.name]
        marks = (source.label_column, source.id_column, tuple(source.labels))
        key = (tuple(file.location for file in own), source.text, source.format, *marks)
        if key not in read:
            read[key] = _all_documents(own, source, steps)
        found = _labelled(read[key], source)
        found = found.with_columns(shuffle_keys(found["id"], recipe.seed).alias("key")).sort("key", "id")
        found = found.head(source.max_documents) if source.max_documents else found
        digest = hashlib.sha256()
        for text in found["text"]:
            digest.update(hashlib.sha256(text.encode()).digest())
        digests[source.name] = digest.hexdigest()
        frames.append(found)
    return Labelled(pl.concat(frames) if frames else pl.DataFrame(schema={**_COLUMNS, "key": pl.UInt64}), digests)


def _all_documents(files: Sequence[InputFile], source: LabelledSource, steps: Sequence[BoundStep]) -> pl.DataFrame:
    """Documents of these files that no step dropped, with their scores, and their labels where rows carry them."""
    parts = []
    wrong: list[str] = []
    for file in files:
        check_unchanged(file)
        for frame, quarantined in read_frames(file, _with_label(source)):
            wrong += [f"{file.uri}: {error}" for error in quarantined["error"].head(1)]
            if frame.height:
                labels, frame = _split_label(frame, source)
                done = run_steps(frame, steps).with_columns(labels)
                parts.append(done.filter(pl.col("dropped_by").is_null()))
    if not parts and wrong:
        raise WrongCall(f"source '{source.name}': not one document could be read; {wrong[0]}")
    if not parts:
        return pl.DataFrame(schema={**document_columns(score_names(steps)), "_label": pl.String})
    return pl.concat(parts)


_COLUMNS: Final = {
    "id": pl.String,
    "source": pl.String,
    "role": pl.String,
    "label": pl.String,
    "text": pl.String,
    "uri": pl.String,
}


LABEL_MARK: Final = "\x1e"  # between the label of a row and its text


def _with_label(source: LabelledSource) -> LabelledSource:
    """A source of labelled rows whose text begins with the label."""
    column = source.label_column or source.id_column
    if not column:
        return source
    return source.model_copy(update={"text": f"{{{column}}}{LABEL_MARK}{source.text or '{text}'}"})


def _split_label(frame: pl.DataFrame, source: LabelledSource) -> tuple[pl.Series, pl.DataFrame]:
    """The label of each row, and the frame with the texts alone."""
    if source.labels and not source.id_column:
        return _named(frame["uri"].str.split("!/").list.last(), source), frame
    if not source.label_column and not source.labels:
        return pl.Series("_label", [source.label] * frame.height, dtype=pl.String), frame
    parts = frame["text"].str.split_exact(LABEL_MARK, 1).struct
    label = parts.field("field_0").str.strip_chars()
    if source.labels:
        return _named(label, source), frame.with_columns(parts.field("field_1").alias("text"))
    known = label.str.contains(r"^[^\r\n]{1,200}$")
    label = pl.DataFrame({"l": label, "k": known}).select(pl.when("k").then("l").otherwise(None)).to_series()
    return label.alias("_label"), frame.with_columns(parts.field("field_1").alias("text"))


def _named(ids: pl.Series, source: LabelledSource) -> pl.Series:
    """Labels of the rows that the source's files of labels name, by the id, or by a file's name without its ending."""
    known: dict[str, str] = {}
    for path in source.labels:
        for row in pl.read_csv(path, infer_schema=False).select("id", "label").iter_rows():
            known[str(row[0])] = str(row[1])
    stems = ids.str.split("/").list.last().str.replace(r"\.[A-Za-z]+$", "")
    by_id, by_stem = (one.replace_strict(known, default=None, return_dtype=pl.String) for one in (ids, stems))
    return by_id.fill_null(by_stem).alias("_label")


def _labelled(frame: pl.DataFrame, source: LabelledSource) -> pl.DataFrame:
    if source.where:
        try:
            frame = frame.filter(checked_expression(source.where, frame.schema))
        except WrongCall as error:
            raise WrongCall(f"source '{source.name}', `where: {source.where}`: {error}") from None
    label = pl.col("_label") if source.label_column or source.labels else pl.lit(source.label)
    columns = frame.select(
        "id",
        pl.lit(source.name).alias("source"),
        pl.lit(source.role).alias("role"),
        label.cast(pl.String).alias("label"),
        "text",
        "uri",
    )
    return columns.filter(pl.col("label").is_not_null() & (pl.col("text").str.len_chars() > 0))


def check_labels(recipe: ClassifierRecipe, training: pl.DataFrame) -> None:
    """Refuse labels of which nothing can be learned: the positive one missing, one alone, or too few of any."""
    counts = dict(training.group_by("label").len().sort("label").iter_rows())
    told = ", ".join(f"{label} {count}" for label, count in counts.items()) or "no document"
    if recipe.positive not in counts:
        raise CurateError(
            f"classifier '{recipe.name}': no training document has the label '{recipe.positive}' ({told})"
        )
    if len(counts) < 2:
        raise CurateError(f"classifier '{recipe.name}': all training documents have one label ({told}); add others")
    if min(counts.values()) < MIN_DOCUMENTS:
        raise CurateError(f"classifier '{recipe.name}': fewer than {MIN_DOCUMENTS} documents of a label ({told})")
