"""Validate a recipe and its inputs completely, then make the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from pipelines.earlier import FILE as AGAINST
from pipelines.earlier import against_content, check_earlier, write_against
from pipelines.plan import Plan, make_plan
from pipelines.recipes import load_classifier_recipe, load_recipe
from pipelines.run_folder import RunFolder
from pipelines.stages.tokens import GIVEN_TEMPLATE, GIVEN_TOKENIZER, members
from pipelines.steps import bind_steps, score_names
from schemas.canonical import canonical_digest, canonical_json
from schemas.classifier import ClassifierRecipe
from schemas.document import document_columns
from schemas.errors import WrongCall
from schemas.recipe import Recipe
from sources.benchmark_items import read_items
from sources.formats import FORMATS
from storage.json_files import read_json, write_json
from storage.publishing import published, write_text
from tokenization.chat_template import BUILT_IN, ChatTemplate, template_of_file


def recipe_digest(recipe: Recipe, classifiers: Mapping[str, ClassifierRecipe]) -> str:
    """SHA-256 of the validated recipe and its classifiers': layout and comments of the files do not matter."""
    content = recipe.model_dump(mode="json")
    content["classifiers"] = {name: one.model_dump(mode="json") for name, one in classifiers.items()}
    return canonical_digest(content)


def classifier_recipes(recipe: Recipe, recipe_path: Path) -> dict[str, ClassifierRecipe]:
    """The recipes of the classifiers that a recipe names, their files beside its own."""
    return {name: load_classifier_recipe(recipe_path.parent / one.recipe) for name, one in recipe.classifiers.items()}


def planned(recipe_path: Path, data_root: Path | None) -> tuple[Recipe, Plan]:
    """The validated recipe and the plan over its inputs; anything wrong is a `WrongCall`."""
    recipe = load_recipe(recipe_path)
    for step in bind_steps(recipe):
        if step.kind.check and step.parameters.get("model") not in recipe.classifiers:
            step.kind.check(step.parameters)
    _check_mixtures(recipe, recipe_path)
    template_source(recipe, recipe_path)
    if recipe.tokenizer.file and not (recipe_path.parent / recipe.tokenizer.file).is_file():
        raise WrongCall(f"{recipe_path}: tokenizer file '{recipe.tokenizer.file}' does not exist")
    root = (data_root or recipe_path.parent).resolve()
    if not root.is_dir():
        raise WrongCall(f"data root {root} is not a folder")
    for source in recipe.sources:
        if source.format != "auto":
            FORMATS.get(source.format)
    plan = make_plan(recipe, root, classifier_recipes(recipe, recipe_path))
    check_benchmarks(plan, recipe)
    return recipe, plan


def prepare_run(
    recipe_path: Path,
    data_root: Path | None,
    folder: Path,
    against: Sequence[Path] = (),
    replaces: Sequence[Path] = (),
) -> RunFolder:
    """Validate recipe and inputs, then make the folder; an existing run must be the same one.

    `against` are finished runs whose documents are not to come again; `replaces` runs that this one
    takes the place of.

    Everything wrong with the call is raised as `WrongCall` before anything is written.
    """
    recipe, plan = planned(recipe_path, data_root)
    digest = recipe_digest(recipe, classifier_recipes(recipe, recipe_path))
    check_earlier(recipe, against)
    run = RunFolder(folder)
    if (folder / "plan.json").exists():
        if (against or replaces) and against_content(folder, against, replaces) != _told_against(folder):
            raise WrongCall(f"{folder} was held against other runs; choose another --run-dir")
        if recipe_digest(run.recipe, run.classifier_recipes) != digest:
            raise WrongCall(f"{folder} holds a run of another recipe; choose another --run-dir or delete it")
        if difference := run.plan.same_inputs(plan):
            raise WrongCall(f"{folder} was planned over other inputs: {difference}; choose another --run-dir")
        return run
    if folder.exists() and any(folder.iterdir()) and not (folder / "recipe.yaml").exists():
        raise WrongCall(f"{folder} is not empty and holds no run; choose another --run-dir")
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.tokenizer.file:
        with published(folder / GIVEN_TOKENIZER) as temporary:
            shutil.copyfile(recipe_path.parent / recipe.tokenizer.file, temporary)
    if template := template_source(recipe, recipe_path):
        write_text(folder / GIVEN_TEMPLATE, canonical_json([template.name, template.source, dict(template.values)]))
    if against or replaces:
        write_against(folder, against, replaces)
    for name, one in recipe.classifiers.items():
        text = (recipe_path.parent / one.recipe).read_text(encoding="utf-8")
        write_text(folder / "classifiers" / f"{name}.yaml", text)
    write_text(folder / "recipe.yaml", recipe_path.read_text(encoding="utf-8"))
    write_json(folder / "plan.json", plan.as_json())
    return run


def template_source(recipe: Recipe, recipe_path: Path) -> ChatTemplate | None:
    """The recipe's own chat template, checked; None where it is one of the house or none is needed."""
    wanted = recipe.conversations.template
    if wanted in BUILT_IN or not any(source.conversation for source in recipe.sources):
        return None
    path = recipe_path.parent / wanted
    if not path.is_file():
        raise WrongCall(
            f"{recipe_path}: conversations.template '{wanted}' is neither {' nor '.join(BUILT_IN)} nor a file"
        )
    return template_of_file(path)


def _told_against(folder: Path) -> object:
    path = folder / AGAINST
    return read_json(path) if path.exists() else None


def check_benchmarks(plan: Plan, recipe: Recipe) -> None:
    """Read the first item of every benchmark file, so that a wrong format is told before the run."""
    columns = {one.name: one.columns for one in recipe.decontaminate.benchmarks} if recipe.decontaminate else {}
    for file in plan.benchmarks:
        next(iter(read_items(file.source, Path(file.location), columns[file.source])), None)


def _check_mixtures(recipe: Recipe, recipe_path: Path) -> None:
    """Every component's condition must be SQL over columns that documents of this recipe have."""
    empty = pl.DataFrame(schema=document_columns(score_names(bind_steps(recipe))))
    for name, mixture in recipe.mixtures.items():
        for component in mixture.components:
            try:
                members(empty, {name: mixture.model_copy(update={"components": [component]})})
            except Exception as error:
                message = str(error).splitlines()[0]
                raise WrongCall(
                    f"{recipe_path}: mixture '{name}', component '{component.name}': "
                    f"`where: {component.where}` is not a condition over the document columns: {message}"
                ) from None
