"""A WARC file cut into its records, and what is no whole record told by its place, so that reading goes on behind it.

A length that leads nowhere, a header without an end, a gzip member that was cut: the next record begins where
a line says `WARC/1.` again, or where the next gzip member does.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import IO, Final

from sources.containers import EXPANSION_FREE_BYTES, MAX_EXPANSION
from sources.draft import MAX_DOCUMENT_BYTES

CHUNK: Final = 1 << 18
MAGIC: Final = b"\x1f\x8b\x08"
LONGEST_HEADER: Final = 1 << 16
LONGEST: Final = MAX_DOCUMENT_BYTES + LONGEST_HEADER  # bytes of a record that are held
BEGINS: Final = re.compile(rb"(?:\r?\n)?WARC/[01]\.\d+\r?\n(?=[A-Z][A-Za-z-]+:)")
FOLLOWED: Final = re.compile(rb"(?:\r?\n)*(?:WARC/[01]\.\d+\r?\n|$)")
BLANK: Final = re.compile(rb"[\r\n]*")
LENGTH: Final = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,15})[ \t]*\r?$")


@dataclass(frozen=True)
class Whole:
    """A record, header and body."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Torn:
    """Bytes that are no whole record, from an offset on: in the file, or within its unpacked text where it is one."""

    offset: int
    size: int
    sha256: str
    why: str
    head: bytes


def records(stream: IO[bytes]) -> Iterator[Whole | Torn]:
    """All records of a file, packed by gzip or not, in order."""
    stream.seek(0)
    packed = stream.read(2) == MAGIC[:2]
    stream.seek(0)
    yield from _packed(stream) if packed else _plain(stream)


def _plain(stream: IO[bytes]) -> Iterator[Whole | Torn]:
    splitter = _Splitter()
    while chunk := stream.read(CHUNK):
        yield from splitter.feed(chunk)
    yield from splitter.end("record cut short")


def _packed(stream: IO[bytes]) -> Iterator[Whole | Torn]:
    """Gzip members one after the other; each begins a record, whatever the one before came to."""
    at = 0
    while True:
        stream.seek(at)
        if not (head := stream.read(len(MAGIC))):
            return
        if head != MAGIC:
            following = _next_member(stream, at)
            if _filled(stream, at, following):
                yield Torn(at, following - at, "", "bytes that belong to no gzip member", b"")
            at = following
            continue
        splitter = _Splitter(at)
        end, why = yield from _member(stream, at, splitter)
        if why is None:
            at = end
            yield from splitter.end("record cut short")
        else:
            at = _next_member(stream, at + 1)
            yield from splitter.end(why, always=True)


def _member(stream: IO[bytes], at: int, splitter: _Splitter) -> Generator[Whole | Torn, None, tuple[int, str | None]]:
    """Records of one member; returns where the next begins, or why it could not be unpacked."""
    stream.seek(at)
    unpacker = zlib.decompressobj(31)
    taken = given = 0
    while not unpacker.eof:
        chunk = stream.read(CHUNK)
        if not chunk:
            return at, "gzip member cut short"
        taken += len(chunk)
        try:
            told = unpacker.decompress(chunk, CHUNK * 16)
            while told or unpacker.unconsumed_tail:
                given += len(told)
                if given > EXPANSION_FREE_BYTES and given > MAX_EXPANSION * taken:
                    return at, f"gzip member expands more than {MAX_EXPANSION}-fold; taken for a decompression bomb"
                yield from splitter.feed(told)
                told = unpacker.decompress(unpacker.unconsumed_tail, CHUNK * 16) if unpacker.unconsumed_tail else b""
        except zlib.error as error:
            return at, f"gzip member is damaged: {error}"
    return at + taken - len(unpacker.unused_data), None


def _next_member(stream: IO[bytes], at: int) -> int:
    """Where the next member begins whose first bytes can be unpacked; the file's end without one."""
    stream.seek(at)
    carried = b""
    start = at
    while chunk := stream.read(CHUNK):
        window = carried + chunk
        found = window.find(MAGIC)
        while found >= 0:
            place = start - len(carried) + found
            back = stream.tell()
            if _unpacks(stream, place):
                return place
            stream.seek(back)
            found = window.find(MAGIC, found + 1)
        start += len(chunk)
        carried = window[-(len(MAGIC) - 1) :]
    return start


def _unpacks(stream: IO[bytes], at: int) -> bool:
    stream.seek(at)
    try:
        return zlib.decompressobj(31).decompress(stream.read(4096), 64)[:5] == b"WARC/"
    except zlib.error:
        return False


def _filled(stream: IO[bytes], start: int, end: int) -> bool:
    """Whether there is anything but zeros and blanks between two places."""
    stream.seek(start)
    left = end - start
    while left > 0 and (chunk := stream.read(min(CHUNK, left))):
        if chunk.strip(b"\x00\r\n\t "):
            return True
        left -= len(chunk)
    return False


class _Splitter:
    """Cuts what it is fed into records; `origin` is told as the place of all of them, for members of gzip."""

    def __init__(self, origin: int | None = None) -> None:
        self.origin = origin
        self.buffer = bytearray()
        self.passed = 0  # bytes before the buffer
        self.lost: tuple[int, int, str, bytes] | None = (
            None  # start, bytes so far, why, first bytes of what is passed over
        )
        self.digest = hashlib.sha256()
        self.whole = 0

    def feed(self, data: bytes) -> Iterator[Whole | Torn]:
        """Records that are whole by now."""
        self.buffer += data
        yield from self._cut(final=False)

    def end(self, why: str, always: bool = False) -> Iterator[Whole | Torn]:
        """What is left when nothing more comes; `always`: also where nothing is left, for a member that was damaged."""
        yield from self._cut(final=True, why=why)
        if self.lost is not None:
            yield self._found()
        elif always and not self.whole:
            yield Torn(self.origin or 0, 0, "", why, b"")

    def _cut(self, final: bool, why: str = "record cut short") -> Iterator[Whole | Torn]:
        while self.buffer:
            if self.lost is not None:
                if not self._resynchronised(final):
                    return
                yield self._found()
                continue
            blank = BLANK.match(self.buffer)
            self._drop(blank.end() if blank else 0)
            if len(self.buffer) < 12 and not final:
                return
            if not self.buffer:
                return
            told = self._one(final, why)
            if told is None:
                return
            if isinstance(told, Whole):
                self.whole += 1
                yield told

    def _one(self, final: bool, why: str) -> Whole | bool | None:
        """A record; None where more is needed; False where what is there is passed over from now on."""
        if not self.buffer.startswith(b"WARC/"):
            return self._lose("bytes that belong to no record")
        head = re.search(rb"\r?\n\r?\n", self.buffer[:LONGEST_HEADER])
        if head is None:
            if len(self.buffer) < LONGEST_HEADER and not final:
                return None
            return self._lose(f"{why}: a header without an end" if final else "a header without an end")
        length = LENGTH.search(self.buffer[: head.end()])
        if length is None:
            return self._lose("a header without a length")
        total = head.end() + int(length[1])
        if total > LONGEST:
            return self._lose(f"record larger than {MAX_DOCUMENT_BYTES >> 20} MiB, or its length is wrong")
        if len(self.buffer) < total + 16 and not final:
            return None
        if len(self.buffer) < total:
            inside = BEGINS.search(self.buffer, head.end())
            missing = f"{why}: {len(self.buffer) - head.end()} of {int(length[1])} bytes"
            return self._lose("its length leads into the next record" if inside else missing)
        closed = self.buffer.startswith(b"\r\n\r\n", total)  # then it is whole, whatever stands behind it
        if not closed and FOLLOWED.match(self.buffer, total) is None:
            return self._lose("its length does not lead to the next record")
        record = Whole(self._place(), bytes(self.buffer[:total]) + b"\r\n\r\n")
        self._drop(total)
        return record

    def _place(self) -> int:
        return self.passed if self.origin is None else self.origin

    def _lose(self, why: str) -> bool:
        self.lost = (self._place(), 0, why, bytes(self.buffer[:4096]))
        self.digest = hashlib.sha256()
        return False

    def _resynchronised(self, final: bool) -> bool:
        """Pass over bytes up to the next line that begins a record; whether it is there."""
        found = BEGINS.search(self.buffer, 1)
        keep = len(self.buffer) if final else max(0, len(self.buffer) - 128)
        gone = found.start() if found else keep
        assert self.lost is not None
        self.digest.update(self.buffer[:gone])
        start, size, why, head = self.lost
        self.lost = (start, size + gone, why, head)
        self._drop(gone)
        return found is not None

    def _found(self) -> Torn:
        assert self.lost is not None
        start, size, why, head = self.lost
        self.lost = None
        return Torn(start, size, self.digest.hexdigest(), why, head)

    def _drop(self, count: int) -> None:
        del self.buffer[:count]
        self.passed += count
