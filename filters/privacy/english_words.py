"""Which English words are names of persons and which are words, by the lists of `filters.english`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from filters.english import disease_words, family_names, given_names, plain, used_words
from filters.privacy.lexicon import Lexicon, is_medical

TITLES: Final = frozenset(
    ["Mr", "Mrs", "Ms", "Mx", "Miss", "Dr", "Drs", "Prof"]
)  # finders of their own know what follows
SMALL: Final = re.compile(r"(?<![A-Za-z])[a-z]{3,}(?![A-Za-z])")


@lru_cache(maxsize=8)
def small_words(text: str) -> frozenset[str]:
    """Words that a text writes in small letters; written large elsewhere in it they begin a sentence or a heading."""
    return frozenset(SMALL.findall(text))


def is_given_name(word: str) -> bool:
    """Whether the census has a word among given names."""
    return plain(word) in given_names()


def is_of_medicine(word: str) -> bool:
    """Whether a word of four letters and more is one of a disease's description, or a drug's or finding's."""
    return len(word) > 3 and (plain(word) in disease_words() or is_medical(word))


@lru_cache(maxsize=1 << 14)
def is_word(word: str, behind_given: bool = False, behind_unknown: bool = False) -> bool:
    """Whether a capitalised word is one of English or of medicine rather than a name.

    `behind_given`: a given name stands before it, so that a word that is a family name as well is one (Julie Brown);
    `behind_unknown`: what stands before it is no word, so that it is one but for words of diseases (Conor Stone).
    """
    if "-" in word:
        return any(is_word(part, behind_given, behind_unknown) for part in word.split("-") if len(part) > 3)
    written = plain(word)
    if written in given_names() or (behind_given and written in family_names()):
        return False
    if is_of_medicine(word):
        return True
    return written in used_words() and not (behind_unknown and written in family_names())


def reads_as_person(words: list[str], lexicon: Lexicon, small: frozenset[str]) -> bool:
    """Whether two to four capitalised words are a person's name wherever they stand."""
    words = [re.sub("['’]s$", "", word) for word in words]
    whole = [word for word in words if len(word.strip(".")) > 1]
    if len(words) < 2 or not whole or all(word in lexicon.eponyms_en for word in whole):
        return False
    given = is_given_name(words[0])
    # Veerle, Okanay: no word of English, so a name of elsewhere.
    unknown = (
        len(words[0].strip(".")) > 1 and plain(words[0]) not in used_words() and words[0] not in lexicon.eponyms_en
    )
    if words[0].strip(".") in TITLES or words[0] in lexicon.not_names or is_word(words[0]) or words[0].lower() in small:
        return False
    rest = [word for word in whole if word is not words[0] and word[0].isupper()]
    return not any(word in lexicon.not_names or word.lower() in small or is_word(word, given, unknown) for word in rest)
