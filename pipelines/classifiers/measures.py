"""How a classifier does on documents held out: threshold, confusion, precision and recall with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from filters.classifier_model import Classifier
from textcolumns.columns import TextColumn

NEAR: Final = 8  # examples on each side of the threshold in the card
EXCERPT: Final = 160
FAILED_PRECISION: Final = 0.999  # threshold where no other reaches the precision asked for


def scored_rows(classifier: Classifier, rows: pl.DataFrame) -> pl.DataFrame:
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


def _share(count: int, of: int) -> dict[str, float]:
    """Of nothing the share is 0, and nothing is known of it: from 0 to 1."""
    if not of:
        return {"value": 0.0, "low": 0.0, "high": 1.0}
    from scipy.stats import binomtest  # a second to load, and most runs train no classifier

    interval = binomtest(count, of).proportion_ci(0.95, method="wilson")
    return {"value": round(count / of, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}


def counted(rows: pl.DataFrame, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {
            "role": part["role"][0],
            "labels": dict(part.group_by("label").len().sort("label").iter_rows()),
            "sha256": digests[name],
        }
        for (name,), part in sorted(rows.group_by("source"))
    }


def near_threshold(rows: pl.DataFrame, threshold: float) -> list[dict[str, Any]]:
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
