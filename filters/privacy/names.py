"""Names of persons in both languages, and every other place where a name that was found stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from filters.privacy.chinese_names import chinese_finders
from filters.privacy.english_names import AFTER_EPONYM, english_finders
from filters.privacy.english_words import is_word
from filters.privacy.finder import Finder
from filters.privacy.lexicon import Lexicon
from filters.privacy.spans import Span
from filters.privacy.tables import HINT as TABLE_HINT
from filters.privacy.tables import find_cells


@lru_cache(maxsize=4)
def name_finders(lexicon: Lexicon) -> tuple[Finder, ...]:
    """Finders of names in text and in cells of tables."""
    return (*chinese_finders(lexicon), *english_finders(lexicon), Finder(TABLE_HINT, find_cells, "public"))


@lru_cache(maxsize=4096)
def _whole_word(value: str) -> re.Pattern[str]:
    escaped = r"\s{1,2}".join(re.escape(part) for part in value.split())
    return re.compile(
        rf"(?<![A-Za-z])(?<![A-Za-z]-){escaped}(?![A-Za-z]|[-–][A-Za-z])" if value[0].isascii() else escaped
    )


def again(text: str, values: set[str], lexicon: Lexicon) -> Iterator[Span]:
    """Other places of names already found, and of their surnames (first names with one) alone."""
    wanted: set[str] = set()
    for value in sorted(values):
        if not value[0].isascii():
            if len(value) >= 2 and not value.endswith("某"):
                wanted.add(value)
            continue
        wanted.add(value)
        words = [word.strip(",.") for word in value.split()]
        if len(words) > 1:
            wanted.update(word for word in words if len(word) > 2 and _proper(word, lexicon))
    for value in sorted(wanted):
        for match in _whole_word(value).finditer(text):
            if not AFTER_EPONYM.match(text, match.end()):
                yield Span(match.start(), match.end(), "NAME")


def _proper(word: str, lexicon: Lexicon) -> bool:
    listed = word in lexicon.not_names or word in lexicon.eponyms_en
    return not listed and word[0].isupper() and not is_word(word, behind_given=True)
