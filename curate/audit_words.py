"""Words that a run took out often, and in what phrases: a drug that was taken for a name is seen at a glance.

A run keeps no original. They are read again from its raw files, and go where the reviewer asks for them alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from filters.glance import glancer
from filters.privacy.step import TakenOut, taken_out
from filters.step import Batch
from pipelines.run_folder import RunFolder
from pipelines.steps import run_steps
from schemas.condition import row_expression
from schemas.document import DECISION_COLUMNS
from schemas.errors import WrongCall
from schemas.recipe import Source
from sources.inputs import InputFile, check_unchanged, find_inputs
from sources.reading import read_frames
from storage.places import place

MOST_PHRASES: Final = 5
STEP: Final = "phi"


@dataclass
class Word:
    """A word of one class, how often it was taken out, of how many documents, and between which words."""

    kind: str
    word: str
    times: int = 0
    documents: int = 0
    phrases: Counter[tuple[str, str]] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """As a line of JSON."""
        phrases = [f"{before}⟦{self.word}⟧{after}" for (before, after), _ in self.phrases.most_common(MOST_PHRASES)]
        return {
            "class": self.kind,
            "word": self.word,
            "times": self.times,
            "documents": self.documents,
            "phrases": phrases,
        }


def words_taken_out(
    run_dir: Path, more_than: int, told: Callable[[int, int], None] = lambda done, files: None
) -> list[Word]:
    """Words that were taken out more often than this, the most frequent first; `told` hears of files read, and of all.

    Raises:
        WrongCall: where the run has no step `phi`, or a raw file is gone or was changed since.
    """
    folder = place(str(run_dir))
    if not (folder / "plan.json").exists():
        raise WrongCall(f"{run_dir} is no folder of a run")
    run = RunFolder(folder)
    if not any(step.kind.name == STEP for step in run.edits):
        raise WrongCall(f"the recipe of {run_dir} has no step `{STEP}`: nothing was taken out")
    files = [file for partition in run.plan.partitions for file in partition]
    found: dict[tuple[str, str], Word] = {}
    for done, file in enumerate(files, 1):
        for of_document in _of_file(run, file):
            _count(found, of_document)
        told(done, len(files))
    often = [word for word in found.values() if word.times > more_than]
    return sorted(often, key=lambda word: (-word.times, word.word, word.kind))


def _of_file(run: RunFolder, file: InputFile) -> Iterator[list[TakenOut]]:
    """What each step `phi` of the run takes out of each document of a file."""
    source = next(one for one in run.recipe.sources if one.name == file.source)
    file = file if file.location else _found_again(run, source, file)
    look = glancer(source.glance) if source.glance else None  # of what is left out the run holds the beginning alone
    check_unchanged(file)
    for frame, _ in read_frames(file, source, glance=look):
        for at, step in enumerate(run.edits):
            if step.kind.name != STEP:
                continue
            before = run_steps(frame.drop(*DECISION_COLUMNS), run.edits[:at])
            if step.where is not None:
                before = before.filter(row_expression(step.where).cast(pl.Boolean).fill_null(False))
            if before.height:
                yield from taken_out(Batch(before), **step.parameters)


def _found_again(run: RunFolder, source: Source, file: InputFile) -> InputFile:
    """A file whose place the plan holds with marks, since it names a person: known by the place's key."""
    for one in find_inputs(source, Path(run.plan.root)):
        if one.place_key == file.key:
            return one
    raise WrongCall(f"{file.uri} of source '{source.name}' is gone from {run.plan.root}; bring it back")


def _count(found: dict[tuple[str, str], Word], of_document: list[TakenOut]) -> None:
    seen = set()
    for one in of_document:
        key = (one.kind, one.words.casefold())
        word = found.setdefault(key, Word(one.kind, one.words))
        word.times += 1
        word.documents += key not in seen
        seen.add(key)
        word.phrases[(_line(one.before), _line(one.after))] += 1


def _line(text: str) -> str:
    return re.sub(r"[\s\x00]+", " ", text)
