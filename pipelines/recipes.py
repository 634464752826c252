"""Recipes from their files, checked against what is registered."""

from __future__ import annotations

from pathlib import Path

from filters.step import STEPS
from schemas.classifier import ClassifierRecipe, LabelledSource
from schemas.errors import WrongCall
from schemas.recipe import Recipe
from storage.yaml_files import line_of, read_yaml, validated


def load_recipe(path: Path) -> Recipe:
    """The validated recipe at `path`; anything wrong is a `WrongCall` with file and line."""
    raw = read_yaml(path)
    recipe = validated(Recipe, raw, path)
    for index, call in enumerate(recipe.steps):
        try:
            STEPS.get(call.name).parameters(call.parameters)
        except WrongCall as error:
            raise WrongCall(f"{path}:{line_of(raw, ('steps', index))}: {error}") from None
    return recipe


def load_classifier_recipe(path: Path) -> ClassifierRecipe:
    """Read and validate a classifier's recipe; errors are `WrongCall` with file and line."""
    recipe = validated(ClassifierRecipe, read_yaml(path), path)
    return recipe.model_copy(update={"sources": [_with_labels(one, path.parent) for one in recipe.sources]})


def _with_labels(source: LabelledSource, folder: Path) -> LabelledSource:
    """The source with its files of labels found beside the recipe."""
    files = [str(folder / one) for one in source.labels]
    for one in files:
        if not Path(one).is_file():
            raise WrongCall(f"source '{source.name}': no file of labels {one}; paths are beside the recipe")
    return source.model_copy(update={"labels": files})
