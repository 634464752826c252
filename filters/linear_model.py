"""A linear classifier of hashed n-grams, calibrated; for the doubtful, a head over embeddings beside it.

The first stage reads every text at thousands of documents a second. What it is unsure of, by the band in the card,
goes to the second: logistic regression over an embedder's vectors and the first stage's own logit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from embeddings.embedder import head_of, load_embedder
from schemas.embedding import EmbedderSettings
from schemas.errors import WrongCall
from storage.fingerprints import sha256_file
from textcolumns.columns import TextColumn
from textcolumns.ngrams import SCHEME, ngram_dots

WEIGHTS_FILE: Final = "model.bin"  # float16, little-endian, one a bucket
HEAD_FILE: Final = "head.bin"  # float32: a weight a dimension, then that of the first stage's logit, then the bias
BUNDLED: Final = Path(__file__).with_name("models")


@dataclass(frozen=True)
class Head:
    """Weights over an embedder's vectors, for first-stage scores within `band`."""

    embedder: EmbedderSettings
    weights: npt.NDArray[np.float32]
    band: tuple[float, float]


@dataclass(frozen=True)
class LinearClassifier:
    """Weights (2^bits,), bias, and a calibration p = 1 / (1 + exp(-(a z + b))) of the logit z (Platt 1999)."""

    labels: tuple[str, ...]
    positive: str
    threshold: float
    max_characters: int
    weights: npt.NDArray[np.float32]
    bias: float
    calibration: tuple[float, float]
    head: Head | None = None

    def logits(self, column: TextColumn) -> npt.NDArray[np.float64]:
        """First stage, uncalibrated, shape (rows,)."""
        return ngram_dots(column, self.max_characters, self.weights) + self.bias

    def scores(self, column: TextColumn, label: str | None = None) -> npt.NDArray[np.float64]:
        """Probability of `label` (default: the positive one) for each text, shape (rows,)."""
        logits = self.logits(column)
        found = sigmoid(self.calibration[0] * logits + self.calibration[1])
        if self.head is not None:
            low, high = self.head.band
            doubtful = np.flatnonzero((found >= low) & (found <= high))
            if doubtful.size:
                found[doubtful] = self._second(column, doubtful, logits[doubtful])
        return 1.0 - found if label not in (None, self.positive) else found

    def _second(
        self, column: TextColumn, rows: npt.NDArray[np.int64], logits: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        assert self.head is not None
        texts = [head_of(text, self.head.embedder.max_characters) for text in column.texts(rows)]
        vectors = load_embedder(self.head.embedder).embed(texts)
        weights = self.head.weights.astype(np.float64)
        return sigmoid(vectors.astype(np.float64) @ weights[:-2] + weights[-2] * logits + weights[-1])


def sigmoid(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def linear_classifier(folder: Path, card: dict[str, Any]) -> LinearClassifier:
    """The classifier of a card of kind `ngrams`; a file that is not the card's is refused.

    Raises:
        WrongCall: where files are missing, damaged, or made by another scheme of n-grams.
    """
    if card["scheme"] != SCHEME:
        raise WrongCall(
            f"classifier {folder} was trained on n-grams of another kind ({card['scheme']}); train it again"
        )
    weights = _array(folder / WEIGHTS_FILE, card["model_sha256"], "<f2")
    if weights.size != 1 << int(card["bits"]):
        raise WrongCall(f"{folder / WEIGHTS_FILE} has {weights.size:,} weights where its card says 2^{card['bits']}")
    head = None
    if told := card.get("head"):
        rows = _array(folder / HEAD_FILE, told["sha256"], "<f4")
        head = Head(EmbedderSettings.model_validate(told["embedder"]), rows, (told["band"][0], told["band"][1]))
    return LinearClassifier(
        tuple(card["labels"]),
        card["positive"],
        float(card["threshold"]),
        int(card["max_characters"]),
        weights.astype(np.float32),
        float(card["bias"]),
        (float(card["calibration"][0]), float(card["calibration"][1])),
        head,
    )


def _array(path: Path, digest: str, kind: str) -> npt.NDArray[Any]:
    if not path.is_file() or sha256_file(path) != digest:
        raise WrongCall(f"{path} is missing, damaged or not the model of its card; train it again")
    return np.fromfile(path, dtype=kind)
