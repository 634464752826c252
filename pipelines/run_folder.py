"""A run's folder: where each file of it lies, and what was asked. Cheap to open in any process."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filters.fasttext_model import CARD_FILE
from pipelines.plan import Plan, load_plan
from pipelines.recipes import load_classifier_recipe, load_recipe
from pipelines.steps import BoundStep, bind_steps, score_names
from schemas.classifier import ClassifierRecipe
from schemas.recipe import Recipe


@dataclass(frozen=True)
class RunFolder:
    """Paths and inputs of one run; made from the folder's path alone."""

    path: Path

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe this run was asked for."""
        return load_recipe(self.path / "recipe.yaml")

    @cached_property
    def plan(self) -> Plan:
        """The inputs, by partition."""
        return load_plan(self.path / "plan.json")

    @cached_property
    def steps(self) -> list[BoundStep]:
        """The recipe's steps, ready to run."""
        models = {name: self.classifier_folder(name) for name in self.recipe.classifiers}
        untrained = {name for name, folder in models.items() if not (folder / CARD_FILE).exists()}
        return bind_steps(self.recipe, models, untrained)

    @cached_property
    def classifier_recipes(self) -> dict[str, ClassifierRecipe]:
        """Recipes of the classifiers that this run trains, as they were when it was made."""
        folder = self.path / "classifiers"
        return {name: load_classifier_recipe(folder / f"{name}.yaml") for name in self.recipe.classifiers}

    @cached_property
    def against(self) -> list[RunFolder]:
        """Earlier runs that this one is held against, and those that they were, each once."""
        path = self.path / "against.json"
        found: dict[Path, RunFolder] = {}
        for folder in json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else ():
            earlier = RunFolder((self.path / folder).resolve())
            for one in (earlier, *earlier.against):
                found.setdefault(one.path, one)
        return list(found.values())

    def classifier_folder(self, name: str) -> Path:
        """Where a trained classifier lies."""
        return self.path / "classifiers" / name

    @property
    def score_names(self) -> list[str]:
        """Scores that every document of this run carries."""
        return score_names(self.steps)

    def stage_file(self, stage: str, name: str) -> Path:
        """An intermediate file of a stage."""
        return self.path / "stages" / stage / name

    def partition_name(self, number: int) -> str:
        """File name of a partition, without suffix."""
        return f"{number:05d}"

    def log(self, event: str, **details: Any) -> None:
        """Append one event to `log.jsonl`."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **details}, ensure_ascii=False)
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")
