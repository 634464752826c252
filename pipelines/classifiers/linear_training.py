"""Train a linear classifier of n-grams: folds choose threshold, calibration and who is asked a second time.

Scores of documents in folds that did not learn them (out of fold) stand for unseen ones everywhere: the threshold,
Platt's calibration, the band of the doubtful, the head over embeddings, and the errors that the card expects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from embeddings.cache import embedded
from embeddings.embedder import head_of, load_embedder
from filters.classifier_model import load_classifier
from filters.linear_model import HEAD_FILE, WEIGHTS_FILE, sigmoid
from pipelines.classifiers.card import write_card
from pipelines.classifiers.groups import shared_with, text_groups
from pipelines.classifiers.labelled import Labelled, check_labels
from pipelines.classifiers.measures import choose_threshold, counted, measured, near_threshold
from schemas.classifier import ClassifierRecipe
from schemas.errors import WrongCall
from storage.fingerprints import sha256_bytes
from storage.places import Place
from storage.publishing import write_bytes
from textcolumns.columns import TextColumn
from textcolumns.ngrams import SCHEME, ngram_rows
from tokenization.shards import shuffle_keys

Floats = npt.NDArray[np.float64]
HEAD_PENALTY: Final = 10.0  # C of the head's regression: 384 dimensions on some thousand documents
STEPS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
SURE: Final = 0.995
ALIKE: Final = 0.005  # of F1, a fifth of its standard error on a thousand documents


def train_linear(
    recipe: ClassifierRecipe,
    documents: Labelled,
    folder: Place,
    told: Callable[[str], None] = lambda words: None,
    vectors: Place | None = None,
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Write model.bin (and head.bin) into `folder`; return the card and the documents with scores out of fold.

    `vectors`: folder of the cache of embeddings.
    """
    rows = documents.frame.filter(~pl.col("label").is_in(recipe.ignore)).sort("key", "id")
    learned = rows.filter(pl.col("role") == "train").unique("text", keep="first", maintain_order=True)
    others = pl.when(pl.col("label") == recipe.positive).then("label").otherwise(pl.lit(f"not {recipe.positive}"))
    check_labels(recipe, learned.with_columns(label=others))
    truth = (learned["label"] == recipe.positive).to_numpy()
    settings = recipe.ngrams
    sparse = _sparse(learned["text"], settings.max_characters, settings.bits)
    heads = _sparse(learned["text"].str.slice(0, settings.beginning), settings.max_characters, settings.bits)
    told(f"learning n-grams of {learned.height:,} documents in {settings.folds} folds")
    folds = _folds(learned, recipe)
    out = _out_of_fold(sparse, heads, truth, folds, settings.inverse_penalty)
    weights, bias = _fit(_stacked(sparse, heads), np.tile(truth, 2), settings.inverse_penalty)
    half = weights.astype("<f2")
    slope, shift = _platt(out, truth)
    scores = sigmoid(slope * out + shift)
    head: dict[str, Any] | None = None
    if settings.head is not None:
        embedder = load_embedder(settings.head)
        band = _band(scores, truth, settings.doubtful)
        doubtful = np.flatnonzero((scores >= band[0]) & (scores <= band[1]))
        texts = [head_of(text, settings.head.max_characters) for text in learned["text"].gather(doubtful)]
        told(f"embedding the {len(texts):,} doubtful documents ({embedder.identity})")
        second = np.column_stack([embedded(embedder, texts, vectors).astype(np.float64), out[doubtful]])
        alone = scores.copy()
        scores[doubtful] = sigmoid(_out_of_fold_dense(second, truth[doubtful], folds[doubtful]))
        coefficients, intercept = _fit(second, truth[doubtful], HEAD_PENALTY)
        second_weights = np.append(coefficients, intercept).astype("<f4").tobytes()
        write_bytes(folder / HEAD_FILE, second_weights)
        head = {
            "embedder": settings.head.model_dump(mode="json"), "identity": embedder.identity, "band": list(band),
            "asked": round(len(doubtful) / len(scores), 4), "alone": _best_f1(alone, truth),
            "with_head": _best_f1(scores, truth),
            "sha256": sha256_bytes(second_weights),
        }  # fmt: skip
    threshold = _threshold(recipe, scores, truth)
    write_bytes(folder / WEIGHTS_FILE, half.tobytes())
    table = learned.with_columns(pl.Series("score", scores), pl.Series("is_positive", truth))
    card: dict[str, Any] = {
        "name": recipe.name, "kind": "ngrams", "scheme": SCHEME, "bits": settings.bits,
        "labels": sorted(learned["label"].unique()), "positive": recipe.positive, "threshold": threshold,
        "chosen_by": recipe.choose, "precision_asked": recipe.precision, "max_characters": settings.max_characters,
        "bias": bias, "calibration": [slope, shift], "training": settings.model_dump(mode="json"), "seed": recipe.seed,
        "model_sha256": sha256_bytes(half.tobytes()), "head": head, "data": counted(rows, documents.digests),
        "validation": measured(table, threshold), "expected": _expected(table),
        "by_source": {name: measured(part, threshold) for (name,), part in sorted(table.group_by("source"))},
        "near_threshold": near_threshold(table, threshold), "disagreements": disagreements(table, threshold),
    }  # fmt: skip
    write_card({**card, "test": None, "test_by_source": {}}, folder)  # the test is asked of the model as it is stored
    test = rows.filter(pl.col("role") == "test")
    card["test_shared"] = int(shared_with(test["text"], learned["text"]).sum()) if test.height else 0
    if test.height:
        classifier = load_classifier(str(folder))
        test = test.with_columns(
            pl.Series("score", classifier.scores(TextColumn(test["text"])), dtype=pl.Float64),
            is_positive=pl.col("label") == recipe.positive,
        )
    card["test"] = measured(test, threshold) if test.height else None
    card["test_by_source"] = (
        {name: measured(part, threshold) for (name,), part in sorted(test.group_by("source"))} if test.height else {}
    )
    return card, table


def _sparse(texts: pl.Series, limit: int, bits: int) -> Any:
    from scipy.sparse import csr_matrix

    columns, values, bounds = ngram_rows(TextColumn(texts), limit, bits)
    return csr_matrix((values, columns, bounds), shape=(texts.len(), 1 << bits))


def _folds(rows: pl.DataFrame, recipe: ClassifierRecipe) -> npt.NDArray[np.int64]:
    """Fold of each document by a hash of its text, near texts together; their order changes nothing."""
    keys = shuffle_keys(text_groups(rows["text"]), recipe.seed + 1).to_numpy()
    return (keys % np.uint64(recipe.ngrams.folds)).astype(np.int64)


def _fit(rows: Any, truth: npt.NDArray[np.bool_], penalty: float) -> tuple[Floats, float]:
    """Weights and intercept of an L2-regularised logistic regression, both labels weighing the same."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise WrongCall("training a classifier needs scikit-learn: pip install 'curate-medical[train]'") from None
    model = LogisticRegression(C=penalty, max_iter=1000, class_weight="balanced").fit(rows, truth)
    return np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _stacked(rows: Any, heads: Any) -> Any:
    """Documents and their beginnings: so that a short text is told as well as a whole one."""
    from scipy.sparse import vstack

    return vstack([rows, heads], format="csr")


def _out_of_fold(
    rows: Any, heads: Any, truth: npt.NDArray[np.bool_], folds: npt.NDArray[np.int64], penalty: float
) -> Floats:
    logits = np.zeros(len(truth))
    for fold in np.unique(folds):
        held = folds == fold
        weights, bias = _fit(_stacked(rows[~held], heads[~held]), np.tile(truth[~held], 2), penalty)
        logits[held] = rows[held] @ weights.astype("<f2").astype(np.float64) + bias
    return logits


def _out_of_fold_dense(rows: Floats, truth: npt.NDArray[np.bool_], folds: npt.NDArray[np.int64]) -> Floats:
    logits = np.zeros(len(truth))
    for fold in np.unique(folds):
        held = folds == fold
        weights, bias = _fit(rows[~held], truth[~held], HEAD_PENALTY)
        logits[held] = rows[held] @ weights + bias
    return logits


def _platt(logits: Floats, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift that make p = 1 / (1 + exp(-(a z + b))) most likely (Platt 1999, smoothed targets)."""
    from scipy.optimize import minimize

    right, wrong = truth.sum(), (~truth).sum()
    target = np.where(truth, (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(values: Floats) -> float:
        z = values[0] * logits + values[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x
    return round(float(found[0]), 6), round(float(found[1]), 6)


def _band(scores: Floats, truth: npt.NDArray[np.bool_], share: float) -> tuple[float, float]:
    """Scores between which the most errors lie, with at most `share` of the documents."""
    order = np.argsort(np.abs(scores - _f1_threshold(scores, truth)), kind="stable")[: max(1, int(share * len(scores)))]
    inside = scores[order]
    inside = inside[(inside > 1 - SURE) & (inside < SURE)]
    return (round(float(inside.min()), 4), round(float(inside.max()), 4)) if inside.size else (0.5, 0.5)


def _threshold(recipe: ClassifierRecipe, scores: Floats, truth: npt.NDArray[np.bool_]) -> float:
    return _f1_threshold(scores, truth) if recipe.choose == "f1" else choose_threshold(scores, truth, recipe.precision)


def _f1_threshold(scores: Floats, truth: npt.NDArray[np.bool_]) -> float:
    """The middle of all thresholds that are as good as the best by F1, within `ALIKE`: the best alone is chance."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    good = scores[order][np.flatnonzero(f1 >= f1.max() - ALIKE)]
    return round(float((good.min() + good.max()) / 2), 6)


def _best_f1(scores: Floats, truth: npt.NDArray[np.bool_]) -> float:
    said = scores >= _f1_threshold(scores, truth)
    return round(float(2 * (said & truth).sum() / max(1, said.sum() + truth.sum())), 4)


def _expected(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """What each threshold is expected to give, from documents out of fold."""
    told = []
    for step in STEPS:
        one = measured(rows, step)
        told.append({"threshold": step, **{name: one[name] and one[name]["value"] for name in ("precision", "recall")}})
    return told


def disagreements(rows: pl.DataFrame, threshold: float, most: int = 20) -> list[dict[str, Any]]:
    """Documents whose label and model differ most: faults of the label, or of the model."""
    wrong = rows.filter((pl.col("score") >= threshold) != pl.col("is_positive"))
    ranked = wrong.sort((pl.col("score") - threshold).abs(), "id", descending=[True, False]).head(most)
    named = ("id", "uri", "source", "label")
    return [
        {
            **{name: row[name] for name in named},
            "score": round(row["score"], 4),
            "text": " ".join(row["text"][:480].split())[:160],
        }
        for row in ranked.iter_rows(named=True)
    ]
