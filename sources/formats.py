"""Which reader reads a file: each declares what it goes by, and when it looks.

    @reader("rtf", ".rtf", sniff=lambda head: head.startswith(b"{\\rtf"))
    def read_rtf(blob: Blob, source: Source) -> Iterator[Draft | Broken]: ...

Content decides first: readers with a test on the first bytes look in the order of their `priority`,
then by name. Where none knows the content, the suffix decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from plugins.registry import Registry
from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft

Reader = Callable[[Blob, Source], Iterator[Draft | Broken]]
STREAM_SUFFIXES: Final = {".gz", ".zst", ".zstd", ".bz2", ".xz"}
FIRST: Final = 0  # marks that nothing else begins with
USUAL: Final = 50
LAST: Final = 100  # takes what no other knows, after suffixes


@dataclass(frozen=True)
class Format:
    """A registered reader.

    `sniff` tests the first bytes. `by_suffix`: the suffix is enough where no content tells otherwise.
    `is_archive`: the zip file is itself the document. `version` counts up with every change of what it
    reads out of the same bytes: finished work of another version is done again.
    """

    name: str
    read: Reader
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool] | None
    priority: int
    by_suffix: bool
    is_archive: bool
    version: int
    summary: str
    source: str = ""
    example: str = ""


FORMATS: Registry[Format] = Registry("format", ("sources.readers",), group="curate.readers")


def reader(
    name: str,
    *suffixes: str,
    sniff: Callable[[bytes], bool] | None = None,
    priority: int = USUAL,
    by_suffix: bool | None = None,
    is_archive: bool = False,
    version: int = 1,
    source: str = "",
    example: str = "",
) -> Callable[[Reader], Reader]:
    """Register a reader under `name` for files with these suffixes, or whose first bytes `sniff` accepts.

    `source` is where the format is described, `example` a recipe's source that uses it.
    """

    def register(function: Reader) -> Reader:
        enough = sniff is None if by_suffix is None else by_suffix
        summary = (function.__doc__ or "").strip().split("\n")[0]
        shown = example or f'{{name: {name}, files: "**/*{suffixes[0]}", source_type: knowledge}}'
        entry = Format(name, function, suffixes, sniff, priority, enough, is_archive, version, summary, source, shown)
        FORMATS.add(name, entry)
        return function

    return register


def choose_format(blob: Blob, source: Source) -> Format:
    """The reader: the recipe's, or by content, or by suffix; unknown content is `Unreadable`."""
    if source.format != "auto":
        return FORMATS.get(source.format)
    known = sorted((entry for _, entry in FORMATS.items()), key=lambda one: (one.priority, one.name))
    for entry in known:
        if entry.priority < LAST and entry.sniff is not None and entry.sniff(blob.head):
            return entry
    suffix = suffix_of(blob.name)
    for entry in known:
        if suffix in entry.suffixes and entry.by_suffix:
            return entry
    if any(suffix in entry.suffixes for entry in known):
        raise Unreadable(f"the content is not what the suffix '{suffix}' says")
    for entry in known:
        if entry.priority >= LAST and entry.sniff is not None and entry.sniff(blob.head):
            return entry
    raise Unreadable(f"unknown format (suffix '{suffix}', first bytes {blob.head[:8].hex()})")


def suffix_of(name: str) -> str:
    """A file's suffix in small letters, those of compressed streams left aside."""
    path = PurePosixPath(name)
    while path.suffix.lower() in STREAM_SUFFIXES:
        path = path.with_suffix("")
    return path.suffix.lower()
