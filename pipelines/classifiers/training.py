"""Train a fastText classifier from labelled sources, measure it on sources held out, write its card."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fasttext
import numpy as np
import polars as pl

from filters.fasttext_model import CARD_FILE, LABEL, MODEL_FILE, Classifier, load_classifier
from pipelines.steps import BoundStep, bind_calls, run_steps, score_names
from schemas.classifier import ClassifierRecipe, LabelledSource
from schemas.document import document_columns
from schemas.errors import CurateError, WrongCall
from sources.inputs import InputFile
from sources.reading import read_frames
from storage.fingerprints import sha256_file
from storage.json_files import write_json
from storage.publishing import published, write_text
from textcolumns.columns import TextColumn
from textcolumns.spacing import SEGMENTATION, spaced_lines
from tokenization.shards import shuffle_keys

MIN_DOCUMENTS: Final = 10  # of each label; below that there is nothing to learn or to measure
NEAR: Final = 8  # examples on each side of the threshold in the card
EXCERPT: Final = 160
FAILED_PRECISION: Final = 0.999  # threshold where no other reaches the precision asked for


@dataclass(frozen=True)
class Labelled:
    """Documents with labels: columns id, source, role, label, text, uri."""

    frame: pl.DataFrame
    digests: Mapping[str, str]


def read_labelled(recipe: ClassifierRecipe, files: Sequence[InputFile], roles: Sequence[str]) -> Labelled:
    """All documents of the sources with one of these roles; a sample by hash where there are too many."""
    steps = bind_calls(recipe.steps)
    frames, digests = [], {}
    read: dict[tuple[Any, ...], pl.DataFrame] = {}  # several sources may take their share of the same files
    for source in recipe.sources:
        if source.role not in roles:
            continue
        own = [file for file in files if file.source == source.name]
        key = (tuple(file.location for file in own), source.text, source.format, source.label_column)
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
    for file in files:
        for frame, _ in read_frames(file, _with_label(source)):
            if frame.height:
                labels, frame = _split_label(frame, source)
                done = run_steps(frame, steps).with_columns(labels)
                parts.append(done.filter(pl.col("dropped_by").is_null()))
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
    if not source.label_column:
        return source
    return source.model_copy(update={"text": f"{{{source.label_column}}}{LABEL_MARK}{source.text or '{text}'}"})


def _split_label(frame: pl.DataFrame, source: LabelledSource) -> tuple[pl.Series, pl.DataFrame]:
    """The label of each row, and the frame with the texts alone."""
    if not source.label_column:
        return pl.Series("_label", [source.label] * frame.height, dtype=pl.String), frame
    parts = frame["text"].str.split_exact(LABEL_MARK, 1).struct
    label = parts.field("field_0").str.strip_chars()
    known = label.str.contains("^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    label = pl.DataFrame({"l": label, "k": known}).select(pl.when("k").then("l").otherwise(None)).to_series()
    return label.alias("_label"), frame.with_columns(parts.field("field_1").alias("text"))


def _labelled(frame: pl.DataFrame, source: LabelledSource) -> pl.DataFrame:
    if source.where:
        try:
            frame = frame.filter(pl.sql_expr(source.where))
        except Exception as error:
            raise WrongCall(f"source '{source.name}', `where: {source.where}`: {str(error).splitlines()[0]}") from None
    label = pl.col("_label") if source.label_column else pl.lit(source.label)
    columns = frame.select(
        "id",
        pl.lit(source.name).alias("source"),
        pl.lit(source.role).alias("role"),
        label.cast(pl.String).alias("label"),
        "text",
        "uri",
    )
    return columns.filter(pl.col("label").is_not_null() & (pl.col("text").str.len_chars() > 0))


def train_classifier(recipe: ClassifierRecipe, documents: Labelled, folder: Path) -> dict[str, Any]:
    """Train, choose the threshold, measure; write model.bin, card.json and card.md into `folder`, return the card."""
    rows = documents.frame
    training = rows.filter(pl.col("role") == "train")
    _check_labels(recipe, training)
    # Of another seed than the sample: that one keeps the lowest keys.
    chance = shuffle_keys(training["id"], recipe.seed + 1).cast(pl.Float64) / 2.0**64
    held_out = chance >= 1 - recipe.validation
    learned, validation = training.filter(~held_out), training.filter(held_out)
    folder.mkdir(parents=True, exist_ok=True)
    model = _fit(recipe, learned)
    with published(folder / MODEL_FILE) as temporary:
        model.save_model(str(temporary))
    labels = sorted(training["label"].unique())
    classifier = Classifier(model, tuple(labels), recipe.positive, 0.5, recipe.fasttext.max_characters)
    scored = _scored(classifier, validation)
    threshold = choose_threshold(scored["score"].to_numpy(), scored["is_positive"].to_numpy(), recipe.precision)
    test = _scored(classifier, rows.filter(pl.col("role") == "test"))
    card: dict[str, Any] = {
        "name": recipe.name,
        "labels": labels,
        "positive": recipe.positive,
        "threshold": threshold,
        "precision_asked": recipe.precision,
        "segmentation": SEGMENTATION,
        "max_characters": recipe.fasttext.max_characters,
        "training": recipe.fasttext.model_dump(),
        "seed": recipe.seed,
        "fasttext_threads": 1,
        "model_sha256": sha256_file(folder / MODEL_FILE),
        "data": _counted(rows, documents.digests),
        "validation": measured(scored, threshold),
        "test": measured(test, threshold) if test.height else None,
        "test_by_source": {name: measured(part, threshold) for (name,), part in sorted(test.group_by("source"))},
        "near_threshold": _near(pl.concat([scored, test]), threshold),
    }
    write_json(folder / CARD_FILE, card)
    write_text(folder / "card.md", "\n".join(card_lines(card)) + "\n")
    load_classifier.cache_clear()
    return card


def _check_labels(recipe: ClassifierRecipe, training: pl.DataFrame) -> None:
    counts = dict(training.group_by("label").len().sort("label").iter_rows())
    told = ", ".join(f"{label} {count}" for label, count in counts.items()) or "no document"
    if recipe.positive not in counts:
        raise CurateError(
            f"classifier '{recipe.name}': no training document has the label '{recipe.positive}' ({told})"
        )
    if len(counts) < 2:
        raise CurateError(f"classifier '{recipe.name}': all training documents have one label ({told}); add others")
    few = {label: count for label, count in counts.items() if count < MIN_DOCUMENTS}
    if few:
        raise CurateError(f"classifier '{recipe.name}': fewer than {MIN_DOCUMENTS} documents of a label ({told})")


def _fit(recipe: ClassifierRecipe, rows: pl.DataFrame) -> Any:
    """fastText on lines in the order of their keys, the smaller labels repeated where asked."""
    lines = spaced_lines(TextColumn(rows["text"]), recipe.fasttext.max_characters)
    by_label: dict[str, list[str]] = {}
    for label, line in zip(rows["label"], lines, strict=True):
        by_label.setdefault(label, []).append(f"{LABEL}{label} {line}")
    most = max(map(len, by_label.values()))
    mixed = [
        (index / len(of), label, of[index % len(of)])
        for label, of in sorted(by_label.items())
        for index in range(most if recipe.balance else len(of))
    ]
    setting = recipe.fasttext
    with tempfile.TemporaryDirectory(prefix="curate-fasttext-") as folder:
        path = Path(folder) / "train.txt"
        path.write_text(
            "\n".join(line for _, _, line in sorted(mixed, key=lambda one: one[:2])) + "\n", encoding="utf-8"
        )
        return fasttext.train_supervised(
            str(path),
            dim=setting.dim,
            epoch=setting.epoch,
            lr=setting.lr,
            wordNgrams=setting.word_ngrams,
            minCount=setting.min_count,
            bucket=setting.bucket,
            thread=1,
            seed=recipe.seed,
            verbose=0,
        )


def _scored(classifier: Classifier, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        pl.Series("score", classifier.scores(TextColumn(rows["text"])), dtype=pl.Float64),
        is_positive=pl.col("label") == classifier.positive,
    )


def choose_threshold(scores: np.ndarray, positive: np.ndarray, precision: float) -> float:
    """The lowest threshold whose precision reaches `precision`: the most documents at that purity."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    reached = hits / np.arange(1, len(order) + 1) >= precision
    # Only cuts between two different scores can be thresholds.
    last_of_score = np.append(scores[order][1:] != scores[order][:-1], True)
    good = np.flatnonzero(reached & last_of_score)
    return round(float(scores[order][good[-1]]), 6) if len(good) else FAILED_PRECISION


def measured(rows: pl.DataFrame, threshold: float) -> dict[str, Any]:
    """Confusion, precision, recall and accuracy at the threshold, each with a 95% Wilson interval."""
    said, truth = rows["score"].to_numpy() >= threshold, rows["is_positive"].to_numpy()
    table = {
        "true_positive": int((said & truth).sum()),
        "false_positive": int((said & ~truth).sum()),
        "false_negative": int((~said & truth).sum()),
        "true_negative": int((~said & ~truth).sum()),
    }
    right = table["true_positive"]
    return {
        "documents": rows.height,
        "confusion": table,
        "precision": _share(right, right + table["false_positive"]),
        "recall": _share(right, right + table["false_negative"]),
        "accuracy": _share(right + table["true_negative"], rows.height),
    }


def _share(count: int, of: int) -> dict[str, float] | None:
    if not of:
        return None
    from scipy.stats import binomtest  # a second to load, and most runs train no classifier

    interval = binomtest(count, of).proportion_ci(0.95, method="wilson")
    return {"value": round(count / of, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}


def _counted(rows: pl.DataFrame, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {
            "role": part["role"][0],
            "labels": dict(part.group_by("label").len().sort("label").iter_rows()),
            "sha256": digests[name],
        }
        for (name,), part in sorted(rows.group_by("source"))
    }


def _near(rows: pl.DataFrame, threshold: float) -> list[dict[str, Any]]:
    nearest = rows.sort((pl.col("score") - threshold).abs(), "id").head(2 * NEAR).sort("score", "id")
    return [
        {
            "score": round(row["score"], 4),
            "label": row["label"],
            "source": row["source"],
            "uri": row["uri"],
            "text": " ".join(row["text"][: 3 * EXCERPT].split())[:EXCERPT],
        }
        for row in nearest.iter_rows(named=True)
    ]


def card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """The card in words, as Markdown."""
    others = ", ".join(label for label in card["labels"] if label != card["positive"])
    yield f"# Classifier {card['name']}: {card['positive']} against {others}"
    yield ""
    asked = f"{card['precision_asked']:.0%}"
    yield f"Threshold {card['threshold']:.4f}, chosen for a precision of {asked} on the validation split."
    yield f"Text: {card['segmentation']}; the first {card['max_characters']:,} characters."
    yield f"Model SHA-256 {card['model_sha256'][:16]}."
    yield ""
    yield "| split | documents | precision | recall | accuracy |"
    yield "|---|---|---|---|---|"
    splits = {"validation": card["validation"], "test (other sources)": card["test"]}
    splits |= {f"test: {name}": one for name, one in card["test_by_source"].items()}
    for name, one in splits.items():
        if one:
            shares = " | ".join(_told(one[key]) for key in ("precision", "recall", "accuracy"))
            yield f"| {name} | {one['documents']:,} | {shares} |"
    yield ""
    yield "| source | role | labels | SHA-256 of the texts |"
    yield "|---|---|---|---|"
    for name, one in card["data"].items():
        labels = ", ".join(f"{label} {count}" for label, count in one["labels"].items())
        yield f"| {name} | {one['role']} | {labels} | {one['sha256'][:16]} |"
    yield ""
    yield "Nearest to the threshold:"
    for one in card["near_threshold"]:
        yield f"- {one['score']:.3f} ({one['label']}, {one['source']}): {one['text']}"


def _told(share: Mapping[str, float] | None) -> str:
    return f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})" if share else "-"
