"""Registration by name: one new file, or one installed package, adds an entry; no list is edited.

An entry of ours is found by importing the modules of the rooms it may lie in. A plug-in's is found by
an entry point of the group `curate.<kind>s` (`curate.steps`, `curate.readers`, …) that names a module
whose import registers it. One plug-in that fails at import is named and left out; the others go on.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from schemas.errors import WrongCall
from schemas.nearest import nearest

Entry = TypeVar("Entry")
OURS = "curate"
log = logging.getLogger("curate.plugins")


class Registry(Generic[Entry]):
    """Entries of one kind by name, each with the package it comes from."""

    def __init__(self, kind: str, packages: tuple[str, ...], group: str = "") -> None:
        self.kind = kind
        self.group = group or f"curate.{kind}s"  # of entry points, by which plug-ins are found
        self.broken: dict[str, str] = {}
        self._packages = packages
        self._entries: dict[str, Entry] = {}
        self._origins: dict[str, str] = {}
        self._importing = OURS
        self._loaded = False

    def add(self, name: str, entry: Entry) -> None:
        """Register `entry`; a name that another has is refused, naming both origins."""
        if name in self._entries:
            raise ValueError(
                f"{self.kind} '{name}' is registered twice: by {self._origins[name]} and by {self._importing}"
            )
        self._entries[name] = entry
        self._origins[name] = self._importing

    def get(self, name: str) -> Entry:
        """The entry called `name`; an unknown name is refused with the nearest right one."""
        self._load()
        try:
            return self._entries[name]
        except KeyError:
            told = "".join(f"; plug-in {one} could not be imported: {why}" for one, why in self.broken.items())
            raise WrongCall(f"unknown {self.kind} '{name}'{nearest(name, self._entries)}{told}") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, Entry]]:
        """All entries, sorted by name."""
        return ((name, self._entries[name]) for name in self.names())

    def origin(self, name: str) -> str:
        """Where an entry comes from: `curate`, or the distribution that brought it."""
        self._load()
        return self._origins[name]

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for package_name in self._packages:
            package = importlib.import_module(package_name)
            for module in pkgutil.iter_modules(package.__path__, package_name + "."):
                importlib.import_module(module.name)
        # Sorted, so that of two plug-ins with one name always the same is refused.
        for point in sorted(
            entry_points(group=self.group), key=lambda one: (str(one.dist and one.dist.name), one.name)
        ):
            self._load_plugin(point.dist.name if point.dist else point.name, point)

    def _load_plugin(self, origin: str, point: object) -> None:
        self._importing = origin
        try:
            point.load()  # type: ignore[attr-defined]
        except Exception as error:  # whatever a stranger's module does, the others go on
            self.broken[origin] = f"{type(error).__name__}: {error}"
            log.warning("plug-in %s of %s could not be imported: %s", origin, self.group, self.broken[origin])
        finally:
            self._importing = OURS
