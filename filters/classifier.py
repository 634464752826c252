"""Any trained classifier as a step: keep, drop, or only score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal

import numpy as np
import polars as pl

from filters.classifier_model import load_classifier
from filters.step import Batch, Outcome, step
from schemas.errors import WrongCall
from schemas.nearest import nearest


def score_name(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The score is called as the recipe says, else like the model's folder."""
    return (parameters.get("score") or PurePath(parameters["model"]).name,)


def check_model(parameters: Mapping[str, Any]) -> None:
    """Refuse a model that is missing, damaged or made for other labels before anything runs."""
    found = load_classifier(parameters["model"])
    label = parameters.get("label")
    if label and label not in found.labels:
        raise WrongCall(f"classifier {parameters['model']} has no label '{label}'{nearest(label, list(found.labels))}")


def classifier(
    batch: Batch,
    *,
    model: str,
    label: str | None = None,
    action: Literal["keep", "drop", "score"] = "keep",
    threshold: float | None = None,
    score: str | None = None,
) -> Outcome:
    """Score each text by a trained classifier, and keep or drop those above the threshold.

    `model` is a classifier of the recipe (`classifiers:`), one that comes with the package (`medicine`),
    or a folder that `curate classifier train` made; `threshold` is its card's unless given.
    `action: score` drops nothing.
    """
    found = load_classifier(model)
    name = score_name({"model": model, "score": score})[0]
    scores = np.round(found.scores(batch.column, label), 4)
    limit = found.threshold if threshold is None else threshold
    reasons = None
    if action != "score":
        broken = scores < limit if action == "keep" else scores >= limit
        sign = "<" if action == "keep" else ">="
        reasons = pl.Series(
            "reason",
            [
                f"{name}={value:.3f} {sign} threshold={limit:.3f}" if bad else None
                for value, bad in zip(scores, broken, strict=True)
            ],
            dtype=pl.String,
        )
    return Outcome(scores={name: scores}, reasons=reasons)


def _registered(name: str, source: str) -> None:
    step(
        name,
        scores=score_name,
        check=check_model,
        names_files=("model",),
        source=source,
        example={"model": "medicine", "action": "score"},
    )(classifier)


_registered("classifier", "fastText: Joulin et al. 2016, arXiv 1607.01759; hashed n-grams: arXiv 0902.2206")
_registered("fasttext_classifier", "the name of `classifier` in older recipes")
