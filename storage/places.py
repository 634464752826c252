"""A place is where files of a run lie: a local path, or a URL of any fsspec store.

Both are pathlib's: `pathlib.Path`, and universal-pathlib's `UPath` with the same methods. Code that
only joins, lists and asks need not know which it has; what reads or writes goes through this room.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

# UPath of a store is no subclass of Path, but has its methods; the type says what may be called.
Place: TypeAlias = Path
URL: Final = re.compile(r"^[a-z][a-z0-9+.-]+(://|::)")


def is_url(text: str) -> bool:
    """Whether a text names a place in a store rather than a local path; chains such as `zip://…::s3://…` do."""
    return URL.match(text) is not None


def place(where: str | Path) -> Place:
    """The place that a text names; a path is itself."""
    if isinstance(where, str) and is_url(where) and not where.startswith("file://"):
        from upath import UPath

        return cast(Path, UPath(where))
    return Path(str(where).removeprefix("file://")) if isinstance(where, str) else where


def is_local(where: Place) -> bool:
    """Whether a place is a file or folder of this machine's file systems."""
    return isinstance(where, Path)


def resolved(where: Place) -> Place:
    """The same place however the working directory changes."""
    return where.resolve() if is_local(where) else where


def make_folder(where: Place) -> None:
    """Make a folder and those above it; one that is there is left as it is."""
    where.mkdir(parents=True, exist_ok=True)


def remove(where: Place) -> None:
    """Remove a file; one that is not there is no error."""
    where.unlink(missing_ok=True)


def remove_tree(where: Place) -> None:
    """Remove a folder with all it holds, as far as the system lets us."""
    if is_local(where):
        shutil.rmtree(where, ignore_errors=True)
    elif where.exists():
        store: Any = where
        store.fs.rm(store.path, recursive=True)


def rename(source: Place, target: Place) -> None:
    """Give a file or folder another name in the same store."""
    source.rename(target)


def files_below(where: Place) -> Iterator[Place]:
    """Every file in a folder and its folders, sorted; none where there is no such folder."""
    if where.exists():
        yield from sorted((one for one in where.rglob("*") if one.is_file()), key=str)


def empty(where: Place) -> bool:
    """Whether a folder is missing or holds nothing."""
    return not where.exists() or next(iter(where.iterdir()), None) is None
