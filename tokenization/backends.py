"""Faster encoders beside `tokenizers`, trusted only where they give the same ids.

They know the patterns of familiar tokenizers and go wrong on others without a word. So a backend is asked for texts
that have tripped such encoders before, and for texts of the corpus at hand; one difference, and `tokenizers` it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

Encode = Callable[[list[str]], list[Any]]
# Scripts, combining marks, emoji, control characters, odd white space, marks of templates, long runs, cases that fold.
ADVERSARIAL: Final = (
    "",
    " ",
    "a",
    "<|im_start|>assistant\n",
    "a<|endoftext|>b",
    "<|user|>",
    "<s>[INST] x [/INST]</s>",
    "I'll we've you're 'S 'LL it'ſ DON'T",
    "１２３ ½ ² Ⅷ 零一二",
    "e\u0301 caf\u00e9 cafe\u0301 \u0345 a\u0300\u0301\u0302",
    "\x00\x01\x07\x7f\x85\u2028\u2029\u200b\u200d\ufeff\ufffd\ufffe",
    "😀👨\u200d👩\u200d👧\u200d👦 🇨🇳 👍🏽 \U0001f9ec",
    "   \n\n \t x\r\n\r\n\ty \u00a0\u3000z  ",
    "\n\n\nx\n \n",
    "A" * 3000,
    " " * 2000,
    "\n" * 500,
    "-" * 1500,
    "药" * 1200,
    "1" * 900,
    "中文abc中文123，。；：「」",
    "血常规：WBC 12.3×10^9/L↑ CRP<5mg/L",
    "กขค ไทย ລາວ မြန်မာ ខ្មែរ",
    "עברית العربية فارسی اُردُو",
    "हिन्दी বাংলা தமிழ் తెలుగు",
    "한국어 조선말 ᄒᆞᆫ글",
    "ÅÄÖ ß ẞ ı İ ŉ ǰ ﬁ ﬀ ſ K Å",
    "ελληνικά русский ქართული հայերեն",
    "\U00010400\U0001d400\U00020000\U000e0061\U0010fffd",
    "http://x.y/?a=b&c=%20#d a_b-c.d@e.f $x^2_{i}$ \\frac{a}{b}",
    "x\u0307\u0323 \u1e69 \ufb1d \u0958 \u2126 \uac00 \u1100\u1161",
    "ゃゅょ ｶﾞ が カ\u3099",
    "\ud7ff\ue000 a\u20dd",
)
OWN: Final = 8  # texts of the corpus that are compared
OWN_CHARACTERS: Final = 4000  # of each


def text_only(tokenizer_json: str) -> str:
    """A `tokenizer.json` to which special tokens are text like any other, that cuts and pads nothing."""
    told = json.loads(tokenizer_json)
    told["added_tokens"] = [one for one in told.get("added_tokens") or [] if not one.get("special")]
    return json.dumps({**told, "truncation": None, "padding": None, "post_processor": None}, ensure_ascii=False)


def backends(tokenizer_json: str) -> Iterator[tuple[str, Encode]]:
    """Fast encoders that are installed and take this tokenizer, the likeliest first."""
    for name, make in (("gigatoken", _gigatoken), ("fastokens", _fastokens)):
        try:
            yield name, make(tokenizer_json)
        except Exception:  # not installed, or not a tokenizer that it knows: the next one
            continue


def _gigatoken(tokenizer_json: str) -> Encode:
    import gigatoken

    tokenizer = gigatoken.Tokenizer.from_json(tokenizer_json)
    # On the calling thread: workers are processes, one a core.
    return lambda texts: tokenizer.encode_batch_list(texts, parallel=False) if texts else []


def _fastokens(tokenizer_json: str) -> Encode:
    import fastokens

    tokenizer = fastokens.Tokenizer.from_json_str(tokenizer_json)
    return lambda texts: [one.ids for one in tokenizer.encode_batch(texts, False)] if texts else []


def agrees(encode: Encode, slowly: Encode, texts: Sequence[str]) -> str | None:
    """None where a backend gives the ids that `tokenizers` gives, else where they differ first."""
    try:
        found = encode(list(texts))
    except BaseException as error:  # a panic of Rust is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return f"{type(error).__name__}: {error}"
    for text, one, right in zip(texts, found, slowly(list(texts)), strict=True):
        if list(one) != list(right):
            return f"other ids for {text[:40]!r}"
    return None
