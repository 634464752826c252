"""Lists of what must not be used: retracted articles, withdrawn documents; and who held them before."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import Unreadable, WrongCall
from schemas.identifiers import doi_of, identifier_of, pmcid_of, pmid_of
from schemas.manifest import Manifest
from sources.inputs import InputFile, open_input
from tokenization.places import places_of

NAMES: Final = pl.Schema({"name": pl.String(), "list": pl.String()})
DOCUMENT: Final = re.compile(r"[0-9a-f]{32}")
# Columns that name what is withdrawn, in small letters without blanks; Retraction Watch's among them.
COLUMNS: Final[dict[str, Callable[[str], str | None]]] = {
    "doi": doi_of,
    "originalpaperdoi": doi_of,
    "original_doi": doi_of,
    "pmid": pmid_of,
    "originalpaperpubmedid": pmid_of,
    "pmcid": pmcid_of,
    "id": lambda text: any_name(text),
    "doc_id": lambda text: any_name(text),
}
# What Retraction Watch writes where there is no identifier, and others in its place.
NONE: Final = frozenset({"", "unavailable", "none", "na", "n/a", "nan", "null", "-", "0"})
NATURE, DATE = "retractionnature", "retractiondate"
WITHDRAWS: Final = ("retraction", "withdrawal", "removal")
REINSTATES: Final = "reinstatement"


@dataclass(frozen=True)
class Withdrawn:
    """What lists say: `names` (columns name, list: DOIs, numbers of PubMed and PMC, ids of documents, each once).

    `unnamed`: rows without any identifier. `spared`: rows that withdraw nothing, by what they are (a correction, an
    expression of concern, a reinstatement).
    """

    names: pl.DataFrame
    unnamed: int = 0
    spared: Counter[str] = field(default_factory=Counter)

    def told(self) -> str | None:
        """One sentence on the rows that name nothing to withdraw; None where there are none."""
        parts = [f"{count:,} {nature}" for nature, count in sorted(self.spared.items())]
        parts += [f"{self.unnamed:,} without an identifier"] if self.unnamed else []
        return f"rows of lists that withdraw nothing: {', '.join(parts)}" if parts else None


def read_withdrawn(path: str | Path, name: str) -> Withdrawn:
    """DOIs, numbers of PubMed or PMC and document ids of a list: one a line, or a CSV with a column for them.

    Of Retraction Watch's rows those withdraw whose nature is a retraction; what was reinstated later is not withdrawn.
    """
    try:
        with open_input(InputFile("withdrawn", name, str(path), 0)) as stream:
            text = stream.read().decode("utf-8-sig")
    except (Unreadable, UnicodeDecodeError) as error:
        raise WrongCall(f"list {path}: {error}") from None
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    head = [cell.strip().lower().replace(" ", "") for cell in next(csv.reader([first]), [])]
    if any(column in COLUMNS for column in head):
        return _of_table(text[text.index(first) :], head, name)
    return _of_lines(text, path, name)


def _of_lines(text: str, path: str | Path, name: str) -> Withdrawn:
    names = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            found = any_name(line)
            if found is None:
                raise WrongCall(
                    f"list {path}: '{line.strip()}' is neither a DOI, PMID or PMCID nor the id of a document"
                )
            names.append(found)
    return Withdrawn(_frame(names, name))


def _of_table(text: str, head: list[str], name: str) -> Withdrawn:
    columns = {column: head.index(column) for column in COLUMNS if column in head}
    latest: dict[str, tuple[tuple[int, ...], str]] = {}
    spared: Counter[str] = Counter()
    unnamed = 0
    rows = csv.reader(io.StringIO(text, newline=""))
    next(rows, None)
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        found = {read(row[place]) for column, place in columns.items() if len(row) > place
                 for read in [COLUMNS[column]] if row[place].strip().lower() not in NONE} - {None}  # fmt: skip
        nature = _cell(row, head, NATURE).lower() or WITHDRAWS[0]
        unnamed += not found
        if not nature.startswith((*WITHDRAWS, REINSTATES)):
            spared[nature] += 1
            continue
        spared[nature] += nature.startswith(REINSTATES)
        said = (_day(_cell(row, head, DATE)), nature)
        for one in found:  # of one day the reinstatement is the later
            latest[str(one)] = max(latest.get(str(one), ((), "")), said, key=lambda it: (it[0], it[1] == REINSTATES))
    names = [one for one, (_, nature) in latest.items() if not nature.startswith(REINSTATES)]
    return Withdrawn(_frame(names, name), unnamed, +spared)


def _cell(row: list[str], head: list[str], column: str) -> str:
    place = head.index(column) if column in head else len(row)
    return row[place].strip() if place < len(row) else ""


def _day(text: str) -> tuple[int, ...]:
    """Year, month, day of a date: "2020-05-01", or "5/1/2020 0:00" as Retraction Watch has it."""
    numbers = [int(one) for one in re.findall(r"\d+", text)[:3]]
    if len(numbers) < 3:
        return tuple(numbers)
    return tuple(numbers) if numbers[0] > 31 else (numbers[2], numbers[0], numbers[1])


def any_name(text: str) -> str | None:
    """The id of a document, or an identifier of an article, in its one form."""
    told = text.strip()
    return told.lower() if DOCUMENT.fullmatch(told.lower()) else identifier_of(told)


def _frame(names: Sequence[str], list_name: str) -> pl.DataFrame:
    once = list(dict.fromkeys(names))
    return pl.DataFrame({"name": once, "list": [list_name] * len(once)}, schema=NAMES)


def together(lists: Sequence[Withdrawn]) -> Withdrawn:
    """Several lists as one; of two that name the same the first is told."""
    names = pl.concat([pl.DataFrame(schema=NAMES), *(one.names for one in lists)])
    spared: Counter[str] = Counter()
    for one in lists:
        spared.update(one.spared)
    return Withdrawn(names.unique("name", keep="first", maintain_order=True), sum(one.unnamed for one in lists), spared)


def withdrawn_why(documents: pl.DataFrame, names: pl.DataFrame, licences: Sequence[str]) -> pl.Series:
    """Why each document is withdrawn, null where it is not; `documents` has id, doi, identifiers and licence."""
    known = documents.select(
        pl.int_range(pl.len()).alias("_row"),
        name=pl.concat_list(pl.concat_list("doi"), pl.col("identifiers").fill_null([]), pl.concat_list("id")),
    ).explode("name")
    listed = known.join(names, on="name", maintain_order="left").unique("_row", keep="first", maintain_order=True)
    name = pl.col("name")
    kind = (
        pl.when(name.str.starts_with("10.")).then(pl.format("doi {}", name))
        .when(name.str.contains(":")).then(name).otherwise(pl.lit("id"))
    )  # fmt: skip
    told = listed.select("_row", why=pl.format("{} is on the list {}", kind, "list"))
    joined = documents.select("licence", pl.int_range(pl.len()).alias("_row")).join(
        told, on="_row", how="left", maintain_order="left"
    )
    named = pl.when(pl.col("licence").is_in(list(licences)).fill_null(False)).then(
        pl.format("licence {} was withdrawn", "licence")
    )
    return joined.select(pl.coalesce("why", named).alias("why")).to_series()


def held_by(folder: Path, manifest: Manifest, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each id the shards of a finished run that hold it, with the row."""
    found = {one: [place.told() for place in places_of(folder, manifest, one)] for one in ids}
    return {one: places for one, places in found.items() if places}
