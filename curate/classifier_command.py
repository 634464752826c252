"""`curate classifier`: train a fastText classifier, score texts with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

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
@click.option("--precision", type=click.FloatRange(0.01, 0.9999), default=0.95, show_default=True)
@click.option("--seed", type=int, default=17, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train_command(
    inputs: tuple[Path, ...],
    folder: Path,
    data: Path | None,
    labels: str | None,
    text: str,
    positive: str | None,
    precision: float,
    seed: int,
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
    from sources.inputs import find_inputs

    if len(inputs) == 1 and inputs[0].suffix in (".yaml", ".yml"):
        recipe = load_classifier_recipe(inputs[0])
        root = (data or inputs[0].parent).resolve()
    else:
        recipe = _recipe_of_files(inputs, folder.name, labels, text, positive, precision, seed)
        root = Path.cwd()
    files = [file for source in recipe.sources for file in find_inputs(source, root)]
    click.echo(f"reading {len(files):,} files of {len(recipe.sources)} sources", err=True)
    documents = read_labelled(recipe, files, roles=("train", "test"))
    click.echo(f"training on {documents.frame.height:,} documents", err=True)
    card = train_classifier(recipe, documents, folder)
    click.echo(json.dumps(card, ensure_ascii=False) if as_json else "\n".join(card_lines(card)))


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
    from filters.fasttext_model import CARD_FILE, load_classifier
    from pipelines.classifiers.card import card_lines
    from storage.json_files import read_json

    load_classifier(str(folder))
    click.echo("\n".join(card_lines(read_json(folder / CARD_FILE))))
