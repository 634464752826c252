"""Identifiers of articles in one form, however people write them: DOIs, PubMed's numbers, PMC's.

`10.1000/abc` stands for `https://doi.org/10.1000/ABC`, `doi:10.1000/abc` and the like; `pmid:123`; `pmcid:pmc123`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

# Crossref's form to find DOIs by, with registrants of any length and of one part or several.
DOI: Final = re.compile(r"10\.\d{1,9}(?:\.\d+)*/[^\s\"<>]+")
PMID: Final = re.compile(
    r"(?:(?:pmid|pubmed)\s*[:#=]?\s*|(?:https?://)?(?:www\.)?(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/)"
    r"0*([1-9]\d{0,8})/?"
)
PMCID: Final = re.compile(
    r"(?:pmcid\s*[:#=]?\s*|(?:https?://)?(?:www\.|pmc\.)?ncbi\.nlm\.nih\.gov/(?:pmc/)?articles/)?pmc0*([1-9]\d*)/?"
)
NUMBER: Final = re.compile(r"0*([1-9]\d{0,8})(?:\.0)?")
PAIRS: Final = (("(", ")"), ("[", "]"))


def doi_of(text: str | None) -> str | None:
    """The DOI in a text of any form, in small letters; None where there is none."""
    found = DOI.search(unquote(text or "").strip().lower())
    if not found:
        return None
    doi = found.group().rstrip(".,;:'")
    for opened, closed in PAIRS:  # "(doi:10.1/x)" closes a bracket that the DOI did not open
        while doi.endswith(closed) and doi.count(closed) > doi.count(opened):
            doi = doi[:-1].rstrip(".,;:'")
    return doi


def pmid_of(text: str | int | None) -> str | None:
    """`pmid:123` for a number of PubMed, with or without what it is written behind."""
    told = str(text if text is not None else "").strip().lower()
    found = NUMBER.fullmatch(told) or PMID.fullmatch(told)
    return f"pmid:{found[1]}" if found else None


def pmcid_of(text: str | int | None) -> str | None:
    """`pmcid:pmc123` for an article of PubMed Central."""
    told = str(text if text is not None else "").strip().lower()
    found = PMCID.fullmatch(told) or NUMBER.fullmatch(told)
    return f"pmcid:pmc{found[1]}" if found else None


def identifier_of(text: str) -> str | None:
    """Whichever of the three a text names by itself; a bare number is none."""
    told = text.strip().lower()
    if found := PMCID.fullmatch(told):
        return f"pmcid:pmc{found[1]}"
    return doi_of(told) or (None if NUMBER.fullmatch(told) else pmid_of(told))
