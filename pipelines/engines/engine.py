"""What an engine is: it performs every task of every stage, in the order of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plugins.registry import Registry
from storage.places import Place

Perform = Callable[[Place, int, Sequence[str]], None]


@dataclass(frozen=True)
class Engine:
    """An engine by name; `options` is what followed `--` on the command line, as it was."""

    name: str
    run: Perform


ENGINES: Registry[Engine] = Registry("engine", ("pipelines.engines",))


def engine(name: str) -> Callable[[Perform], Perform]:
    """Register an engine under `name`."""

    def register(function: Perform) -> Perform:
        ENGINES.add(name, Engine(name, function))
        return function

    return register
