"""Recipes from their files, checked against what is registered."""

from __future__ import annotations

from pathlib import Path

from filters.step import STEPS
from schemas.classifier import ClassifierRecipe
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
    return validated(ClassifierRecipe, read_yaml(path), path)
