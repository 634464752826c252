"""Stage 0: train the classifiers that the recipe's steps use."""

from __future__ import annotations

from typing import Any, Final

from pipelines.classifiers.training import read_labelled, train_classifier
from pipelines.run_folder import RunFolder
from schemas.errors import CurateError

STAGE: Final = "classifiers"


def classifier_names(run: RunFolder) -> list[str]:
    """Classifiers of the recipe, in its order."""
    return list(run.recipe.classifiers)


def train(run: RunFolder, task: str) -> dict[str, Any]:
    """Train one classifier on its training sources; where it is optional, too few documents are no error."""
    recipe = run.classifier_recipes[task]
    try:
        documents = read_labelled(recipe, run.plan.classifiers[task], roles=("train",))
        card = train_classifier(recipe, documents, run.classifier_folder(task))
    except CurateError as error:
        if not run.recipe.classifiers[task].optional:
            raise
        return {"trained": False, "why": str(error)}
    return {
        "trained": True,
        "documents": sum(sum(one["labels"].values()) for one in card["data"].values()),
        "threshold": card["threshold"],
        "model_sha256": card["model_sha256"],
    }
