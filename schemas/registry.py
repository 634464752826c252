"""Registration by name: one new file adds a step, a reader or a verifier; no list is edited."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from schemas.errors import WrongCall

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries of one kind by name, found by importing every module of the packages they live in."""

    def __init__(self, kind: str, packages: tuple[str, ...]) -> None:
        self.kind = kind
        self._packages = packages
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def add(self, name: str, entry: Entry) -> None:
        """Register `entry`; a name taken by another entry is a programming error."""
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._entries[name] = entry

    def get(self, name: str) -> Entry:
        """The entry called `name`; an unknown name is refused with the nearest right one."""
        self._load()
        try:
            return self._entries[name]
        except KeyError:
            raise WrongCall(f"unknown {self.kind} '{name}'{nearest(name, self._entries)}") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, Entry]]:
        """All entries, sorted by name."""
        return ((name, self._entries[name]) for name in self.names())

    def _load(self) -> None:
        if self._loaded:
            return
        for package_name in self._packages:
            package = importlib.import_module(package_name)
            for module in pkgutil.iter_modules(package.__path__, package_name + "."):
                importlib.import_module(module.name)
        self._loaded = True


def nearest(name: str, names: Iterator[str] | dict[str, Entry] | list[str]) -> str:
    """A hint for an error message: `; did you mean 'x'?`, or the known names when none is near."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known))}"
