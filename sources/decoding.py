"""Bytes to text in whatever encoding they come, and a note of which it was.

UTF-8 is tried first, then byte order marks, then the two Chinese encodings by how many of their
characters are common ones, then Western single bytes. charset-normalizer decides what is left.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

import numpy as np

SAMPLE_BYTES: Final = 1 << 20
# Share of bytes that may be broken before a text is not taken for UTF-8 or GB18030 at all.
MAX_BROKEN_SHARE: Final = 0.01
# Share of common characters from which a double-byte reading is believed; random pairs give ~0.5.
MIN_COMMON_SHARE: Final = 0.70
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Decoded:
    """Text, the encoding it was read in, and how many characters had to be replaced."""

    text: str
    encoding: str
    replaced: int

    @property
    def edits(self) -> tuple[tuple[str, int], ...]:
        """What a document's `edits` should say; nothing for clean UTF-8."""
        found: list[tuple[str, int]] = []
        if self.encoding not in ("utf-8", "utf-8-sig"):
            found.append((f"decoded from {self.encoding}", 1))
        if self.replaced:
            found.append(("undecodable bytes replaced", self.replaced))
        return tuple(found)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode a whole text; `declared` is what the format says, believed where it decodes cleanly."""
    encoding = detect(data[:SAMPLE_BYTES], declared)
    text = data.decode(encoding, "replace")
    replaced = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    return Decoded(text, encoding, max(replaced, 0))


def detect(sample: bytes, declared: str | None = None) -> str:
    """Python's name of the encoding of `sample`."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    if wide := _wide(sample):
        return wide
    if _broken_share(sample, "utf-8") == 0:
        return "utf-8"
    if declared and _known(declared) and _broken_share(sample, declared) == 0:
        return codecs.lookup(declared).name
    if _broken_share(sample, "utf-8") < MAX_BROKEN_SHARE and _multibyte_share(sample) > 0.5:
        return "utf-8"
    shares = {name: _common_share(sample, name) for name in ("gb18030", "big5")}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= MIN_COMMON_SHARE:
        return best
    return _western(sample)


def _known(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of Western text is zero."""
    if len(sample) < 4:
        return None
    data = np.frombuffer(sample[: len(sample) // 2 * 2], dtype=np.uint8)
    even, odd = (data[0::2] == 0).mean(), (data[1::2] == 0).mean()
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return None


def _broken_share(sample: bytes, encoding: str) -> float:
    """Share of the sample's bytes that do not decode; a cut character at its end does not count."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = decoder.decode(sample)
    broken = text.count("\ufffd") - (sample.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0)
    return max(broken, 0) / max(len(sample), 1)


def _multibyte_share(sample: bytes) -> float:
    """Share of the bytes above ASCII that stand in well-formed UTF-8 sequences."""
    high = sum(byte >= 0x80 for byte in sample)
    good = sample.decode("utf-8", "ignore").encode()
    return sum(byte >= 0x80 for byte in good) / max(high, 1)


def _common_share(sample: bytes, encoding: str) -> float:
    """Share of double-byte characters that are of the encoding's first, common level."""
    if _broken_share(sample, encoding) > MAX_BROKEN_SHARE:
        return 0.0
    first_level = (0xB0, 0xD7) if encoding == "gb18030" else (0xA4, 0xC6)
    symbols = (0xA1, 0xA9) if encoding == "gb18030" else (0xA1, 0xA3)
    common = other = 0
    position = 0
    while position < len(sample) - 1:
        lead = sample[position]
        if lead < 0x81:
            position += 1
            continue
        # Trail bytes in the ASCII range hold rare characters in both; Western text is full of them.
        if first_level[0] <= lead <= first_level[1] and (encoding == "big5" or sample[position + 1] >= 0xA1):
            common += 1
        elif not (symbols[0] <= lead <= symbols[1]):
            other += 1
        position += 2
    return common / max(common + other, 1)


def _western(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample[: 1 << 16]).best()
    if best is None or best.encoding in ("ascii", "utf_8"):
        return "cp1252"
    # The detector prefers exotic code pages on short Western text; Latin-1 repertoire stays cp1252.
    as_western = sample.decode("cp1252", "replace")
    letters = [char for char in as_western if ord(char) > 0x7F]
    if (
        letters
        and sum(
            char in "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœÀÁÂÄÅÆÇÈÉÊËÎÏÑÒÓÔÖØÙÚÜ–—‘’“”…°±²³µ·½¼×÷€£©®" for char in letters
        )
        / len(letters)
        > 0.8
    ):
        return "cp1252"
    return str(best.encoding)


def without_surrogates(text: str) -> tuple[str, int]:
    """The text with lone surrogates replaced (JSON may hold them), and how many there were."""
    try:
        text.encode()
        return text, 0
    except UnicodeEncodeError:
        count = sum(0xD800 <= ord(char) <= 0xDFFF for char in text)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), count
