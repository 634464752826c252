"""`curate classifier`: train classifiers, look at their cards, propose what to label next, label by a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from curate.terminal import json_line
from schemas.errors import CurateError, WrongCall

if TYPE_CHECKING:
    import polars as pl

    from schemas.classifier import ClassifierRecipe

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("classifier")
def classifier_command() -> None:
    """Train classifiers of quality, domain or anything with labels, and look at their cards.

    \b
    Examples:
      curate classifier train recipes/classifiers/medicine.yaml --data ../data --to models/medicine
      curate classifier train good.jsonl bad.jsonl --labels label --positive good --to models/quality
      curate classifier card models/medicine
      curate classifier propose medicine new.jsonl --to packet.csv
      curate classifier label --help
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
@click.option(
    "--scores",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV for the score of each document by a model that has not seen it.",
)
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
    scores: Path | None,
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
    card = train_classifier(recipe, documents, folder, bare, scores)
    click.echo(json_line(card) if as_json else "\n".join(card_lines(card)))


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
        file, label = str(path), ""
        if not path.exists() and "=" in file:  # which may stand in the path itself: year=2024/rows.jsonl
            file, _, label = file.rpartition("=")
        if not Path(file).exists():
            raise WrongCall(f"{file} does not exist")
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
    """Print the card of a classifier, a folder or one that comes with the package; model and card must be of one make.

    \b
    Examples:
      curate classifier card models/medicine
      curate classifier card quality
    """
    from filters.classifier_model import CARD_FILE, classifier_folder, load_classifier
    from pipelines.classifiers.card import card_lines
    from storage.json_files import read_json

    load_classifier(str(folder))
    click.echo("\n".join(card_lines(read_json(classifier_folder(str(folder)) / CARD_FILE))))


def _rows_of(files: tuple[Path, ...], text: str, id_column: str | None) -> pl.DataFrame:
    """Documents of files as columns id, uri, text; the id is a column's value where one is named."""
    import polars as pl

    from schemas.recipe import Source
    from sources.inputs import find_inputs
    from sources.reading import read_frames

    shown = f"{{{id_column}}}\x1e{text}" if id_column else text
    source = Source(name="rows", files=[str(file.resolve()) for file in files], source_type="knowledge", text=shown)
    frames = [frame for file in find_inputs(source, Path.cwd()) for frame, _ in read_frames(file, source)]
    if not frames or not sum(frame.height for frame in frames):
        raise WrongCall("no document in these files")
    found = pl.concat(frames).filter(pl.col("dropped_by").is_null()).select("id", "uri", "text")
    if id_column:
        parts = found["text"].str.split_exact("\x1e", 1).struct
        found = found.with_columns(parts.field("field_0").alias("id"), parts.field("field_1").alias("text"))
    return found


@classifier_command.command("propose")
@click.argument("model")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Packet: .csv, or .json for Label Studio.",
)
@click.option("--count", type=click.IntRange(1), default=100, show_default=True)
@click.option("--text", default="{text}", show_default=True, help="For files of rows: how columns become text.")
@click.option("--id", "id_column", help="For files of rows: the column that names a document in the packet.")
def propose_command(
    model: str, files: tuple[Path, ...], to: Path, count: int, text: str, id_column: str | None
) -> None:
    """Choose documents of FILES whose labels would teach MODEL most, and write a packet to label.

    Four fifths are those it is least sure of, the rest is drawn at random. A labelled CSV goes back as
    --labels-file of `train`, or as `labels:` of a classifier's recipe.

    \b
    Examples:
      curate classifier propose medicine new.jsonl --id id --count 200 --to packet.csv
      curate classifier propose models/quality pages/*.html --to packet.json
    """
    from filters.classifier_model import load_classifier
    from pipelines.classifiers.labelling import proposed, write_packet
    from storage.places import place

    classifier = load_classifier(model)
    chosen = proposed(classifier, _rows_of(files, text, id_column), count)
    write_packet(chosen, classifier.labels, place(to))
    click.echo(f"{chosen.height} documents to label in {to}", err=True)


@classifier_command.command("label")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--url", required=True, help="OpenAI-compatible server, as far as /v1.")
@click.option("--model", required=True, help="The server's name of the model.")
@click.option("--key", help="Environment variable that holds the server's key.")
@click.option("--question", required=True, help="What the label answers, such as: Is it about human medicine?")
@click.option("--labels", required=True, help="Labels to choose from, apart by commas.")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of id and label given by people: its agreement is told first.",
)
@click.option(
    "--least",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Share of equal labels below which nothing is written.",
)
@click.option("--to", required=True, type=click.Path(path_type=Path, dir_okay=False), help="CSV of id and label.")
@click.option("--text", default="{text}", show_default=True)
@click.option("--id", "id_column", help="For files of rows: the column that names a document.")
def label_command(
    files: tuple[Path, ...],
    url: str,
    model: str,
    key: str | None,
    question: str,
    labels: str,
    against: Path | None,
    least: float,
    to: Path,
    text: str,
    id_column: str | None,
) -> None:
    """Let a language model label the documents of FILES; with --against it is held against people's labels first.

    Answers are kept beside the file, so that a second call asks only for what is missing.

    \b
    Example:
      curate classifier label new.jsonl --id id --url http://localhost:8000/v1 --model qwen \\
        --question "Is it about human medicine or health?" --labels yes,no --against hand.csv --to labels.csv
    """
    import polars as pl

    from endpoints.ledger import Ledger
    from endpoints.settings import Endpoint
    from pipelines.classifiers.labelling import labelled_by_model
    from storage.places import place
    from storage.publishing import write_text

    names = [one.strip() for one in labels.split(",") if one.strip()]
    if len(names) < 2:
        raise WrongCall("give at least two labels: --labels yes,no")
    by_hand = dict(pl.read_csv(against, infer_schema=False).select("id", "label").iter_rows()) if against else {}
    rows = _rows_of(files, text, id_column)
    endpoint = Endpoint(url=url, model=model, key_variable=key)
    told = labelled_by_model(
        rows, question, names, endpoint, Ledger(place(to.with_name(f"{to.stem}-answers"))), by_hand
    )
    if told.agreement is not None:
        share = told.agreement["share"]
        click.echo(
            f"agreement with {told.agreement['documents']} labels by people: "
            + ("none to compare" if share is None else f"{share:.1%}, kappa {told.agreement['kappa']:.2f}"),
            err=True,
        )
        if share is None or share < least:
            raise CurateError(f"the model agrees with people in less than {least:.0%} (--least); nothing is written")
    frame = pl.DataFrame({"id": rows["id"], "label": told.labels}).drop_nulls()
    write_text(place(to), frame.write_csv())
    click.echo(f"{frame.height} of {rows.height} documents labelled in {to}", err=True)
