"""Word lists of the search for names, and which Chinese strings are ordinary words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import polars as pl
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from filters.medical_terms import term_patterns
from schemas.errors import WrongCall

LEXICON: Final = Path(__file__).with_name("lexicon.yaml")
PERSON_TAGS: Final = {"nr", "nrt", "nrfg"}
FREQUENT: Final = 300  # what the dictionary calls a name and yet is that frequent is a word: 康复, 谢谢


@dataclass(frozen=True)
class Lexicon:
    """Lists of words by what they are for."""

    surnames: frozenset[str]
    rare_surnames: frozenset[str]
    doubtful_surnames: frozenset[str]
    word_surnames: frozenset[str]
    given_zh: frozenset[str]
    eponyms_zh: frozenset[str]
    eponyms_en: frozenset[str]
    first_names: frozenset[str]
    not_names: frozenset[str]
    not_names_zh: frozenset[str]
    small_words: frozenset[str]


@lru_cache(maxsize=2)
def load_lexicon(path: str | None = None) -> Lexicon:
    """The bundled lists, each widened by the list of the same name in `path`."""
    yaml = YAML(typ="safe")
    lists = {name: set(words.split()) for name, words in yaml.load(LEXICON.read_text(encoding="utf-8")).items()}
    lists["given_zh"] = set("".join(lists["given_zh"]))  # characters, written without blanks
    if path:
        try:
            own = yaml.load(Path(path).read_text(encoding="utf-8"))
            for name, words in own.items():
                lists[name] |= set(words.split() if isinstance(words, str) else words)
        except (OSError, YAMLError, AttributeError, KeyError, TypeError) as error:
            known = ", ".join(lists)
            raise WrongCall(f"lexicon {path}: {error}; it maps any of {known} to lists of words") from None
    return Lexicon(**{name: frozenset(words) for name, words in lists.items()})


@lru_cache(maxsize=1)
def _dictionary() -> tuple[frozenset[str], frozenset[str]]:
    path = str(files("jieba").joinpath("dict.txt"))
    rows = pl.read_csv(path, separator=" ", has_header=False, quote_char=None, new_columns=["word", "count", "tag"])
    rows = rows.drop_nulls().filter(pl.col("word").str.len_chars() > 1)
    named = pl.col("tag").is_in(sorted(PERSON_TAGS))
    persons = frozenset(rows.filter(named)["word"])
    frequent = frozenset(rows.filter(~named | (pl.col("count") >= FREQUENT))["word"])
    return frequent, persons


def ordinary_words() -> frozenset[str]:
    """Chinese words of jieba's dictionary that are no names of persons."""
    return _dictionary()[0]


def called_persons() -> frozenset[str]:
    """What jieba's dictionary calls a person's name: 王英, but plants and drugs as well (麦冬)."""
    return _dictionary()[1]


# What a label's value may be besides a person, in both languages.
NO_PERSON: Final = frozenset(
    [
        "healthy",
        "well",
        "alive",
        "deceased",
        "dead",
        "adopted",
        "carrier",
        "none",
        "unknown",
        "unremarkable",
        "negative",
        "positive",
        "normal",
        "living",
        "na",
        "nil",
        "declined",
        "metformin",
        "glucophage",
        "insulin",
        "aspirin",
        "warfarin",
    ]
)
DRUG_LIKE: Final = re.compile(
    r"(?i)[a-z]{2,}(?:cillin|cycline|mycin|floxacin|azole|vir|pril|sartan|olol|dipine|statin|gliptin|gliflozin|formin|prazole|tidine|"
    r"setron|triptan|pam|profen|oxicam|caine|parin|xaban|thiazide|semide|phylline|sone|solone|mab|nib|platin|taxel|trexate|thyroxine)"
)
MEDICAL_ZH: Final = re.compile(
    "病|症|炎|癌|瘤|血压|血糖|血脂|过敏|骨折|哮喘|卒中|中风|结石|结核|梗死|衰竭|健康|体健|健在|去世|已故|正常|不详|均|否认|史|药|片|丸|膏|胶囊|注射"
)


@lru_cache(maxsize=1 << 14)
def is_medical(value: str) -> bool:
    """Whether the value of a label names a drug, a disease or a finding rather than a person."""
    if not value[:1].isascii() and MEDICAL_ZH.search(value):
        return True
    words = re.findall(r"[A-Za-z]+", value)
    if any(word.lower() in NO_PERSON or DRUG_LIKE.fullmatch(word) for word in words):
        return True
    beginning = re.compile(term_patterns()[0])
    return bool(words) and 2 * sum(len(word) > 5 and beginning.match(word) is not None for word in words) >= len(words)
