"""Lists of what must not be used: retracted DOIs, withdrawn documents; and who held them before."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import Unreadable, WrongCall
from schemas.manifest import Manifest
from sources.inputs import InputFile, open_input
from tokenization.places import places_of

WITHDRAWN: Final = {"value": pl.String(), "list": pl.String()}
COLUMNS: Final = ("doi", "originalpaperdoi", "original_doi", "id", "doc_id")
DOI: Final = re.compile(r"10\.\d{4,9}/\S+")


def read_withdrawn(path: str | Path, name: str) -> pl.DataFrame:
    """DOIs and document ids of a list: one a line, or a CSV with a column `doi` or `id` (Retraction Watch's too)."""
    try:
        with open_input(InputFile("withdrawn", name, str(path), 0)) as stream:
            text = stream.read().decode("utf-8-sig")
    except (Unreadable, UnicodeDecodeError) as error:
        raise WrongCall(f"list {path}: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    head = [cell.strip().lower() for cell in lines[0].split(",")] if lines else []
    column = next((head.index(one) for one in COLUMNS if one in head), None)
    if column is not None:
        rows = csv.reader(lines[1:])
        values = [row[column] for row in rows if len(row) > column]
    else:
        values = lines
    cleaned = [_cleaned(value) for value in values]
    wrong = next((value for value, clean in zip(values, cleaned, strict=True) if clean is None), None)
    if wrong is not None:
        raise WrongCall(f"list {path}: '{wrong}' is neither a DOI nor the id of a document")
    return pl.DataFrame({"value": cleaned, "list": [name] * len(cleaned)}, schema=WITHDRAWN)


def _cleaned(value: str) -> str | None:
    found = DOI.search(value.strip().lower())
    if found:
        return found.group().rstrip(".,;")
    return value.strip() if re.fullmatch(r"[0-9a-f]{32}", value.strip()) else None


def withdrawn_why(documents: pl.DataFrame, lists: pl.DataFrame, licences: Sequence[str]) -> pl.Series:
    """Why each document is withdrawn, null where it is not; `documents` has id, doi and licence."""
    by_doi = lists.rename({"value": "doi", "list": "_doi_list"})
    by_id = lists.rename({"value": "id", "list": "_id_list"})
    known = documents.select("id", "doi", "licence").join(by_doi, on="doi", how="left", maintain_order="left")
    known = known.join(by_id, on="id", how="left", maintain_order="left")
    why = (
        pl.when(pl.col("_doi_list").is_not_null())
        .then(pl.format("doi {} is on the list {}", "doi", "_doi_list"))
        .when(pl.col("_id_list").is_not_null())
        .then(pl.format("id is on the list {}", "_id_list"))
        .when(pl.col("licence").is_in(list(licences)).fill_null(False))
        .then(pl.format("licence {} was withdrawn", "licence"))
    )
    return known.select(why.alias("why")).to_series()


def held_by(folder: Path, manifest: Manifest, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each id the shards of a finished run that hold it, with the row."""
    found = {one: [place.told() for place in places_of(folder, manifest, one)] for one in ids}
    return {one: places for one, places in found.items() if places}
