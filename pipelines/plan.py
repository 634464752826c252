"""The plan of a run: its inputs cut into partitions. It depends on recipe and inputs alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from filters.classifier_model import classifier_folder
from filters.privacy.packaged import package_folder
from pipelines.steps import bind_steps, named_values
from schemas.canonical import canonical_digest
from schemas.classifier import ClassifierRecipe
from schemas.errors import WrongCall
from schemas.recipe import Recipe, Source
from sources.inputs import InputFile, find_inputs
from storage.fingerprints import fingerprint_of
from storage.json_files import read_json
from storage.places import Place, is_url
from tokenization.marks import CONFIG_FILE

PARTITION_BYTES: Final = 8 << 20
MAX_PARTITIONS: Final = 4096
MAX_FILES_A_PARTITION: Final = 256
# What a recipe names beside its sources: files that lie beside it, and folders of models.
GIVEN_TOKENIZER: Final = "tokenizer.file"
GIVEN_TEMPLATE: Final = "conversations.template"


@dataclass(frozen=True)
class Plan:
    """Files by partition, and every other file that decides what comes out; partition k is a list of inputs.

    `given` are the files that the recipe names beside its sources: tokenizer, chat template, models.
    """

    partitions: tuple[tuple[InputFile, ...], ...]
    benchmarks: tuple[InputFile, ...]
    classifiers: Mapping[str, tuple[InputFile, ...]] = field(default_factory=dict)
    withdrawn: tuple[InputFile, ...] = ()
    given: tuple[InputFile, ...] = ()
    root: str = ""

    @property
    def files(self) -> int:
        """Number of input files."""
        return sum(map(len, self.partitions))

    @property
    def bytes(self) -> int:
        """Size of all inputs as stored."""
        return sum(file.size for partition in self.partitions for file in partition)

    def named(self) -> Iterator[tuple[str, InputFile]]:
        """Every file of the plan with what it is for."""
        for part in self.partitions:
            yield from (("source", file) for file in part)
        yield from (("benchmark", file) for file in self.benchmarks)
        for name, files in self.classifiers.items():
            yield from ((f"labels of {name}", file) for file in files)
        yield from (("list of withdrawn documents", file) for file in self.withdrawn)
        yield from (("file named by the recipe", file) for file in self.given)

    @property
    def digest(self) -> str:
        """Digest of every file's place and content, wherever the data lie; the cut into partitions is in it."""
        parts = [[file.told() for file in part] for part in self.partitions]
        others = sorted([role, *file.told()] for role, file in self.named() if role != "source")
        return canonical_digest([parts, others])

    def as_json(self) -> dict[str, Any]:
        """The content of `plan.json`; places below the data's root are told from there, so that data may move."""
        return {
            "root": self.root,
            "partitions": [[self._below(file) for file in partition] for partition in self.partitions],
            "benchmarks": [self._below(file) for file in self.benchmarks],
            "withdrawn": [self._below(file) for file in self.withdrawn],
            "classifiers": {name: [self._below(file) for file in files] for name, files in self.classifiers.items()},
            "given": [self._below(file) for file in self.given],
        }

    def _below(self, file: InputFile) -> dict[str, str | int]:
        prefix = self.root.rstrip("/") + "/"
        return replace(file, location=file.location.removeprefix(prefix)).as_json()

    def difference(self, other: Plan) -> str | None:
        """Why another plan has other inputs, naming the first file, or None where they are equal."""
        mine = {(role, file.source, file.place_key): file for role, file in self.named()}
        theirs = {(role, file.source, file.place_key): file for role, file in other.named()}
        names = {key: file.uri for key, file in (*mine.items(), *theirs.items())}
        for key in sorted(mine.keys() | theirs.keys(), key=lambda one: (one[:2], names[one])):
            role, source, uri = (*key[:2], names[key])
            name = f"{uri} (source {source})" if role == "source" else f"{uri} ({role} {source})"
            before, now = mine.get(key), theirs.get(key)
            if before is None or now is None or before.size != now.size:
                told = ["missing" if one is None else f"{one.size:,} bytes" for one in (before, now)]
                return f"{name} was {told[0]} and is {told[1]}"
            if before.fingerprint != now.fingerprint:
                return f"{name} has another content"
        return None if self.digest == other.digest else "the files are cut into other partitions"


def without_persons(plan: Plan, hide: Callable[[list[str]], list[str]]) -> Plan:
    """The plan of a run that has ended, the places of files that name a person written with marks."""
    files = [file for _, file in plan.named()]
    shown = dict(zip((file.uri for file in files), hide([file.uri for file in files]), strict=True))

    def hidden(file: InputFile) -> InputFile:
        if shown[file.uri] == file.uri:
            return file
        return replace(file, uri=shown[file.uri], location="", key=file.place_key)

    def each(listed: Iterable[InputFile]) -> tuple[InputFile, ...]:
        return tuple(map(hidden, listed))

    return Plan(
        tuple(map(each, plan.partitions)),
        each(plan.benchmarks),
        {name: each(listed) for name, listed in plan.classifiers.items()},
        each(plan.withdrawn),
        each(plan.given),
        plan.root,
    )


def make_plan(
    recipe: Recipe,
    root: Path,
    classifiers: Mapping[str, ClassifierRecipe] | None = None,
    beside: Path | None = None,
) -> Plan:
    """Find all inputs and cut them into partitions of about equal size, in the order of the recipe.

    `beside` is the folder of the recipe, where the files lie that it names.
    """
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
    return Plan(
        tuple(partitions),
        tuple(_benchmark_files(recipe, root)),
        labelled,
        _withdrawn_files(recipe, root),
        tuple(_given_files(recipe, beside)) if beside else (),
        str(root),
    )


def _given_files(recipe: Recipe, beside: Path) -> Iterator[InputFile]:
    """Tokenizer, chat template and the models of steps, each with its fingerprint."""
    if recipe.tokenizer.file:
        file = beside / recipe.tokenizer.file
        yield _given(GIVEN_TOKENIZER, recipe.tokenizer.file, file)
        if (config := file.with_name(CONFIG_FILE)).is_file():
            yield _given(GIVEN_TOKENIZER, CONFIG_FILE, config)
    template = beside / recipe.conversations.template
    if template.is_file():
        yield _given(GIVEN_TEMPLATE, recipe.conversations.template, template)
        if (config := template.with_name(CONFIG_FILE)).is_file() and template.name != CONFIG_FILE:
            yield _given(GIVEN_TEMPLATE, f"{recipe.conversations.template}: {CONFIG_FILE}", config)
    seen = set()
    for step in bind_steps(recipe):
        for name in step.kind.names_files:
            for value in named_values(step.parameters.get(name)):
                if value in recipe.classifiers or value in seen:
                    continue
                seen.add(value)
                path = classifier_folder(value)  # elsewhere a path is itself
                path = path if path.exists() else package_folder(value) or path
                for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                    if file.is_file():
                        place = f"{path.name}/{file.name}" if path.is_dir() else path.name
                        yield _given(f"{step.kind.name}.{name}", place, file)


def _given(source: str, uri: str, path: Path) -> InputFile:
    size = path.stat().st_size if path.exists() else 0
    return InputFile(source, uri, str(path.resolve()), size, fingerprint_of(str(path)))


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


def load_plan(path: Place) -> Plan:
    """Read `plan.json`."""
    raw = read_json(path)
    root = str(raw.get("root", ""))

    def files(listed: list[dict[str, Any]]) -> tuple[InputFile, ...]:
        return tuple(_placed(InputFile(**file), root) for file in listed)

    return Plan(
        tuple(files(partition) for partition in raw["partitions"]),
        files(raw["benchmarks"]),
        {name: files(listed) for name, listed in raw.get("classifiers", {}).items()},
        files(raw.get("withdrawn", [])),
        files(raw.get("given", [])),
        root,
    )


def _placed(file: InputFile, root: str) -> InputFile:
    if not root or not file.location or is_url(file.location) or os.path.isabs(file.location):
        return file
    return replace(file, location=os.path.join(root, file.location))
