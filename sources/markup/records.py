"""Records of a large XML file, cut out of it as bytes: each is parsed alone, so that a broken one costs no other.

What stands outside the records (prologue, root, blanks) is parsed as it comes: a file that ends too early, or is no XML
there, is told from a whole one. Records are UTF-8; a file that declares another encoding is recoded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from lxml import etree

from schemas.errors import Unreadable
from sources.draft import HEAD_BYTES, MAX_DOCUMENT_BYTES

PIECE: Final = 1 << 20
LONGEST_TAG: Final = 64  # of the names that are looked for: a tag may be cut in two by the end of a piece
DECLARATION: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml\s[^>]*\?>)?")
DECLARED: Final = re.compile(rb"""encoding\s*=\s*["']([\w.:-]+)["']""")
ASIDE: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}  # what may hold anything, and its end


class Records:
    """The elements `names` that lie in no other of them, in the order of the file: pairs of name and bytes.

    When they are at an end, `fault` says what is not well-formed outside of them, if anything.
    """

    def __init__(self, stream: BinaryIO, names: tuple[str, ...]) -> None:
        self._stream = stream
        self._starts = re.compile(rb"<!--|<!\[CDATA\[|<\?|<(" + "|".join(names).encode() + rb")(?=[\s>/])")
        self._recode: codecs.IncrementalDecoder | None = None
        self._buffer = b""
        self._told = 0  # up to where the parser of the outside has been told of the buffer
        self._outside = _Outside()
        self.fault: str | None = None

    @property
    def prefixes(self) -> dict[str, str]:
        """Prefixes of namespaces that are declared outside."""
        return self._outside.prefixes

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        parser = etree.XMLParser(target=self._outside, resolve_entities=False, no_network=True, load_dtd=False)
        parser.feed(b"<?xml version='1.0' encoding='utf-8'?>")
        try:
            self._begin()
            yield from self._cut(parser)
            parser.feed(self._buffer[self._told :])
            parser.close()
        except (etree.XMLSyntaxError, UnicodeDecodeError, Unreadable) as error:
            self.fault = str(error)

    def _begin(self) -> None:
        while len(self._buffer) < HEAD_BYTES and self._more():
            pass
        found = DECLARATION.match(self._buffer)
        declaration = found[0] if found else b""
        self._buffer = self._buffer[len(declaration) :]
        told = DECLARED.search(declaration)
        name = told[1].decode().lower() if told else "utf-8"
        wide = name.startswith(("utf-16", "utf-32", "ucs"))  # not true, where the declaration could be read
        if name not in ("utf-8", "utf8", "us-ascii", "ascii") and not wide:
            try:
                self._recode = codecs.getincrementaldecoder(name)()
            except LookupError:
                raise Unreadable(f"unknown encoding '{name}'") from None
            self._buffer = self._recode.decode(self._buffer).encode()

    def _more(self) -> bool:
        """Read on, as much again as is held, so that a long record is looked through a few times only."""
        piece = self._stream.read(max(PIECE, len(self._buffer)))
        self._buffer += piece if self._recode is None else self._recode.decode(piece, final=not piece).encode()
        return bool(piece)

    def _cut(self, parser: etree.XMLParser) -> Iterator[tuple[str, bytes]]:
        at = 0
        while True:
            found = self._starts.search(self._buffer, at)
            end = self._end_of(found) if found else None
            if found is None or end is None:
                rest = found.start() if found else max(at, len(self._buffer) - LONGEST_TAG)
                parser.feed(self._buffer[self._told : rest])
                self._buffer, self._told, at = self._buffer[rest:], 0, 0
                if len(self._buffer) > MAX_DOCUMENT_BYTES:
                    raise Unreadable(f"a record larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
                if not self._more():
                    return
            elif found[1] is None:
                at = end
            else:
                parser.feed(self._buffer[self._told : found.start()] + b"<record/>")
                at = self._told = end
                yield found[1].decode(), self._buffer[found.start() : end]

    def _end_of(self, found: re.Match[bytes]) -> int | None:
        """Where a comment, a section of characters, an instruction or a record ends; None beyond what is held."""
        if found[1] is None:
            return self._behind(ASIDE[found[0]], found.end())
        at, closing = self._behind(b">", found.end()), b"</" + found[1]
        if at is None or self._buffer[at - 2 : at] == b"/>":
            return at
        while at is not None and (end := self._buffer.find(closing, at)) >= 0:
            aside = _aside(self._buffer, at, end)
            name = self._starts.match(self._buffer, aside) if aside >= 0 else None
            if name is not None:
                at = self._behind(ASIDE[name[0]], name.end())
            elif self._buffer[end + len(closing) : end + len(closing) + 1] in _AFTER_NAME:
                return self._behind(b">", end + len(closing))
            else:  # a longer name
                at = end + len(closing)
        return None

    def _behind(self, mark: bytes, start: int) -> int | None:
        at = self._buffer.find(mark, start)
        return at + len(mark) if at >= 0 else None


_AFTER_NAME: Final = (b">", b" ", b"\t", b"\r", b"\n")


def holds_asides(data: bytes) -> bool:
    """Whether there are comments, sections of characters or instructions, which may hold what looks like a tag."""
    return _aside(data, 0, len(data)) >= 0


def _aside(data: bytes, start: int, end: int) -> int:
    """The first of `<!` and `<?`; looked for by their second letter, which is rare where the first is not."""
    found = []
    for mark in (b"!", b"?"):
        at = data.find(mark, start + 1, end)
        while at >= 0 and data[at - 1 : at] != b"<":
            at = data.find(mark, at + 1, end)
        found.append(at - 1)
    return min((one for one in found if one >= 0), default=-1)


class _Outside:
    """Target of a parser that keeps nothing but declared prefixes: it only says whether all is well-formed."""

    def __init__(self) -> None:
        self.prefixes: dict[str, str] = {}

    def start(self, tag: str, attributes: object, namespaces: dict[str | None, str]) -> None:
        self.prefixes.update({prefix: uri for prefix, uri in namespaces.items() if prefix})

    def end(self, tag: str) -> None: ...

    def close(self) -> None: ...
