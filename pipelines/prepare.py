"""Validate a recipe and its inputs completely, then make the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.earlier import FILE as AGAINST
from pipelines.earlier import against_content, check_earlier, write_against
from pipelines.plan import Plan, make_plan
from pipelines.recipes import load_checked_recipe, load_classifier_recipe
from pipelines.run_folder import APPLIED, REUSE, RunFolder, recipe_digest
from pipelines.stages.tokenizer import GIVEN_CONFIG, GIVEN_TEMPLATE, GIVEN_TOKENIZER
from pipelines.steps import bind_steps
from schemas.canonical import canonical_json
from schemas.classifier import ClassifierRecipe
from schemas.errors import WrongCall
from schemas.recipe import Recipe
from sources.benchmark_items import read_items
from sources.formats import FORMATS
from storage.json_files import read_json, read_whole_json, write_json
from storage.places import Place, empty, make_folder, remove, resolved
from storage.publishing import copy_file, sweep, write_text
from tokenization.chat_template import BUILT_IN, TODAY, ChatTemplate, template_of_file
from tokenization.marks import CONFIG_FILE, named_tokens, read_config, wanted_beginning
from tokenization.tokenizer import END_OF_TEXT, load_tokenizer


def classifier_recipes(recipe: Recipe, recipe_path: Path) -> dict[str, ClassifierRecipe]:
    """The recipes of the classifiers that a recipe names, their files beside its own."""
    return {name: load_classifier_recipe(recipe_path.parent / one.recipe) for name, one in recipe.classifiers.items()}


def planned(recipe_path: Path, data_root: Path | None) -> tuple[Recipe, Plan]:
    """The validated recipe and the plan over its inputs; anything wrong is a `WrongCall`."""
    recipe = load_checked_recipe(recipe_path)
    for step in bind_steps(recipe):
        if step.kind.check and step.parameters.get("model") not in recipe.classifiers:
            step.kind.check(step.parameters)
    template_source(recipe, recipe_path)
    if recipe.tokenizer.file and not (recipe_path.parent / recipe.tokenizer.file).is_file():
        raise WrongCall(f"{recipe_path}: tokenizer file '{recipe.tokenizer.file}' does not exist")
    root = (data_root or recipe_path.parent).resolve()
    if not root.is_dir():
        raise WrongCall(f"data root {root} is not a folder")
    for source in recipe.sources:
        if source.format != "auto":
            FORMATS.get(source.format)
    plan = make_plan(recipe, root, classifier_recipes(recipe, recipe_path), recipe_path.parent)
    check_benchmarks(plan, recipe)
    return recipe, plan


def checked(
    recipe_path: Path, data_root: Path | None, against: Sequence[Place] = (), reuse: Sequence[Place] = ()
) -> tuple[Recipe, Plan]:
    """Recipe and plan of a call, all that can be wrong with it looked at; nothing is written."""
    recipe, plan = planned(recipe_path, data_root)
    check_earlier(recipe, against)
    for earlier in reuse:
        if not _holds_plan(earlier):
            raise WrongCall(f"--reuse {earlier}: no run lies there")
    return recipe, plan


def prepare_run(recipe_path: Path, data_root: Path | None, folder: Place) -> RunFolder:
    """Check a call and make its folder."""
    return make_run(recipe_path, *checked(recipe_path, data_root), folder)


def make_run(
    recipe_path: Path,
    recipe: Recipe,
    plan: Plan,
    folder: Place,
    against: Sequence[Place] = (),
    replaces: Sequence[Place] = (),
    reuse: Sequence[Place] = (),
    say: Callable[[str], None] = lambda text: None,
) -> RunFolder:
    """Make the folder of a checked call; an existing run must be the same one, or finished.

    `against` are finished runs whose documents are not to come again; `replaces` runs that this one
    takes the place of; `reuse` runs whose finished tasks may be taken over. A finished run whose
    recipe was edited is run again in its folder, where what the edit does not touch is taken over;
    `say` is told what.

    A folder that does not fit is a `WrongCall`, and nothing is written into it.
    """
    run = RunFolder(folder)
    if (folder / APPLIED).exists():
        raise WrongCall(f"{folder} was made by `curate apply`; a run would bring back what it took out. Choose another")
    classifiers = classifier_recipes(recipe, recipe_path)
    if _holds_plan(folder):
        changed = recipe_digest(run.recipe, run.classifier_recipes) != recipe_digest(recipe, classifiers)
        if run.recipe.name != recipe.name:
            raise WrongCall(
                f"{folder} holds a run of another recipe, '{run.recipe.name}'; choose another --run-dir or delete it"
            )
        if changed and not (folder / "manifest.json").exists():
            raise WrongCall(
                f"{folder} holds an unfinished run of another recipe; finish it with that recipe first, "
                f"or choose another --run-dir and give --reuse {folder}"
            )
        if (against or replaces) and against_content(folder, against, replaces) != _told_against(folder):
            raise WrongCall(f"{folder} was held against other runs; choose another --run-dir")
        difference = run.plan.difference(plan)
        if difference and not changed:
            raise WrongCall(
                f"{folder} was planned over other inputs: {difference}; restore it, or choose another --run-dir "
                f"(with --reuse {folder}, what did not change is taken over)"
            )
        if not changed and run.plan == plan:
            return run
        if changed:
            say(told_edit(run.recipe, recipe, difference))
            remove(folder / "manifest.json")
    elif not empty(folder) and not (folder / "recipe.yaml").exists() and not (folder / "lease.json").exists():
        raise WrongCall(f"{folder} is not empty and holds no run; choose another --run-dir")
    _write_inputs(folder, recipe_path, recipe, plan)
    if against or replaces:
        write_against(folder, against, replaces)
    if reuse:
        write_json(folder / REUSE, {"runs": [str(resolved(one)) for one in reuse]})
    write_json(folder / "plan.json", plan.as_json())
    return RunFolder(folder)


def _holds_plan(folder: Place) -> bool:
    """Whether a run was planned here; a plan that a power cut left empty is none."""
    return (folder / "recipe.yaml").exists() and isinstance(read_whole_json(folder / "plan.json"), dict)


def _write_inputs(folder: Place, recipe_path: Path, recipe: Recipe, plan: Plan) -> None:
    """The recipe and every file beside it that the run needs, as they are now."""
    make_folder(folder)
    sweep(folder)
    if recipe.tokenizer.file:
        file = recipe_path.parent / recipe.tokenizer.file
        copy_file(file, folder / GIVEN_TOKENIZER)
        if (config := file.with_name(CONFIG_FILE)).is_file():
            copy_file(config, folder / GIVEN_CONFIG)
        else:
            remove(folder / GIVEN_CONFIG)
    if template := template_source(recipe, recipe_path):
        write_text(folder / GIVEN_TEMPLATE, canonical_json([template.name, template.source, dict(template.values)]))
    for name, one in recipe.classifiers.items():
        text = (recipe_path.parent / one.recipe).read_text(encoding="utf-8")
        write_text(folder / "classifiers" / f"{name}.yaml", text)
    write_text(folder / "recipe.yaml", recipe_path.read_text(encoding="utf-8"))


def told_edit(before: Recipe, now: Recipe, difference: str | None) -> str:
    """One line on what of an edited recipe runs again."""
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    parts = [key for key in new if old[key] != new[key]]
    told = [_told_part(key, old[key], new[key]) for key in parts]
    told += [f"inputs ({difference})"] if difference else []
    return (
        f"the recipe changed since this folder's run was finished: {'; '.join(told) or 'its classifiers'}. "
        "What depends on it runs again, everything else is taken over"
    )


def _told_part(key: str, old: object, new: object) -> str:
    if key == "steps" and isinstance(old, list) and isinstance(new, list):
        names = [one["name"] for one in [*new, *old] if one not in old or one not in new]
        return f"steps ({', '.join(dict.fromkeys(names)) or 'their order'})"
    return key


def template_source(recipe: Recipe, recipe_path: Path) -> ChatTemplate | None:
    """The recipe's own chat template, checked; None where it is one of the house or none is needed."""
    wanted = recipe.conversations.template
    if wanted in BUILT_IN or not any(source.holds_turns for source in recipe.sources):
        return None
    path = recipe_path.parent / wanted
    if not path.is_file():
        raise WrongCall(
            f"{recipe_path}: conversations.template '{wanted}' is neither {' nor '.join(BUILT_IN)} nor a file"
        )
    values = template_values(recipe, recipe_path.parent / recipe.tokenizer.file) if recipe.tokenizer.file else {}
    return template_of_file(path, {"eos_token": END_OF_TEXT, **values, **_day(recipe)})


def template_values(recipe: Recipe, tokenizer: Path) -> dict[str, str]:
    """Tokens that a template is given by a tokenizer's file: those of its configuration, else its own marks."""
    config = read_config(tokenizer.with_name(CONFIG_FILE))
    loaded = load_tokenizer(tokenizer, recipe.tokenizer.end)
    begin = wanted_beginning(config, recipe.tokenizer.begin, loaded.begin_of_text)
    return {**({"bos_token": begin} if begin else {}), "eos_token": loaded.end_of_text, **named_tokens(config)}


def _day(recipe: Recipe) -> dict[str, str]:
    return {TODAY: recipe.conversations.date.isoformat()} if recipe.conversations.date else {}


def _told_against(folder: Path) -> object:
    path = folder / AGAINST
    return read_json(path) if path.exists() else None


def check_benchmarks(plan: Plan, recipe: Recipe) -> None:
    """Read the first item of every benchmark file, so that a wrong format is told before the run."""
    columns = {one.name: one.columns for one in recipe.decontaminate.benchmarks} if recipe.decontaminate else {}
    for file in plan.benchmarks:
        next(iter(read_items(file.source, file.location, columns[file.source])), None)
