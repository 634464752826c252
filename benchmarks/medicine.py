"""Is it medicine? What the classifier of `recipes/classifiers/medicine.yaml` says of documents that it has not seen.

    python benchmarks/medicine.py --data ../shared/data --labels ../shared/cases/medicine/labels.csv

Trained on our labels and those of `--labels` (given by others, by reading), in five folds by a hash of the text; the
scores of each document are those of a model that has not seen it. Precision, recall and F1 at the threshold that the
training chose and at the best one, by kind of document, by stratum and by field. Fields of which the labels
have next to nothing are invented texts (`medicine_written.csv`: advertising of hospitals, sports, their medicine,
information for patients); none of them is among those that are learned from, though their author is the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from filters.classifier_model import load_classifier
from pipelines.classifiers.measures import measured
from textcolumns.columns import TextColumn

WRITTEN = Path(__file__).with_name("medicine_written.csv")
RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "classifiers" / "medicine.yaml"
FIELDS = {
    "psychology and psychiatry": r"psych|schizo|depress|anx|sleep",
    "cancer": r"cancer|tumou?r|onco|leuk|lymphoma|carcino",
    "nursing and care": r"nurs|care|geriat|rehab",
    "public health, epidemiology": r"public health|epidem|vaccin|covid|infect|screening",
    "imaging and computing for diagnosis": r"imag|radio|EEG|retina|predict|model",
    "traditional medicine": r"TCM|traditional|tuina|acupunct|herb|natural products",
    "teaching and organisation": r"education|organi|hospital|insurance|meeting|shared decisions",
    "animal science and feed": r"animal|feed|veterin|pig|poultry",
    "plants, ecology, soil": r"plant|ecolog|soil",
    "computing, engineering, physics": r"computer|engineer|physics|material|library",
    "society, geography": r"society|geograph|language|economi",
    "pages of the web": r"web page",
}


def main() -> None:
    """Train, score out of fold, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labels", type=Path, default=Path("../shared/cases/medicine/labels.csv"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, threshold = out_of_fold(RECIPE, told.data, Path(folder), "--labels-file", told.labels)
        written = pl.read_csv(WRITTEN)
        scores = load_classifier(f"{folder}/model").scores(TextColumn(written["text"]))
    written = written.with_columns(score=pl.Series(scores), is_positive=pl.col("label") == "yes")
    print(f"{rows.height:,} documents out of fold, threshold {threshold:.3f}")
    line("all", rows, threshold)
    for (source,), part in sorted(rows.group_by("source")):
        line(str(source), part, threshold)
    preprints = rows.filter(pl.col("source").str.contains("preprints"))
    line("preprints as they come", preprints, threshold)
    theirs = named(rows, told.data).join(pl.read_csv(told.labels).select("id", "where", "stratum", "field"), on="id")
    line("labels by others", theirs, threshold)
    for (where, stratum), part in sorted(theirs.group_by("where", "stratum")):
        line(f"  {where}, {stratum}", part, threshold)
    print("\nof labels by others, by field: right of all, missed, wrongly taken")
    for field, words in FIELDS.items():
        field_line(field, theirs.filter(pl.col("field").fill_null("").str.contains(f"(?i){words}")), threshold)
    print("\nof invented texts, by field: right of all, missed, wrongly taken")
    for (field,), part in sorted(written.group_by("field")):
        field_line(str(field), part, threshold)


def field_line(field: str, rows: pl.DataFrame, threshold: float) -> None:
    """One row of a table by field."""
    said = rows["score"] >= threshold
    missed, wrong = int((rows["is_positive"] & ~said).sum()), int((~rows["is_positive"] & said).sum())
    print(f"  {field:38} {rows.height - missed - wrong:4} of {rows.height:4}  {missed:3}  {wrong:3}")


def out_of_fold(recipe: Path, data: Path, folder: Path, *more: object) -> tuple[pl.DataFrame, float]:
    """Scores of models that have not seen the document, and the threshold; the model of all lies in `folder`/model."""
    scores = folder / "scores.csv"
    command = [sys.executable, "-m", "curate.cli", "classifier", "train", recipe, "--data", data, "--json"]
    command += [*more, "--to", folder / "model", "--scores", scores]
    done = subprocess.run([str(one) for one in command], check=True, capture_output=True, text=True)
    rows = pl.read_csv(scores).with_columns(is_positive=pl.col("label") == "yes")
    return rows, json.loads(done.stdout)["threshold"]


def named(rows: pl.DataFrame, data: Path) -> pl.DataFrame:
    """The rows with the ids of the labels: a page's address, a preprint's public id by its line."""
    packed = (data / "scale" / "chinaxiv-3000.jsonl.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines()
    public = {f"scale/chinaxiv-3000.jsonl.zst#{n}": json.loads(one)["id"] for n, one in enumerate(lines, 1)}
    ids = [public.get(uri, Path(uri).stem if uri.endswith(".md") else uri) for uri in rows["uri"]]
    return rows.with_columns(id=pl.Series(ids))


def line(name: str, rows: pl.DataFrame, threshold: float) -> None:
    """One row of the table."""
    if not rows["is_positive"].any():
        wrong = int((rows["score"] >= threshold).sum())
        print(f"  {name:30} {rows.height:5} documents, none positive: {wrong} taken for it")
        return
    at = measured(rows, threshold)
    best = max((f1(rows, one) for one in rows["score"].unique()), default=0.0)
    precision, recall = ((at[key] or {}).get("value", 0.0) for key in ("precision", "recall"))
    print(
        f"  {name:30} {rows.height:5} ({int(rows['is_positive'].sum())} positive)  precision {precision:.3f}  "
        f"recall {recall:.3f}  F1 {f1(rows, threshold):.3f}  best threshold {best:.3f}"
    )


def f1(rows: pl.DataFrame, threshold: float) -> float:
    """F1 at a threshold."""
    said = rows["score"] >= threshold
    return 2 * int((said & rows["is_positive"]).sum()) / max(1, int(said.sum()) + int(rows["is_positive"].sum()))


if __name__ == "__main__":
    main()
