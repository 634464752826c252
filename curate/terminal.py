"""What commands print: words of documents are data, never markup, escape sequences or directions.

A title may hold `[/b]`, which rich would read as markup, or an escape sequence that a terminal would obey, or U+202E,
which would turn the rest of the line around. All three are shown as what they are.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.streams import UNSEEN, forget_output, visible

ON_TERMINAL: Final = 200  # characters of a cell
IN_FILE: Final = 4000
WIDEST: Final = 100_000  # columns of a table that no terminal has to hold


def json_line(value: Any, indent: int | None = None) -> str:
    """JSON as RFC 8259 has it, in one line or indented: null where a number is none, nothing that steers a terminal."""
    try:
        told = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False, indent=indent)
    except ValueError:
        told = json.dumps(_without_nan(value), ensure_ascii=False, default=str, allow_nan=False, indent=indent)
    return UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", told)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return value


class Output(Console):
    """Standard output. A reader that has enough is no failure; what goes to a file is as wide as it needs to be."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False)
        if not self.is_terminal:
            self.width = WIDEST

    def on_broken_pipe(self) -> None:
        """End quietly."""
        forget_output()
        raise SystemExit(0)


def say(text: str = "") -> None:
    """Print words that may come from a document."""
    click.echo(visible(text))


def print_frame(frame: pl.DataFrame, as_json: bool) -> None:
    """Print a table, or its rows as JSON lines."""
    if as_json:
        for row in frame.iter_rows(named=True):
            click.echo(json_line(row))
        return
    output = Output()
    longest = ON_TERMINAL if output.is_terminal else IN_FILE
    shown = Table(box=box.HEAVY_HEAD if output.encoding.startswith("utf") else box.ASCII2)
    for name in frame.columns:
        shown.add_column(Text(visible(name)), overflow="fold")
    for values in frame.iter_rows():
        shown.add_row(*[Text(cell(value, longest)) for value in values])
    output.print(shown)


def cell(value: Any, longest: int = ON_TERMINAL) -> str:
    """A value in one line of at most so many characters; numbers with separators, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}"
    text = visible(" ".join(value.split("\n")) if isinstance(value, str) else str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"
