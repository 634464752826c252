"""Train a fastText classifier, choose its threshold, write model and card."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import fasttext
import polars as pl

from filters.classifier_model import MODEL_FILE, Classifier, model_label
from pipelines.classifiers.card import write_card
from pipelines.classifiers.groups import shared_with, text_groups
from pipelines.classifiers.labelled import Labelled, check_labels
from pipelines.classifiers.linear_training import train_linear
from pipelines.classifiers.measures import choose_threshold, counted, measured, near_threshold, scored_rows
from schemas.classifier import ClassifierRecipe
from storage.fingerprints import sha256_file
from storage.places import Place
from storage.publishing import published, write_text
from textcolumns.columns import TextColumn
from textcolumns.spacing import SEGMENTATION, spaced_lines
from tokenization.shards import shuffle_keys

EXCERPTS: Final = ("near_threshold", "disagreements")  # parts of a card that quote documents


def train_classifier(
    recipe: ClassifierRecipe, documents: Labelled, folder: Place, bare: bool = False, scores: Place | None = None
) -> dict[str, Any]:
    """Train by the recipe's method, write the model with its card into `folder`, return the card.

    `bare`: the card holds no excerpts of documents. `scores`: a CSV file for the scores of all documents by models
    that have not seen them (out of fold; of fastText the held-out split).
    """
    if recipe.method == "ngrams":
        card, unseen = train_linear(recipe, documents, folder, vectors=folder / "vectors")
    else:
        card, unseen = train_fasttext(recipe, documents, folder)
    if scores is not None:
        columns = unseen.select("id", "uri", "source", "label", pl.col("score").round(6)).sort("source", "uri", "id")
        write_text(scores, columns.write_csv())
    if bare:
        card |= {name: [] for name in EXCERPTS if name in card}
    write_card(card, folder)
    return card


def train_fasttext(recipe: ClassifierRecipe, documents: Labelled, folder: Place) -> tuple[dict[str, Any], pl.DataFrame]:
    """Train, choose the threshold, measure; write model.bin into `folder`, return card and scored held-out rows."""
    rows = documents.frame.filter(~pl.col("label").is_in(recipe.ignore))
    training = rows.filter(pl.col("role") == "train")
    check_labels(recipe, training)
    # Of another seed than the sample: that one keeps the lowest keys.
    chance = shuffle_keys(text_groups(training["text"]), recipe.seed + 1).cast(pl.Float64) / 2.0**64
    held_out = chance >= 1 - recipe.validation
    learned, validation = training.filter(~held_out), training.filter(held_out)
    model = _fit(recipe, learned)
    with published(folder / MODEL_FILE) as temporary:
        model.save_model(str(temporary))
    labels = sorted(training["label"].unique())
    classifier = Classifier(model, tuple(labels), recipe.positive, 0.5, recipe.fasttext.max_characters)
    scored = scored_rows(classifier, validation)
    threshold = choose_threshold(scored["score"].to_numpy(), scored["is_positive"].to_numpy(), recipe.precision)
    test = scored_rows(classifier, rows.filter(pl.col("role") == "test"))
    shared = int(shared_with(test["text"], training["text"]).sum()) if test.height else 0
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
        "data": counted(rows, documents.digests),
        "validation": measured(scored, threshold),
        "test": measured(test, threshold) if test.height else None,
        "test_by_source": {name: measured(part, threshold) for (name,), part in sorted(test.group_by("source"))},
        "test_shared": shared,
        "near_threshold": near_threshold(pl.concat([scored, test]), threshold),
    }
    return card, scored


def _fit(recipe: ClassifierRecipe, rows: pl.DataFrame) -> Any:
    """fastText on lines in the order of their keys, the smaller labels repeated where asked."""
    lines = spaced_lines(TextColumn(rows["text"]), recipe.fasttext.max_characters)
    by_label: dict[str, list[str]] = {}
    for label, line in zip(rows["label"], lines, strict=True):
        by_label.setdefault(label, []).append(f"{model_label(label)} {line}")
    most = max(map(len, by_label.values()))
    mixed = [
        (index / len(of), label, of[index % len(of)])
        for label, of in sorted(by_label.items())
        for index in range(most if recipe.balance else len(of))
    ]
    setting = recipe.fasttext
    with tempfile.TemporaryDirectory(prefix="curate-fasttext-") as folder:
        path = Path(folder) / "train.txt"
        write_text(path, "\n".join(line for _, _, line in sorted(mixed, key=lambda one: one[:2])) + "\n")
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
