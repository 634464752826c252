"""Characters that stand for others: radicals and compatibility forms in the place of ideographs."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Kangxi radicals, their supplement, compatibility ideographs, ligatures of Latin letters.
STANDS_FOR: Final = re.compile("[\u2e80-\u2fd5\uf900-\ufaff\ufb00-\ufb06\U0002f800-\U0002fa1f]")
# Radicals of the supplement, which Unicode maps to nothing, each before the ideograph that it is a form of.
_PAIRS: Final = (
    "⺠民⺟母⻄西⻅见⻆角⻉贝⻋车⻓长⻔门⻘青⻙韦⻚页⻛风⻜飞⻝食⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻬齐⻮齿⻰龙⻳龟"
)
SUPPLEMENT: Final = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))


def plain_characters(text: str) -> str:
    """The text with each such character as the usual one."""
    return STANDS_FOR.sub(lambda found: SUPPLEMENT.get(found[0]) or unicodedata.normalize("NFKC", found[0]), text)
