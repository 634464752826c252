"""Recipes from their files, checked against what is registered."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from filters.step import STEPS
from pipelines.steps import bind_steps, check_conditions, score_names
from schemas.classifier import ClassifierRecipe, LabelledSource
from schemas.document import document_columns
from schemas.errors import WrongCall
from schemas.recipe import Recipe
from storage.yaml_files import line_of, read_yaml, validated
from tokenization.mixtures import members


def load_recipe(path: Path) -> Recipe:
    """The validated recipe at `path`; anything wrong is a `WrongCall` with file and line."""
    return _read(path)[0]


def load_checked_recipe(path: Path) -> Recipe:
    """`load_recipe`, its conditions held against the columns and scores that there will be, as well."""
    recipe, raw = _read(path)
    steps = bind_steps(recipe)
    for index, wrong in check_conditions(steps):
        raise WrongCall(f"{path}:{line_of(raw, ('steps', index))}: {wrong}")
    _check_mixtures(recipe, pl.DataFrame(schema=document_columns(score_names(steps))), raw, path)
    return recipe


def _read(path: Path) -> tuple[Recipe, object]:
    """The recipe, and what its file holds, which knows the lines."""
    raw = read_yaml(path)
    recipe = validated(Recipe, raw, path)
    for index, call in enumerate(recipe.steps):
        try:
            STEPS.get(call.name).parameters(call.parameters)
        except WrongCall as error:
            raise WrongCall(f"{path}:{line_of(raw, ('steps', index))}: {error}") from None
    return recipe, raw


def _check_mixtures(recipe: Recipe, empty: pl.DataFrame, raw: object, path: Path) -> None:
    """Every component's condition must be one over columns and scores that documents of this recipe have."""
    for name, mixture in recipe.mixtures.items():
        for index, component in enumerate(mixture.components):
            try:
                members(empty, {name: mixture.model_copy(update={"components": [component]})})
            except WrongCall as error:
                place = ("mixtures", name, "components", index)
                raise WrongCall(f"{path}:{line_of(raw, place)}: {error}") from None


def load_classifier_recipe(path: Path) -> ClassifierRecipe:
    """Read and validate a classifier's recipe; errors are `WrongCall` with file and line."""
    recipe = validated(ClassifierRecipe, read_yaml(path), path)
    return recipe.model_copy(update={"sources": [_beside(one, path.parent) for one in recipe.sources]})


def _beside(source: LabelledSource, folder: Path) -> LabelledSource:
    """The source with its files of labels, and files that begin with `./`, found beside the recipe."""
    labels = [str(folder / one) for one in source.labels]
    for one in labels:
        if not Path(one).is_file():
            raise WrongCall(f"source '{source.name}': no file of labels {one}; paths are beside the recipe")
    files = [str((folder / one).resolve()) if one.startswith("./") else one for one in source.files]
    return source.model_copy(update={"labels": labels, "files": files})
