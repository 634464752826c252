"""What stands beside a text and names persons as well: file names, metadata, tools and citations, errors.

A place (`letters/jane_roe_555-0172.txt`) is matched with its separators as spaces, and only by what a
file is named after; the mark stands where the name stood, so that places stay apart from each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import polars as pl

from filters.privacy.spans import Span, marked

# Metadata that readers take out of files; identifiers of publications (doi, issn) are none of persons.
TEXT_COLUMNS: Final = ("series", "publisher", "task", "ability")
PLACE_COLUMNS: Final = ("uri", "canonical")
JSON_COLUMN: Final = "conversation"
PLACE_KINDS: Final = {"EMAIL", "ID", "MRN", "INSURANCE", "PHONE", "NAME", "LICENCE", "CHAT"}
_SEPARATORS: Final = {ord(sign): " " for sign in "/\\_!#?&=+"}

Search = Callable[[list[str]], list[list[Span]]]


def spaced(place: str) -> str:
    """A place for matching, of the same length: its separators as spaces."""
    return place.translate(_SEPARATORS)


def strings_of(value: Any) -> Iterator[str]:
    """Every text within a JSON value, in a fixed order; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings_of(one)


def with_strings(value: Any, texts: Iterator[str]) -> Any:
    """The same JSON value with its texts replaced, in the order of `strings_of`."""
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, dict):
        return {key: with_strings(one, texts) for key, one in value.items()}
    return [with_strings(one, texts) for one in value] if isinstance(value, list) else value


def parts_beside(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Column and text of everything beside title and text that a row tells; a JSON column gives several."""
    parts = [(name, row[name]) for name in (*TEXT_COLUMNS, *PLACE_COLUMNS) if row.get(name)]
    if row.get(JSON_COLUMN):
        parts += [(JSON_COLUMN, text) for text in strings_of(json.loads(row[JSON_COLUMN]))]
    return parts


def columns_beside(row: dict[str, Any], parts: list[tuple[str, str]]) -> dict[str, str]:
    """The columns that `parts`, in the order of `parts_beside`, change."""
    changed = {name: text for name, text in parts if name != JSON_COLUMN and text != row[name]}
    if row.get(JSON_COLUMN):
        before = json.loads(row[JSON_COLUMN])
        after = with_strings(before, iter([text for name, text in parts if name == JSON_COLUMN]))
        if after != before:
            changed[JSON_COLUMN] = json.dumps(after, ensure_ascii=False, separators=(",", ":"))
    return changed


def without_persons(texts: pl.Series, find: Search, places: bool) -> pl.Series:
    """Texts that stand alone (places, or messages of errors) with marks for what names a person."""
    listed = [one or "" for one in texts]
    found = find([spaced(one) if places else one for one in listed])
    kept = [[span for span in spans if not places or span.kind in PLACE_KINDS] for spans in found]
    told = [marked(text, spans)[0] if spans else text for text, spans in zip(listed, kept, strict=True)]
    return pl.Series(texts.name, told, dtype=pl.String)
