"""Lists of English: words and how often they are used, names of the census, words of diseases.

`pyspellchecker` has the words, `names` those of the census of the United States, and `simple_icd_10_cm` the
descriptions of diseases, whose small words are no one's name.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

DISEASES: Final = Path(__file__).with_name("disease_words.txt")
CLINICAL: Final = Path(__file__).with_name("clinical_words.txt")
USED: Final = 300  # times in pyspellchecker's 1.6 thousand million words; a word that rare may be a name it has seen
_LETTERS: Final = str.maketrans({"ł": "l", "ı": "i", "ø": "o", "đ": "d", "ß": "s"})


def plain(word: str) -> str:
    """A word in small letters without accents, as the census writes names."""
    apart = unicodedata.normalize("NFKD", word.lower().translate(_LETTERS))
    return "".join(char for char in apart if not unicodedata.combining(char))


def _census(*names: str) -> frozenset[str]:
    rows = (line for name in names for line in files("names").joinpath(name).read_text(encoding="utf-8").splitlines())
    return frozenset(row.split()[0].lower() for row in rows if row.strip())


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    """Given names of the census, in small letters."""
    return _census("dist.male.first", "dist.female.first")


@lru_cache(maxsize=1)
def family_names() -> frozenset[str]:
    """Family names of the census, in small letters."""
    return _census("dist.all.last")


@lru_cache(maxsize=1)
def used_words() -> frozenset[str]:
    """English words that are used often."""
    from spellchecker import SpellChecker

    counts = SpellChecker(language="en").word_frequency.dictionary
    return frozenset(word for word, count in counts.items() if count >= USED)


@lru_cache(maxsize=1)
def disease_words() -> frozenset[str]:
    """Words of ICD-10-CM's descriptions that are written small there, so that they are no one's name.

    Read from a list, since asking `simple_icd_10_cm` for all descriptions takes six seconds; a test holds them equal.
    """
    return frozenset(DISEASES.read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def clinical_words() -> frozenset[str]:
    """Abbreviations and terse words of English notes: abx, bibasal, perrl."""
    return frozenset(CLINICAL.read_text(encoding="utf-8").split())
