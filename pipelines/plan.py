"""The plan of a run: its inputs cut into partitions. It depends on recipe and inputs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.classifier import ClassifierRecipe
from schemas.errors import WrongCall
from schemas.recipe import Recipe, Source
from sources.inputs import InputFile, find_inputs
from storage.json_files import read_json

PARTITION_BYTES: Final = 8 << 20
MAX_PARTITIONS: Final = 4096
MAX_FILES_A_PARTITION: Final = 256


@dataclass(frozen=True)
class Plan:
    """Files by partition, and the files of each benchmark; partition k is a list of inputs."""

    partitions: tuple[tuple[InputFile, ...], ...]
    benchmarks: tuple[InputFile, ...]
    classifiers: Mapping[str, tuple[InputFile, ...]] = field(default_factory=dict)
    withdrawn: tuple[InputFile, ...] = ()

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
            "withdrawn": [file.as_json() for file in self.withdrawn],
            "classifiers": {name: [file.as_json() for file in files] for name, files in self.classifiers.items()},
        }

    def same_inputs(self, other: Plan) -> str | None:
        """Why two plans differ, naming the first file, or None where they are equal."""
        mine = {(file.source, file.uri): file.size for part in self.partitions for file in part}
        theirs = {(file.source, file.uri): file.size for part in other.partitions for file in part}
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                return f"{key[1]} (source {key[0]}) was {mine.get(key)} bytes and is {theirs.get(key)}"
        prints = {(file.source, file.uri): file.fingerprint for part in self.partitions for file in part}
        for part in other.partitions:
            for file in part:
                if prints[file.source, file.uri] != file.fingerprint:
                    return f"{file.uri} (source {file.source}) has another content"
        return None


def make_plan(recipe: Recipe, root: Path, classifiers: Mapping[str, ClassifierRecipe] | None = None) -> Plan:
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
    labelled = {name: tuple(_labelled_files(recipe, name, one, root)) for name, one in (classifiers or {}).items()}
    return Plan(tuple(partitions), tuple(_benchmark_files(recipe, root)), labelled, _withdrawn_files(recipe, root))


def _withdrawn_files(recipe: Recipe, root: Path) -> tuple[InputFile, ...]:
    files = recipe.withdrawn.files if recipe.withdrawn else []
    return tuple(find_inputs(Source(name="withdrawn", files=files, source_type="knowledge"), root)) if files else ()


def _labelled_files(recipe: Recipe, name: str, classifier: ClassifierRecipe, root: Path) -> Iterator[InputFile]:
    """Training files of a classifier; what it is tested on is read by `curate classifier train` only."""
    for source in classifier.sources:
        if source.role == "train":
            optional = source.optional or recipe.classifiers[name].optional
            yield from find_inputs(source.model_copy(update={"optional": optional}), root)


def _benchmark_files(recipe: Recipe, root: Path) -> list[InputFile]:
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
        {name: tuple(InputFile(**file) for file in files) for name, files in raw.get("classifiers", {}).items()},
        tuple(InputFile(**file) for file in raw.get("withdrawn", [])),
    )
