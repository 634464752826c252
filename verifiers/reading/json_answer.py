"""JSON in an answer: in fences or out, the last object or list, mended only where there is one way to.

Nesting deeper than `DEEPEST` is no answer, so that nothing recurses over what a model made up.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

DEEPEST: Final = 40
MISSING: Final = object()
_STRINGS: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def unfenced(text: str) -> str:
    """The text without the marks of code fences, whose content stays."""
    return re.sub(r"```(?:json)?", " ", text)


def _spans(text: str) -> list[tuple[int, int]]:
    """Outermost brackets that close, as (start, end), in order; the last may be open, with end -1."""
    found: list[tuple[int, int]] = []
    stack: list[str] = []
    start, quoted, at = 0, False, 0
    while at < len(text):
        sign = text[at]
        if quoted:
            if sign == "\\":
                at += 1
            elif sign == '"':
                quoted = False
        elif sign == '"' and stack:
            quoted = True
        elif sign in "{[":
            if not stack:
                start = at
            stack.append("}" if sign == "{" else "]")
            if len(stack) > DEEPEST:
                return found
        elif sign in "}]" and stack:
            if sign != stack[-1]:
                stack.clear()
            else:
                stack.pop()
                if not stack:
                    found.append((start, at + 1))
        at += 1
    if stack:
        found.append((start, -1))
    return found


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return MISSING


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in pairs:
        if key in told and told[key] != value:
            raise ValueError(f"key {key} twice")
        told[key] = value
    return told


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _mended(text: str) -> Any:
    """JSON with one obvious mistake: single quotes, a trailing comma, bare keys, Python's words, brackets left open."""
    attempts = [re.sub(r",\s*([}\]])", r"\1", text)]
    if '"' not in text:
        attempts.append(re.sub(r"(?<![\w])'|'(?![\w])", '"', attempts[0]))
    attempts.append(re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r'\1"\2":', attempts[-1]))
    attempts.append(
        re.sub(r"\bNone\b", "null", re.sub(r"\bTrue\b", "true", re.sub(r"\bFalse\b", "false", attempts[-1])))
    )
    for one in attempts:
        told = _loaded(one)
        if told is not MISSING:
            return told
    return MISSING


def _closed(text: str) -> Any:
    """JSON whose last brackets are missing, where it was cut behind a whole value."""
    bare = _STRINGS.sub('""', text)
    if bare.count('"') % 2 or len(text) > 20_000:
        return MISSING
    stack = []
    for sign in bare:
        if sign in "{[":
            stack.append("}" if sign == "{" else "]")
        elif sign in "}]":
            if not stack or stack.pop() != sign:
                return MISSING
    body = text.rstrip()
    if not stack or len(stack) > DEEPEST or not body or body[-1] not in '"]}':
        return MISSING
    return _loaded(body + "".join(reversed(stack)))


def json_values(text: str) -> list[Any]:
    """JSON objects and lists of an answer, in order; such as cannot be read are left out."""
    told = []
    for start, end in _spans(text)[:200]:
        piece = text[start:] if end < 0 else text[start:end]
        value = _loaded(piece) if end >= 0 else MISSING
        if value is MISSING:
            value = _mended(piece) if end >= 0 else _closed(piece)
        if value is not MISSING and isinstance(value, dict | list):
            told.append(value)
    return told


def field_of(value: Any, names: frozenset[str]) -> Any:
    """The value of the first key among `names` (squeezed to letters), at most two levels down; else `MISSING`."""
    if not isinstance(value, dict):
        return MISSING
    for key, told in value.items():
        if _key(key) in names:
            return told
    for told in value.values():
        if isinstance(told, dict):
            for key, deeper in told.items():
                if _key(key) in names:
                    return deeper
    return MISSING


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
