"""The words that count: full-width forms narrowed, reasoning and echoes left out, in one pass each.

An answer may be anything, also a hundred thousand open tags: nothing here backtracks or recurses.
"""

from __future__ import annotations

import re
from typing import Final

MOST_CHARACTERS: Final = 40_000  # of an answer, its first and last halves are read
_WIDE: Final = {
    0x3000: " ",
    0xA0: " ",
    0x2009: " ",
    0x202F: " ",
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
}
_UNSEEN: Final = dict.fromkeys(
    [0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD, 0xFFFD, 0x200E, 0x200F, *range(0x202A, 0x202F), 0]
)
SHORT_QUOTE: Final = 5  # with its marks: a letter in quotation marks is an answer, an instruction is longer
_ROMAN: Final = {0x2160: "I", 0x2161: "II", 0x2162: "III", 0x2163: "IV"}
_INLINE: Final = re.compile(
    r"<!--.{0,2000}?-->|</?(?:em|strong|code|mark|span|div|big|center|font)(?:\s[^<>]{0,100})?/?>|<([biup])>(?=[^<]{0,200}</\1>)|</[biup]>",
    re.IGNORECASE | re.DOTALL,
)
_LINE_BREAK: Final = re.compile(r"<br\s?/?>", re.IGNORECASE)
_PICTURES: Final = re.compile(r"^[\s\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]+")
_TAG: Final = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_NEXT_QUESTION: Final = re.compile(
    r"\n\s*(?:\*\*|#+\s*)?(?:(?:next\s+)?question\s*\d*\s*[:.)]|q\s*\d+\s*[:.)]|q:|user:|human:|patient:\s*\n|###\s*instruction|<\|im_start\|>\s*user"
    r"|第\s*[0-9一二三四五六七八九十]+\s*题|题目\s*[:：]|问题\s*\d*\s*[:：]|问\s*[:：]|用户\s*[:：])"
    r"|(?:\n|[。；;！!?？])\s*(?:\*\*|#+\s*)?(?:下一道?题|下题|另一道?题)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(
    r"‘[^‘’\n]{0,200}’|“[^“”\n]{0,200}”|「[^「」\n]{0,200}」|(?<![\w])'[^'\n]{1,200}'(?!\w)|(?<![\w:{,\[ ])\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`"
)


def narrowed(text: str) -> str:
    """Full-width letters, digits and marks as their narrow ones; unseen and replacement characters gone."""
    return text.translate(_WIDE).translate(_UNSEEN).translate(_ROMAN)


def without_reasoning(text: str) -> str:
    """What stands outside think tags. What stands before a lone closing tag is reasoning, and so is all behind one never closed."""
    kept: list[str] = []
    depth, at = 0, 0
    for tag in _TAG.finditer(text):
        if depth == 0:
            kept.append(text[at : tag.start()])
        if not tag[1]:
            depth += 1
        elif depth == 0:
            kept.clear()
        else:
            depth = 0  # a thought within a thought is closed with it
        at = tag.end()
    if depth == 0:
        kept.append(text[at:])
    return "".join(kept)


_SET: Final = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathsf|mathit|rm|bf)\s?\{([^{}\n]{1,80})\}")
_LETTER_SET: Final = re.compile(r"(?:\\\(|\$)\s?([A-J])\s?(?:\\\)|\$)")


def said(answer: str, prompt: str = "") -> str:
    """The answer's own words: narrowed, bounded in length, without reasoning and without an echo of the prompt."""
    words = without_reasoning(narrowed(answer)).strip()
    asked = narrowed(prompt).strip()
    if asked and len(asked) > 20 and words.startswith(asked):
        words = words[len(asked) :].strip()
    words = _LETTER_SET.sub(r"\1", _SET.sub(r"\1", words))
    if len(words) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        words = words[:half] + "\n" + words[-half:]
    return _PICTURES.sub("", _LINE_BREAK.sub("\n", _INLINE.sub("", words)).strip())


def without_quotations(text: str) -> str:
    """The text with blanks in place of what stands between quotation marks: an instruction told again is no answer."""
    return _QUOTED.sub(lambda found: found[0] if len(found[0]) <= SHORT_QUOTE else " " * len(found[0]), text)


def own_question(text: str) -> list[str]:
    """The text up to a question that the answer itself invents, then the whole."""
    # A heading at the very beginning is over the question that was asked.
    found = next((one for one in _NEXT_QUESTION.finditer("\n" + text) if one.start() > 1), None)
    if found is None:
        return [text]
    return [text[: found.start() - 1], text]
