"""A trained classifier with its card: loading, checking, and scoring whole columns; fastText, or linear in n-grams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import fasttext
import numpy as np
import numpy.typing as npt

from filters.linear_model import BUNDLED, LinearClassifier, linear_classifier
from schemas.errors import WrongCall
from storage.fingerprints import sha256_file
from storage.json_files import read_json
from textcolumns.columns import TextColumn
from textcolumns.spacing import SEGMENTATION, spaced_lines

MODEL_FILE: Final = "model.bin"
CARD_FILE: Final = "card.json"
LABEL: Final = "__label__"


@dataclass(frozen=True)
class Classifier:
    """A loaded model: its labels, the threshold of its card, how much of a text it reads."""

    model: Any
    labels: tuple[str, ...]
    positive: str
    threshold: float
    max_characters: int

    def scores(self, column: TextColumn, label: str | None = None) -> npt.NDArray[np.float64]:
        """Probability of `label` (default: the positive one) for each text, shape (rows,)."""
        return self.scores_of_lines(spaced_lines(column, self.max_characters), label)

    def scores_of_lines(self, lines: list[str], label: str | None = None) -> npt.NDArray[np.float64]:
        """The same for texts that are cut into tokens already, in one call of fastText."""
        wanted = model_label(label or self.positive)
        found = np.zeros(len(lines))
        if not lines:
            return found
        labels, shares = self.model.predict(lines, k=len(self.labels))
        for row, (names, values) in enumerate(zip(labels, shares, strict=True)):
            for name, value in zip(names, values, strict=True):
                if name == wanted:
                    found[row] = min(float(value), 1.0)
        return found


def model_label(label: str) -> str:
    """A label as fastText's files have it: what it would take for the end of the word is percent-encoded."""
    return LABEL + "".join(quote(char) if char.isspace() or char == "%" else char for char in label)


def classifier_folder(name: str) -> Path:
    """Where a classifier lies: a folder, or by its name among those that come with the package."""
    path = Path(name)
    return BUNDLED / name if not path.is_dir() and path.name == name and (BUNDLED / name).is_dir() else path


@lru_cache(maxsize=8)
def load_classifier(folder: str) -> Classifier | LinearClassifier:
    """The model in `folder`; missing, damaged or foreign ones are refused by name."""
    path = classifier_folder(folder)
    if not path.is_dir():
        known = ", ".join(sorted(one.name for one in BUNDLED.iterdir() if one.is_dir()))
        raise WrongCall(
            f"classifier {folder} is neither a folder nor bundled ({known}); make one with "
            f"`curate classifier train … --to {folder}`"
        )
    for name in (MODEL_FILE, CARD_FILE):
        if not (path / name).is_file():
            raise WrongCall(f"classifier {folder} has no {name}; train it again with `curate classifier train`")
    try:
        card = read_json(path / CARD_FILE)
        if card.get("kind") == "ngrams":
            return linear_classifier(path, card)
        labels = tuple(card["labels"])
        positive, threshold = card["positive"], float(card["threshold"])
        segmentation, limit = card["segmentation"], int(card["max_characters"])
        digest = card["model_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongCall(f"{path / CARD_FILE} is not a classifier's card: {type(error).__name__} {error}") from None
    if segmentation != SEGMENTATION:
        raise WrongCall(f"classifier {folder} was trained on text cut in another way ({segmentation}); train it again")
    # fastText reads a cut file for minutes before it fails; the digest tells at once.
    if sha256_file(path / MODEL_FILE) != digest:
        raise WrongCall(f"{path / MODEL_FILE} is damaged or not the model of its card; train it again")
    try:
        model = fasttext.load_model(str(path / MODEL_FILE))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise WrongCall(f"{path / MODEL_FILE} is damaged or no fastText model: {error}") from None
    if set(model.get_labels()) != {model_label(label) for label in labels}:
        known = ", ".join(name.removeprefix(LABEL) for name in model.get_labels())
        raise WrongCall(f"classifier {folder}: the model knows the labels {known}, its card says {', '.join(labels)}")
    return Classifier(model, labels, positive, threshold, limit)
