"""JSON files: sorted keys, so that equal values give equal bytes; torn ones told from missing ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from storage.places import Place
from storage.publishing import write_text

LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def write_json(target: Place, value: Any, indent: int | None = 2) -> None:
    """Write a JSON value, whole or not at all."""
    text = json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False)
    if LONE_SURROGATE.search(text):  # a name of a file that is not UTF-8
        text = json.dumps(value, indent=indent, sort_keys=True)
    write_text(target, text + "\n")


def read_json(source: Place) -> Any:
    """The value that a file holds; `OSError` where there is none, `ValueError` where it is not JSON."""
    return json.loads(source.read_text(encoding="utf-8"))


def whole_lines(text: str) -> Iterator[dict[str, Any]]:
    """The records of JSON lines; a line that a power cut tore, or made zeros of, is passed over."""
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def read_whole_json(source: Place) -> Any:
    """The value that a file holds, or None where it is missing or what a power cut left of it is no JSON."""
    try:
        return read_json(source)
    except (FileNotFoundError, ValueError):
        return None
