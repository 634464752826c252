"""What readers yield: drafts of documents, and records that could not be read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from schemas.errors import Unreadable

# The largest single document, line or record. A larger one is no document but a data file that
# should be split: it is quarantined, so that memory stays bounded whatever comes in.
MAX_DOCUMENT_BYTES: Final = 64 << 20
HEAD_BYTES: Final = 8192


@dataclass
class Blob:
    """A file, archive member or decompressed stream: read once, front to back.

    `uri` is relative to the data root, members behind `!/`. `head` is the first bytes, already
    looked at; `stream` begins at the first byte. `glance` is told the words of a page before it is
    extracted, and says why it is left out.
    """

    uri: str
    head: bytes
    stream: BinaryIO
    size: int | None = None
    stored_as: tuple[str, ...] = ()
    glance: Callable[[str], str | None] | None = None

    @property
    def name(self) -> str:
        """Last part of the uri."""
        return self.uri.rsplit("/", 1)[-1]

    def read_all(self, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
        """All bytes; more than `limit` is refused, and so is nothing at all."""
        data = self.stream.read(limit + 1)
        if len(data) > limit:
            raise Unreadable(f"larger than {limit >> 20} MiB as one document; split it")
        if not data:
            raise Unreadable("empty file")
        return data


class _Joined(io.RawIOBase):
    """A stream that gives its head again before the rest."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        data = self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_blob(uri: str, stream: BinaryIO, size: int | None = None, stored_as: tuple[str, ...] = ()) -> Blob:
    """A blob whose head has been looked at; seekable streams stay seekable."""
    head = stream.read(HEAD_BYTES)
    if stream.seekable():
        stream.seek(0)
        return Blob(uri, head, stream, size, stored_as)
    return Blob(uri, head, io.BufferedReader(_Joined(head, stream), 1 << 20), size, stored_as)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Draft:
    """A document as its format tells it; the rest (id, source, grade) is added later.

    `place` tells records of one file apart; `uri` replaces the file's where the record has its own.
    `is_row`: its own columns say more of it than the source does of all.
    `left_out` says why a record that was understood is no document (a redirect, a page of another language):
    it is dropped by `read`, with that reason.
    """

    text: str
    raw_sha256: str
    place: str = ""
    uri: str | None = None
    canonical: str | None = None
    title: str | None = None
    published: str | None = None
    licence: str | None = None
    language: str | None = None
    authority: str | None = None
    publisher: str | None = None
    issn: str | None = None
    article_type: str | None = None
    doi: str | None = None
    identifiers: tuple[str, ...] = ()
    series: str | None = None
    edition: str | None = None
    retracted: bool = False
    is_row: bool = False
    retracts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    ocr: float | None = None
    left_out: str | None = None
    task: str | None = None
    ability: str | None = None
    difficulty: int | None = None
    conversation: str | None = None
    edits: tuple[tuple[str, int], ...] = field(default=())

    def with_edit(self, what: str, count: int) -> Draft:
        """The same draft with one more edit noted."""
        return replace(self, edits=(*self.edits, (what, count)))


@dataclass(frozen=True)
class Broken:
    """An input, or one record of it, that could not be read."""

    uri: str
    reader: str
    error: str
    bytes: int
    sha256: str


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
