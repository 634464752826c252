"""Names behind English titles: several titles in a row, several persons behind one, and abbreviations that are no title."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.name_forms import FULL, UP

# Further titles and degrees before the name: Prof. Dr. med. Jan Wenske. A title alone is no name, nor is an office.
MORE_TITLES: Final = r"(?:(?:Dr|Prof|Professor|Doctor|med|rer|nat|phil|habil|dent|vet|jur|Ing|Sir|Dame|Hon|Rev|Justice|Mayor|Ambassador)\.?\s{1,2}){0,4}"
NO_NAME: Final = (
    r"(?!(?:Drs?|Prof|Professor|Doctor|President|Speaker|Chair(?:man|woman|person)?|Secretary|Minister|Prime|Vice|"
    r"Chancellor|Commissioner|Attorney|Right|Universe|World)(?![A-Za-z]))"
)
HONORIFIC: Final = re.compile(
    rf"(?<![A-Za-z])(?P<title>(?i:Mr|Mrs|Ms|Mx|Dr|Drs)|Miss|Prof)(?P<dot>\.?)\s{{1,2}}{MORE_TITLES}"
    rf"(?P<name>{NO_NAME}(?:{FULL}|[{UP}]{{3,}}(?:[-'][{UP}]+)?(?: [{UP}]{{3,}})?))"
)
# MR, MS and DR in capitals are magnetic resonance, multiple sclerosis and diabetic retinopathy before such words.
ABBREVIATED: Final = ("MR", "MS", "DR")
TECHNICAL: Final = re.compile(
    r"[A-Z][a-z]*(?:graph|scop|gram|metr|tomy|logy|ing\b|[ts]ion)|(?:Imag|Scan|Lesion|Plaque|Sequence|Patient|Subject|Stud|Relapse|Diagnos|Protocol|"
    r"Signal|Contrast|Guided|Based|Enhanced|Findings?|Features?|Criteria|Phenotype|Cohort|Severity|Word|Excel|Office|Project|Congo)"
)
MEASURED: Final = re.compile(r"\d[ ]?$")  # lasts 5 ms. Depolarization follows
# Several persons behind one title: Drs. Smith, Jones and Brown.
TOGETHER: Final = re.compile(
    rf"(?<![A-Za-z])(?:Drs|Profs|Messrs|Doctors|Professors)\.?\s{{1,2}}(?P<names>{FULL}(?:,\s{FULL})*,?\s(?:and|&)\s{FULL})"
)


def behind_titles(text: str, low: int, high: int) -> Iterator[tuple[int, str]]:
    """Where a name begins, and what may be one; an abbreviation of medicine that looks like a title has none."""
    for match in HONORIFIC.finditer(text, low, high):
        title = match.group("title")
        if title.islower() and MEASURED.search(text, max(0, match.start() - 4), match.start()):
            continue
        abbreviated = title in ABBREVIATED and not match.group("dot")
        if not (abbreviated and TECHNICAL.match(match.group("name"))):
            yield match.start("name"), match.group("name")


def behind_one_title(text: str, low: int, high: int) -> Iterator[tuple[int, str]]:
    """The same of several persons."""
    for match in TOGETHER.finditer(text, low, high):
        for one in re.finditer(FULL, match.group("names")):
            yield match.start("names") + one.start(), one.group()
