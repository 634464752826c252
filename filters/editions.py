"""Series and editions: which documents are versions of one another.

Recognised in titles ("Guideline on asthma, 2019 edition", "高血压防治指南（2023年修订版）") and in the
names of files that carry a version (arXiv and ChinaXiv: 201604.00015V3). The choice of the newest
is made where all documents meet; see `pipelines.stages.group`.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from filters.step import Batch, Outcome, step
from schemas.editions import EDITION, edition_number
from schemas.errors import WrongCall

FILE_VERSION: Final = re.compile(
    r"(?i)(?P<series>(?:chinaxiv|arxiv|medrxiv|biorxiv)?[-:]?\d{4,6}\.\d{4,5})v(?P<version>\d{1,3})"
)
MIN_SERIES: Final = 2  # characters left of a title that can name a series
EDITION_DIGITS: Final = 8  # so that editions sort as text


def edition_key(found: re.Match[str]) -> str:
    """The edition as a string that sorts: year or number, padded."""
    parts = edition_number(found).split(".")
    return ".".join(part.zfill(EDITION_DIGITS if place == 0 else 3) for place, part in enumerate(parts))


def series_of_title(title: str) -> tuple[str, str] | None:
    """Series and edition of a title that names one, else None."""
    matches = list(EDITION.finditer(title))
    if not matches:
        return None
    last = matches[-1]
    rest = title[: last.start()] + " " + title[last.end() :]
    series = re.sub(r"[\W_]+", " ", rest.lower()).strip()
    return (series, edition_key(last)) if len(series) >= MIN_SERIES else None


def series_of_uri(uri: str) -> tuple[str, str] | None:
    """Series and version of a file's name, else None."""
    found = FILE_VERSION.search(uri)
    if not found:
        return None
    return found["series"].lower(), found["version"].zfill(EDITION_DIGITS)


@step(
    "editions",
    source="rules of this house; docs/deduplication.md",
    example={"pattern": "(?P<series>[A-Z]+)-(?P<edition>[0-9]{4})"},
)
def editions(
    batch: Batch,
    *,
    titles: list[str] = ["guideline", "consensus", "clinical_pathway", "drug_label"],  # noqa: B006 - read only
    pattern: str | None = None,
) -> Outcome:
    """Set `series` and `edition` where a title or file name tells them; what a source gave stays.

    `titles` are the source types whose titles are looked at; `pattern` is a regular expression over
    the uri with the groups `series` and `edition`, for a team's own names of files.
    """
    own = None
    if pattern:
        try:
            own = re.compile(pattern)
        except re.error as error:
            raise WrongCall(f"step 'editions', parameter 'pattern': {error}") from None
        if not {"series", "edition"} <= set(own.groupindex):
            raise WrongCall("step 'editions', parameter 'pattern' needs the groups (?P<series>…) and (?P<edition>…)")
    series, edition = [], []
    columns = ("uri", "title", "source_type", "language", "series", "edition")
    for uri, title, kind, language, given_series, given_edition in batch.frame.select(columns).iter_rows():
        found = None
        if given_series is None:
            match = own.search(uri) if own else None
            if match:
                found = match["series"], match["edition"].zfill(EDITION_DIGITS)
            found = found or series_of_uri(uri)
            if found is None and title and kind in titles:
                named = series_of_title(title)
                # A translation is no newer edition.
                found = (f"{kind}:{language or ''}:{named[0]}", named[1]) if named else None
        series.append(found[0] if found else given_series)
        edition.append(found[1] if found else given_edition)
    return Outcome(
        columns={
            "series": pl.Series("series", series, dtype=pl.String),
            "edition": pl.Series("edition", edition, dtype=pl.String),
        }
    )
