"""The plan of a run: its inputs cut into partitions. It depends on recipe and inputs alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.inputs import InputFile, find_inputs
from schemas.errors import WrongCall
from schemas.files import read_json
from schemas.recipe import Recipe

PARTITION_BYTES: Final = 8 << 20
MAX_PARTITIONS: Final = 4096
MAX_FILES_A_PARTITION: Final = 256


@dataclass(frozen=True)
class Plan:
    """Files by partition, and the files of each benchmark; partition k is a list of inputs."""

    partitions: tuple[tuple[InputFile, ...], ...]
    benchmarks: tuple[InputFile, ...]

    @property
    def files(self) -> int:
        """Number of input files."""
        return sum(map(len, self.partitions))

    @property
    def bytes(self) -> int:
        """Size of all inputs as stored."""
        return sum(file.size for partition in self.partitions for file in partition)

    def as_json(self) -> dict[str, Any]:
        """The content of `plan.json`."""
        return {
            "partitions": [[file.as_json() for file in partition] for partition in self.partitions],
            "benchmarks": [file.as_json() for file in self.benchmarks],
        }

    def same_inputs(self, other: Plan) -> str | None:
        """Why two plans differ, naming the first file, or None where they are equal."""
        mine = {(file.source, file.uri): file.size for part in self.partitions for file in part}
        theirs = {(file.source, file.uri): file.size for part in other.partitions for file in part}
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                return f"{key[1]} (source {key[0]}) was {mine.get(key)} bytes and is {theirs.get(key)}"
        return None


def make_plan(recipe: Recipe, root: Path) -> Plan:
    """Find all inputs and cut them into partitions of about equal size, in the order of the recipe."""
    files = [file for source in recipe.sources for file in find_inputs(source, root)]
    if not files:
        raise WrongCall(f"no source of recipe '{recipe.name}' has any file under {root}")
    target = max(PARTITION_BYTES, sum(file.size for file in files) // MAX_PARTITIONS)
    partitions: list[tuple[InputFile, ...]] = []
    held: list[InputFile] = []
    for file in files:
        full = sum(one.size for one in held) + file.size > target or len(held) >= MAX_FILES_A_PARTITION
        if held and (full or file.source != held[0].source):
            partitions.append(tuple(held))
            held = []
        held.append(file)
    partitions.append(tuple(held))
    return Plan(tuple(partitions), tuple(_benchmark_files(recipe, root)))


def _benchmark_files(recipe: Recipe, root: Path) -> list[InputFile]:
    from schemas.recipe import Source

    found = []
    for benchmark in recipe.decontaminate.benchmarks if recipe.decontaminate else ():
        source = Source(name=benchmark.name, files=benchmark.files, source_type="exam", optional=benchmark.optional)
        found.extend(find_inputs(source, root))
    return found


def load_plan(path: Path) -> Plan:
    """Read `plan.json`."""
    raw = read_json(path)
    return Plan(
        tuple(tuple(InputFile(**file) for file in partition) for partition in raw["partitions"]),
        tuple(InputFile(**file) for file in raw["benchmarks"]),
    )
