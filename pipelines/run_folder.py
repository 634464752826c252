"""A run's folder: where each file of it lies, and what was asked. Cheap to open in any process."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dedup.minhash import MinHashConfig
from filters.classifier_model import CARD_FILE
from pipelines.plan import Plan, load_plan
from pipelines.recipes import load_classifier_recipe, load_recipe
from pipelines.steps import BoundStep, bind_calls, bind_steps, edits_first, score_names
from schemas.canonical import canonical_digest
from schemas.classifier import ClassifierRecipe
from schemas.recipe import Recipe
from storage.json_files import read_json
from storage.places import Place, place, resolved
from storage.publishing import append_line

REUSE = "reuse.json"
APPLIED = "applied.json"  # this folder is another run's, less some documents (`pipelines.apply`)


def recipe_digest(recipe: Recipe, classifiers: Mapping[str, ClassifierRecipe]) -> str:
    """SHA-256 of the validated recipe and its classifiers': layout and comments of the files do not matter."""
    content = recipe.model_dump(mode="json")
    content["classifiers"] = {name: one.model_dump(mode="json") for name, one in classifiers.items()}
    return canonical_digest(content)


@dataclass(frozen=True)
class RunFolder:
    """Paths and inputs of one run; made from the folder's place alone."""

    path: Place

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe this run was asked for."""
        return load_recipe(self.path / "recipe.yaml")

    @cached_property
    def plan(self) -> Plan:
        """The inputs, by partition."""
        return load_plan(self.path / "plan.json")

    @cached_property
    def identity(self) -> str:
        """What tells this run from another in the same folder: recipe, inputs, earlier runs."""
        against = self.path / "against.json"
        earlier = read_json(against)["digests"] if against.exists() else []
        return canonical_digest([recipe_digest(self.recipe, self.classifier_recipes), self.plan.digest, earlier])

    @cached_property
    def edits(self) -> list[BoundStep]:
        """The first of the recipe's steps, which run as documents are read; see `pipelines.steps.edits_first`."""
        return bind_calls(edits_first(self.recipe.steps)[0])

    @cached_property
    def steps(self) -> list[BoundStep]:
        """All of the recipe's steps, ready to run; to be asked once its classifiers are trained."""
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
        found: dict[Place, RunFolder] = {}
        for folder in read_json(path)["runs"] if path.exists() else ():
            earlier = RunFolder(resolved(self.path / folder))
            for one in (earlier, *earlier.against):
                found.setdefault(one.path, one)
        return list(found.values())

    @cached_property
    def reused(self) -> list[RunFolder]:
        """Earlier runs whose finished tasks this one may take over."""
        path = self.path / REUSE
        return [RunFolder(place(one)) for one in (read_json(path)["runs"] if path.exists() else ())]

    @cached_property
    def minhash(self) -> MinHashConfig | None:
        """The shape of its signatures; None where it looks for no near duplicates."""
        wanted = self.recipe.dedup.minhash
        if wanted is None or wanted.threshold is None:
            return MinHashConfig(wanted.ngram, wanted.bands, wanted.rows) if wanted else None
        from dedup.datasketch_form import shape_for  # brings datasketch, which other runs need not wait for

        return shape_for(wanted.threshold, wanted.functions, wanted.ngram)

    def classifier_folder(self, name: str) -> Place:
        """Where a trained classifier lies."""
        return self.path / "classifiers" / name

    @property
    def score_names(self) -> list[str]:
        """Scores that every document of this run carries."""
        return score_names(self.steps)

    def stage_file(self, stage: str, name: str) -> Place:
        """An intermediate file of a stage."""
        return self.path / "stages" / stage / name

    def partition_name(self, number: int) -> str:
        """File name of a partition, without suffix."""
        return f"{number:05d}"

    def log(self, event: str, **details: Any) -> None:
        """Append one event to `log.jsonl`."""
        told = {"time": round(time.time(), 3), "event": event, **details}
        append_line(self.path / "log.jsonl", json.dumps(told, ensure_ascii=False))


def unwritten(recipe: Recipe, plan: Plan, classifiers: Mapping[str, ClassifierRecipe]) -> RunFolder:
    """A run that lies nowhere: enough to ask the stages what they would do."""
    run = RunFolder(place("memory://planned"))
    run.__dict__.update(recipe=recipe, plan=plan, classifier_recipes=dict(classifiers), against=[], reused=[])
    return run
