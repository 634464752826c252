"""Which English words are names of persons and which are words, by public lists.

Given and family names are those of the census of the United States (`names`), words and how often they are used those of
`pyspellchecker`, words of diseases those of ICD-10-CM that are written small there.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Final

from filters.privacy.lexicon import Lexicon, is_medical

USED: Final = 300  # times in pyspellchecker's 1.6 thousand million words; a word that rare may be a name it has seen
TITLES: Final = frozenset(
    ["Mr", "Mrs", "Ms", "Mx", "Miss", "Dr", "Drs", "Prof"]
)  # finders of their own know what follows
_LETTERS: Final = str.maketrans({"ł": "l", "ı": "i", "ø": "o", "đ": "d", "ß": "s"})
SMALL: Final = re.compile(r"(?<![A-Za-z])[a-z]{3,}(?![A-Za-z])")


def _plain(word: str) -> str:
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
    """Words of ICD-10-CM's descriptions that are written small there, so that they are no one's name."""
    import simple_icd_10_cm as icd

    words: set[str] = set()
    for code in icd.get_all_codes():
        words.update(re.findall(r"(?<![A-Za-z])[a-z]{3,}", icd.get_description(code)))
    return frozenset(words)


@lru_cache(maxsize=8)
def small_words(text: str) -> frozenset[str]:
    """Words that a text writes in small letters; written large elsewhere in it they begin a sentence or a heading."""
    return frozenset(SMALL.findall(text))


def is_given_name(word: str) -> bool:
    """Whether the census has a word among given names."""
    return _plain(word) in given_names()


@lru_cache(maxsize=1 << 14)
def is_word(word: str, behind_given: bool = False, behind_unknown: bool = False) -> bool:
    """Whether a capitalised word is one of English or of medicine rather than a name.

    `behind_given`: a given name stands before it, so that a word that is a family name as well is one (Julie Brown);
    `behind_unknown`: what stands before it is no word, so that it is one but for words of diseases (Conor Stone).
    """
    if "-" in word:
        return any(is_word(part, behind_given, behind_unknown) for part in word.split("-") if len(part) > 3)
    plain = _plain(word)
    if plain in given_names() or (behind_given and plain in family_names()):
        return False
    if len(word) > 3 and (plain in disease_words() or is_medical(word)):
        return True
    return plain in used_words() and not (behind_unknown and plain in family_names())


def reads_as_person(words: list[str], lexicon: Lexicon, small: frozenset[str]) -> bool:
    """Whether two to four capitalised words are a person's name wherever they stand."""
    words = [re.sub("['’]s$", "", word) for word in words]
    whole = [word for word in words if len(word.strip(".")) > 1]
    if len(words) < 2 or not whole or all(word in lexicon.eponyms_en for word in whole):
        return False
    given = is_given_name(words[0])
    # Veerle, Okanay: no word of English, so a name of elsewhere.
    unknown = _plain(words[0]) not in used_words() and words[0] not in lexicon.eponyms_en
    if words[0].strip(".") in TITLES or words[0] in lexicon.not_names or is_word(words[0]) or words[0].lower() in small:
        return False
    rest = [word for word in whole if word is not words[0] and word[0].isupper()]
    return not any(word in lexicon.not_names or word.lower() in small or is_word(word, given, unknown) for word in rest)
