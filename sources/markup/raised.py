"""What a raised figure means: a power, a charge, an isotope, an ordinal, or a mark of a citation or a footnote.

Glued to what precedes it a mark makes another number (12%3, 8.3a), and a power without its sign does too (109/L).
Citations go, marks of footnotes stand apart in brackets, the rest keeps its meaning. One model for all readers.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

MINUS: Final = "−–‐‑"
# Numbers, ranges and lists of them, in brackets or not: 5; 3,4; 12–14; [7].
CITED: Final = re.compile(r"[\[(]?\s*\d{1,3}(?:\s*[,;–—‐-]\s*\d{1,3})*\s*[,;]?\s*[\])]?")
EXPONENT: Final = re.compile(rf"[-+{MINUS}]?\d{{1,3}}(?:\.\d+)?")
CHARGE: Final = re.compile(rf"\d{{0,2}}[-+{MINUS}]")
ORDINAL: Final = re.compile(r"(?i:st|nd|rd|th|er|e|ème|o|a|os|as)")
MARK: Final = re.compile(r"[\[(]?(?:[a-z]{1,2}|[*†‡§¶#∥‖]{1,3})(?:\s*,\s*(?:[a-z]|[*†‡§¶#∥‖]{1,3}))*[\])]?")
# Units that take a power.
UNIT: Final = re.compile(r"(?<![A-Za-z])(?:[munkcdμµ]?m|s|kg|g|L|min|h|mol|in|ft|yd)$")
BASE_TEN: Final = re.compile(r"(?<![\d.,])10$")
# A lone letter is a variable (r2, χ2, R2), and so is what ends in a bracket.
VARIABLE: Final = re.compile(r"(?:(?<![A-Za-z])[A-Za-zα-ωΑ-Ωχ]|\))$")
SMALL_BASE: Final = re.compile(r"(?<![\w.,-])[2-9e]$")


# Whether citations are kept, for the reader that runs in this context (`citations: keep` of a source).
keeping: ContextVar[bool] = ContextVar("keeping citations", default=False)


def cited(told: str) -> str:
    """A citation's mark: left out, or "[3, 4]" where the recipe keeps them."""
    numbers = re.sub(r"\s*[,;]\s*", ", ", told.strip("[]()（） ,;"))
    return f" [{numbers}]" if keeping.get() and numbers else ""


def raised(before: str, text: str, after: str = "", linked: bool = False) -> str:
    """Raised `text` as it stands between what comes before and after it on its line.

    `linked`: it is a link to a place in the same document, as marks of citations and footnotes are.
    """
    told = " ".join(text.split())
    if not told:
        return text and " "
    if linked:
        return cited(told) if CITED.fullmatch(told) else f" [{told.strip('[]()')}]"
    if CITED.fullmatch(told):
        return _figures(before, told, after)
    if CHARGE.fullmatch(told):
        return told if not BASE_TEN.search(before) else f"^{told}"
    if EXPONENT.fullmatch(told):  # a sign before a number: a power, as of a unit
        return f"^{told}"
    if ORDINAL.fullmatch(told) and before[-1:].isdigit() and (len(told) > 1 or not _is_amount(before)):
        return told
    if MARK.fullmatch(told):
        return _letters(before, told, after)
    return told


def _figures(before: str, told: str, after: str) -> str:
    """Digits alone or in lists: a power where something takes one, an isotope before its sign, else a citation."""
    if BASE_TEN.search(before):
        return f"^{told}" if told.isdigit() else f"^({told})"
    single = told.isdigit()
    if single and (not before.strip() or not before[-1:].strip() or before[-1:] in "([,/-") and re.match(r"[A-Z][a-z]?(?![a-z])", after):  # fmt: skip # noqa: E501
        return told
    if single and int(told) < 20 and (UNIT.search(before) or VARIABLE.search(before) or SMALL_BASE.search(before)):
        return f"^{told}"
    return cited(told)


def _letters(before: str, told: str, after: str) -> str:
    """A footnote's mark beside a word or a number; a letter over a variable or over ten is a power."""
    bare = told.strip("[]()")
    variable = VARIABLE.search(before)
    if len(bare) == 1 and (variable or BASE_TEN.search(before)):
        if bare in "nkxijmt" or (variable and variable[0].isupper() and bare.isalpha()):
            return f"^{bare}"
    if not before.strip() or before[-1:].isspace():
        return f"[{bare}] " if after[:1].strip() else f"[{bare}]"
    return f" [{bare}]"


def _is_amount(before: str) -> bool:
    """Whether the number before stands for an amount (8.3, 12%), and not for a place in an order (1st, 2e)."""
    return re.search(r"[.,]\d+$|\d{3,}$", before) is not None
