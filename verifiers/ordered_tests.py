"""Tests that an answer orders, by keywords with synonyms; what it puts off or rules out is not ordered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from pydantic import field_validator

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.reading.cleaning import said, without_quotations
from verifiers.reading.json_answer import json_values, unfenced
from verifiers.verifier import ReferenceModel, verifier

FORBIDDEN: Final = "forbidden_test"
_WORDS_TOO: Final = frozenset({"us", "pet", "cat", "it", "am", "as", "or", "all", "ana", "map", "met", "alt", "ms", "bid", "mad", "mug", "pt", "hit", "ask", "pap"})  # fmt: skip
_CLAUSE: Final = re.compile(r"[.!?]\s|[.!?]$|[;；。！？\n]")
_AFRESH: Final = re.compile(
    r"[,，]?\s*(?:\b(?:but|however|instead(?!\s+of)|then|only|just|rather(?!\s+than)|although|yet)\b|(?<!not\s)(?<!n't\s)(?<!to\s)(?<!never\s)\b(?:order|obtain|get|start\s+with|proceed\s+to|request)\b)|[,，]?\s*(?:但是?|而是|只查|只做|改查|改做|应查|应做|需查|完善|建议|先查|先做|可查|应行|然后)",
    re.IGNORECASE,
)
_DENIES: Final = re.compile(
    r"\b(?:no(?!\s+doubt)|not(?!\s+only)|without(?!\s+(?:delay|doubt))|neither|nor|never|avoid\w*|defer\w*|(?<!without\s)delay\w*|postpone\w*|skip\w*|omit\w*|withhold\w*|hold(?!\s+still)(?:\s+off)?(?:\s+on)?|cancel\w*|decline\w*|refuse\w*|forgo|instead\s+of|rather\s+than|other\s+than|except|exclude|contraindicated|unnecessary|against|don't|doesn't|isn't|wouldn't|shouldn't|cannot|can't)\b"
    r"|n't\b|不必|不查|不做|不宜|不需要?|不应|不用|不可|不建议|不考虑|不行|不能|不开|不推荐|无需|无须|无必要|暂不|暂缓|推迟|避免|禁止|禁忌|禁|没有必要|未查|未做|取消|拒绝|而非|不是|不|免做|免查",
    re.IGNORECASE,
)
_DENIED_BEHIND: Final = re.compile(
    r"^\s*(?:[:：=-]\s*(?:no|not|none|never|否|不|无需|不查|不做)"
    r"|\s*(?:scan|scans|test|tests|testing|imaging|level|levels|检查|测定)?\s*(?:is|are|was|were|would\s+be|should\s+be|can\s+be|may\s+be|must\s+be)?\s*(?:not|n't|un(?:necessary|helpful|warranted)|contraindicated|deferred|avoided|omitted|skipped|postponed|withheld|cancel\w*|refused|inappropriate|never)\b"
    r"|\s*(?:is|are|should|must|has|have)\s+(?:to\s+)?be\s+(?:avoided|deferred|omitted|skipped|postponed|withheld)\b|\s*(?:scan\s*)?,?\s*(?:only\s+)?(?:if|unless)\b|\s*(?:can|could|may|should|must|need|needs|do|does|will|would)\s*(?:not|n't|wait|be\s+(?:deferred|avoided|omitted|skipped|postponed|delayed|withheld))\b"
    r"|\s*(?:检查)?\s*(?:暂)?(?:不|无需|无须|禁忌|暂缓|可免|未|推迟|避免|可以不|可不|应避免))",
    re.IGNORECASE,
)
_LIST_DENIED: Final = re.compile(
    r"^(?:\s*(?:,|and|or|、|和|及|与)\s*[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff -]{0,30}?){1,3}\s*(?:(?:is|are|was|were)\s+(?:both\s+)?(?:not|n't|unnecessary|contraindicated|deferred)|aren't|isn't|(?:均|都)?(?:不需要?|无需|不必|禁忌))",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(
    r"\b(?:if|unless|should\s+(?:the|these|this|it)|when\s+positive|in\s+case|only\s+if|provided)\b|如果|若|如(?=[^何下])|必要时|倘若",
    re.IGNORECASE,
)
_PAST: Final = re.compile(
    r"\b(?:previous|prior|earlier|last\s+(?:year|month|week)|already|old|past)\b[^,;]{0,30}$|既往|上次|曾(?:经|做|查)|外院",
    re.IGNORECASE,
)
_NOT_ORDERED: Final = re.compile(
    r"avoid|not|exclud|contra|forbid|unnecessary|defer|skip|declin|避免|不|禁|排除", re.IGNORECASE
)
_NONE_NEEDED: Final = re.compile(
    r"\bno(?:ne|\s+(?:further\s+|additional\s+|other\s+)?(?:tests?|investigations?|imaging|workup|labs?|studies))\b|(?:无需|不需要?|不必|无须)(?:任何|进一步|其他)?(?:的)?(?:检查|化验|辅助检查)",
    re.IGNORECASE,
)


class TestsReference(ReferenceModel):
    """`required`: a list of synonyms for each test asked for; `forbidden`: tests that make the answer wrong."""

    __test__ = False  # pytest takes a class of this name for one of tests

    required: list[list[str]] = []
    forbidden: list[str | list[str]] = []

    @field_validator("required")
    @classmethod
    def _named(cls, required: list[list[str]]) -> list[list[str]]:
        if any(not one or not all(name.strip() for name in one) for one in required):
            raise ValueError("each test has one name at least")
        return required


@verifier("tests", reference=TestsReference)
def tests(prompt: str, answer: str, reference: TestsReference) -> Verdict:
    """Recall over the tests required; one that is forbidden makes the answer wrong and sets a flag."""
    text = _ordered_text(said(answer, prompt))
    if not text.strip():
        return unparsed("nothing is said")
    clauses = list(_clauses(without_quotations(text)))
    hits = [names[0] for names in reference.required if _ordered(clauses, tuple(names))]
    banned = [names[0] for names in map(_listed, reference.forbidden) if _ordered(clauses, tuple(names))]
    told = {"ordered": hits, "forbidden": banned}
    if banned:
        return wrong(told, f"orders {', '.join(banned)}", flags=(FORBIDDEN,))
    if not reference.required:
        if _NONE_NEEDED.search(text) or not reference.forbidden:
            return right(told, "none is required and none is ordered")
        return right(told, "none that is forbidden is ordered")
    parts = {"recall": len(hits) / len(reference.required)}
    if len(hits) == len(reference.required):
        return right(told, "all that are required", parts=parts)
    if hits:
        return partly(parts["recall"], told, f"{len(hits)} of {len(reference.required)}", parts=parts)
    named = any(_named(clauses, tuple(names)) for names in reference.required)
    return wrong(told, "what is required is ruled out") if named else unparsed("no test that is required is named")


def _listed(one: str | list[str]) -> list[str]:
    return [one] if isinstance(one, str) else one


def _ordered_text(text: str) -> str:
    """The words of JSON that order, or the text as it is."""
    values = json_values(unfenced(text))
    if not values or not unfenced(text).strip().startswith(("{", "[")):
        return text
    return "; ".join(_strings(values[-1]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, told in value.items():
            if told is False or _NOT_ORDERED.search(key):
                continue
            yield from [key] if told is True else _strings(told)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, str):
        yield value


def _clauses(text: str) -> Iterator[str]:
    """Stretches over which a denial may reach."""
    for clause in _CLAUSE.split(text):
        yield from (one for one in _AFRESH.split(clause) if one and one.strip())


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str]:
    words = [re.escape(word) for word in re.split(r"[-\s]+", name.strip()) if word]
    joined = r"[-\s]?".join(words)
    flags = 0 if name.casefold() in _WORDS_TOO else re.IGNORECASE
    if not name.isascii():
        return re.compile(re.sub(r"(?<=[A-Za-z0-9])(?=[\u3400-\u9fff])", r"[-\\s]?", joined), flags)
    return re.compile(rf"(?<![A-Za-z0-9]){joined}(?:s|es)?(?![A-Za-z0-9])", flags)


def _ordered(clauses: list[str], names: tuple[str, ...]) -> bool:
    return any(
        not _denied(clause, found.start(), found.end())
        for clause in clauses
        for name in names
        for found in _pattern(name).finditer(clause)
    )


def _named(clauses: list[str], names: tuple[str, ...]) -> bool:
    return any(_pattern(name).search(clause) for clause in clauses for name in names)


def _denied(clause: str, start: int, end: int) -> bool:
    """Whether a test at this place is denied, put off, conditional or of the past."""
    before, behind = clause[max(0, start - 200) : start], clause[end : end + 60]
    if _DENIED_BEHIND.match(behind) or _LIST_DENIED.match(behind) or _PAST.search(before):
        return True
    if _CONDITION.search(before):
        return True
    denials = list(_DENIES.finditer(before))
    if not denials:
        return False
    between = before[denials[-1].end() :]
    if re.search(r"\b(?:only|just)\b", denials[-1][0] + between[:6]):
        return False
    if re.search(r"[,，]", between):
        whole = clause[denials[-1].start() if len(before) == start else 0 :]
        return bool(re.search(r"\b(?:or|nor)\b|或|及", whole))
    return True
