"""Train the classifiers that the recipe's steps use."""

from __future__ import annotations

from typing import Any, Final

from filters.classifier_model import CARD_FILE, MODEL_FILE
from pipelines.classifiers.labelled import read_labelled
from pipelines.classifiers.training import train_classifier
from pipelines.run_folder import RunFolder
from pipelines.stage import stage
from pipelines.steps import bind_calls, step_settings
from schemas.errors import CurateError
from sources.formats import FORMATS

STAGE: Final = "classifiers"


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    recipe = run.classifier_recipes[task]
    return {
        "recipe": recipe.model_dump(mode="json"),
        "optional": run.recipe.classifiers[task].optional,
        "files": [file.told() for file in run.plan.classifiers[task]],
        "steps": step_settings([*run.edits, *bind_calls(recipe.steps)], run.plan),
        "readers": {name: one.version for name, one in FORMATS.items()},
    }


@stage(
    STAGE,
    title="train the classifiers",
    cut="keys",
    unit="classifiers",
    tasks=lambda run: list(run.recipe.classifiers),
    writes=lambda run, task: [run.classifier_folder(task) / name for name in (MODEL_FILE, CARD_FILE, "card.md")],
    settings=_settings,
)
def train(run: RunFolder, task: str) -> dict[str, Any]:
    """Train one classifier on its training sources; where it is optional, too few documents are no error."""
    recipe = run.classifier_recipes[task]
    try:
        documents = read_labelled(recipe, run.plan.classifiers[task], ("train",), run.edits)
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
