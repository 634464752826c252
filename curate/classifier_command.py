"""`curate classifier`: train a fastText classifier, score texts with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from schemas.errors import WrongCall

if TYPE_CHECKING:
    from schemas.classifier import ClassifierRecipe

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("classifier")
def classifier_command() -> None:
    """Train fastText classifiers of quality, domain or anything with labels, and look at their cards.

    \b
    Examples:
      curate classifier train recipes/classifiers/medicine.yaml --data ../data --to models/medicine
      curate classifier train good.jsonl bad.jsonl --labels label --positive good --to models/quality
      curate classifier card models/medicine
    """


@classifier_command.command("train")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "folder", required=True, type=FOLDER, help="Folder for model.bin, card.json and card.md.")
@click.option("--data", type=FOLDER, help="Root of the recipe's file patterns (default: the recipe's folder).")
@click.option(
    "--labels", help="For files of rows: the column of the label, or LABEL for all rows of FILE as FILE=LABEL."
)
@click.option("--text", default="{text}", show_default=True, help="For files of rows: how columns become text.")
@click.option("--positive", help="For files of rows: the label whose probability is the score.")
@click.option(
    "--labels-file",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a recipe with `labels:`: further CSV files of id and label, once or more.",
)
@click.option("--method", type=click.Choice(["fasttext", "ngrams"]), help="For files of rows (default: ngrams).")
@click.option("--head", is_flag=True, help="With n-grams: ask a small embedding model about the doubtful.")
@click.option("--precision", type=click.FloatRange(0.01, 0.9999), default=0.95, show_default=True)
@click.option("--seed", type=int, default=17, show_default=True)
@click.option("--bare", is_flag=True, help="Leave excerpts of documents out of the card, to publish it.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train_command(
    inputs: tuple[Path, ...],
    folder: Path,
    data: Path | None,
    labels: str | None,
    text: str,
    positive: str | None,
    labels_file: tuple[Path, ...],
    method: Literal["fasttext", "ngrams"] | None,
    head: bool,
    precision: float,
    seed: int,
    bare: bool,
    as_json: bool,
) -> None:
    """Train on a classifier's RECIPE, or on FILES of labelled rows (JSON Lines, CSV, Parquet, …).

    A recipe says which sources are positive and which negative, and which are only tested on. Rows
    carry their label in a column (--labels label), or a file has one label (FILE=LABEL).
    The held-out split, the threshold for the stated precision and examples near it are in the card.

    \b
    Examples:
      curate classifier train recipes/classifiers/medicine.yaml --data ../data --to models/medicine
      curate classifier train rows.csv --labels department --positive cardiology --to models/cardiology
      curate classifier train books.jsonl=good chat.jsonl=noise --positive good --to models/quality
    """
    from pipelines.classifiers.card import card_lines
    from pipelines.classifiers.labelled import read_labelled
    from pipelines.classifiers.training import train_classifier
    from pipelines.recipes import load_classifier_recipe
    from schemas.embedding import EmbedderSettings
    from sources.inputs import find_inputs

    if len(inputs) == 1 and inputs[0].suffix in (".yaml", ".yml"):
        recipe = load_classifier_recipe(inputs[0])
        root = (data or inputs[0].parent).resolve()
        recipe = _with_more_labels(recipe, labels_file)
    else:
        recipe = _recipe_of_files(inputs, folder.name, labels, text, positive, precision, seed)
        root = Path.cwd()
        recipe = recipe.model_copy(update={"method": method or "ngrams"})
    if head:
        recipe = recipe.model_copy(
            update={"ngrams": recipe.ngrams.model_copy(update={"head": EmbedderSettings()}), "method": "ngrams"}
        )
    files = [file for source in recipe.sources for file in find_inputs(source, root)]
    click.echo(f"reading {len(files):,} files of {len(recipe.sources)} sources", err=True)
    documents = read_labelled(recipe, files, roles=("train", "test"))
    click.echo(f"training on {documents.frame.height:,} documents", err=True)
    card = train_classifier(recipe, documents, folder, bare)
    click.echo(json.dumps(card, ensure_ascii=False) if as_json else "\n".join(card_lines(card)))


def _with_more_labels(recipe: ClassifierRecipe, files: tuple[Path, ...]) -> ClassifierRecipe:
    """The recipe with further files of labels for each source that has some; those named last win."""
    if not files:
        return recipe
    more = [str(one.resolve()) for one in files]
    sources = [one.model_copy(update={"labels": [*one.labels, *more]}) if one.labels else one for one in recipe.sources]
    return recipe.model_copy(update={"sources": sources})


def _recipe_of_files(
    inputs: tuple[Path, ...],
    name: str,
    labels: str | None,
    text: str,
    positive: str | None,
    precision: float,
    seed: int,
) -> ClassifierRecipe:
    from schemas.classifier import ClassifierRecipe, LabelledSource

    if positive is None:
        raise WrongCall("say which label is the score: --positive LABEL")
    sources = []
    for number, path in enumerate(inputs):
        file, _, label = str(path).partition("=")
        if not label and not labels:
            raise WrongCall(f"{file}: say its label ({file}=LABEL) or the column that holds it (--labels COLUMN)")
        sources.append(
            LabelledSource(
                name=f"file-{number}",
                files=[str(Path(file).resolve())],
                source_type="knowledge",
                text=text,
                label=label or None,
                label_column=None if label else labels,
            )
        )
    return ClassifierRecipe(name=name, positive=positive, sources=sources, precision=precision, seed=seed)


@classifier_command.command("card")
@click.argument("folder", type=FOLDER)
def card_command(folder: Path) -> None:
    """Print the card of a trained classifier, after checking that model and card belong together."""
    from filters.classifier_model import CARD_FILE, load_classifier
    from pipelines.classifiers.card import card_lines
    from storage.json_files import read_json

    load_classifier(str(folder))
    click.echo("\n".join(card_lines(read_json(folder / CARD_FILE))))
