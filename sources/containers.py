"""Files inside files: compressed streams, zip and tar archives, told by content, opened safely.

Nothing is ever unpacked to disk under its own name. Names that leave the archive, bombs, too deep
nesting and encryption are each one broken record; the other members come through.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, Final

import pyarrow as pa

from schemas.errors import Unreadable
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, open_blob

MAX_DEPTH: Final = 3
# Text compresses 3- to 20-fold, repetitive markup up to some 100-fold; bombs 1,000-fold and more.
MAX_EXPANSION: Final = 200
EXPANSION_FREE_BYTES: Final = 128 << 20
MAX_MEMBERS: Final = 1_000_000
SPOOL_BYTES: Final = 32 << 20
MAX_SPOOL_BYTES: Final = 4 << 30

COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
# Names that only the zip files of Office hold.
OFFICE: Final = (b"[Content_Types].xml", b"_rels/.rels", b"xl/workbook.", b"docProps/")
# What only the directories of EPUB and OpenDocument hold, where their mark at the beginning was packed.
EPUB_SIGN: Final = b"\nMETA-INF/container.xml\n"
OPEN_DOCUMENT_SIGN: Final = b"\nMETA-INF/manifest.xml\n"
MOST_NAMES: Final = 2000
DIRECTORY: Final = b"\n\x00names\x00\n"  # between a zip file's first bytes and the names of its members
CORRUPT: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class _Guarded:
    """A decompressed stream that refuses to expand beyond reason and names corruption plainly."""

    def __init__(self, stream: BinaryIO, stored: _Counted, kind: str) -> None:
        self._stream, self._stored, self._kind, self._out = stream, stored, kind, 0

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except CORRUPT as error:
            raise Unreadable(f"{self._kind} stream is truncated or corrupt: {error}") from None
        self._out += len(data)
        if self._out > EXPANSION_FREE_BYTES and self._out > MAX_EXPANSION * max(self._stored.count, 1):
            raise Unreadable(
                f"{self._kind} stream expands more than {MAX_EXPANSION}-fold ({self._out >> 20} MiB so far); "
                "taken for a decompression bomb"
            )
        return data


class _Counted:
    """Counts the stored bytes that a decompressor has taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.count = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    closed = False

    def close(self) -> None:
        """The stream is closed by whoever opened it."""


def _decompressor(kind: str, stored: _Counted) -> BinaryIO:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=stored)  # type: ignore[return-value, call-overload]
    if kind == "zstd":
        # Arrow's reader, since zstandard's own takes a stream that was cut for one that has ended.
        return pa.CompressedInputStream(pa.PythonFile(stored, "r"), "zstd")
    if kind == "bzip2":
        return bz2.BZ2File(stored)  # type: ignore[return-value, call-overload]
    return lzma.LZMAFile(stored)  # type: ignore[return-value, arg-type]


def is_zip_document(head: bytes) -> bool:
    """Zip files that are one document: EPUB, Office and OpenDocument."""
    marked = b"application/epub+zip" in head[:120] or b"application/vnd.oasis.opendocument." in head[:120]
    begun, _, names = head.partition(DIRECTORY)
    told = [b"\n" + name in b"\n" + names for name in OFFICE] if names else [name in begun for name in OFFICE]
    marked = marked or EPUB_SIGN in names or (OPEN_DOCUMENT_SIGN in names and b"\ncontent.xml\n" in names)
    return head.startswith(b"PK\x03\x04") and (marked or any(told))


def _with_directory(blob: Blob) -> Blob:
    """A zip file's blob whose head goes on with the names of its members, by which its readers know it."""
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  (lives as long as the blob's stream)
    stream = seekable(blob, spool)  # type: ignore[arg-type]
    try:
        names = b"\n".join(name.encode("utf-8", "replace") for name in zipfile.ZipFile(stream).namelist()[:MOST_NAMES])
    except CORRUPT:
        names = b""
    stream.seek(0)
    return Blob(blob.uri, blob.head + DIRECTORY + b"\n" + names + b"\n", stream, blob.size, blob.stored_as)  # type: ignore[arg-type]


def is_tar(head: bytes) -> bool:
    """A tar archive: the magic of POSIX and GNU at byte 257."""
    return head[257:262] == b"ustar"


def open_members(blob: Blob, depth: int = 0) -> Iterator[Blob | Broken]:
    """The blob itself, or what its compression and archives hold, each ready to be read once."""
    if blob.head.startswith(b"PK\x03\x04"):
        blob = _with_directory(blob)
    kind = next((name for magic, name in COMPRESSED.items() if blob.head.startswith(magic)), None)
    is_archive = is_tar(blob.head) or (blob.head.startswith(b"PK") and not is_zip_document(blob.head))
    if kind is None and not is_archive:
        yield blob
    elif depth >= MAX_DEPTH:
        raise Unreadable(f"archives nested deeper than {MAX_DEPTH}")
    elif kind == "gzip" and blob.stream.seekable() and _holds_warc(blob.head):
        yield Blob(blob.uri, b"WARC/", blob.stream, blob.size, blob.stored_as)  # fastwarc unpacks it itself
    elif kind is not None:
        stored = _Counted(blob.stream)
        guarded = _Guarded(_decompressor(kind, stored), stored, kind)
        inner = open_blob(blob.uri, guarded, None, (*blob.stored_as, kind))  # type: ignore[arg-type]
        yield from open_members(inner, depth + 1)
    elif is_tar(blob.head):
        yield from _tar_members(blob, depth)
    else:
        yield from _zip_members(blob, depth)


def _holds_warc(head: bytes) -> bool:
    """Whether a gzip stream begins with a WARC record."""
    try:
        return zlib.decompressobj(31).decompress(head, 64).startswith(b"WARC/")
    except zlib.error:
        return False


KEPT_BY_FINDERS: Final = (".DS_Store", "Thumbs.db", "desktop.ini")  # what file managers keep is no document


def _leaves(name: str) -> bool:
    """Whether a member's name points out of its archive."""
    cleaned = name.replace("\\", "/")
    absolute = cleaned.startswith("/") or (len(cleaned) > 1 and cleaned[1] == ":")
    return absolute or posixpath.normpath(cleaned).startswith("..")


def _refused(blob: Blob, name: str, error: str, size: int) -> Broken:
    return Broken(f"{blob.uri}!/{name}", "archive", error, size, "")


def _tar_members(blob: Blob, depth: int) -> Iterator[Blob | Broken]:
    try:
        with tarfile.open(fileobj=blob.stream, mode="r|") as archive:
            for number, member in enumerate(archive):
                if number >= MAX_MEMBERS:
                    raise Unreadable(f"archive has more than {MAX_MEMBERS:,} members")
                if _leaves(member.name):
                    yield _refused(blob, member.name, "member name leaves the archive", member.size)
                elif member.isfile():
                    stream = archive.extractfile(member)
                    if stream is not None:
                        yield from _member(blob, member.name, stream, member.size, depth)
    except tarfile.TarError as error:
        raise Unreadable(f"tar archive is truncated or corrupt: {error}") from None


def _zip_members(blob: Blob, depth: int) -> Iterator[Blob | Broken]:
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        source: IO[bytes] = seekable(blob, spool)  # type: ignore[arg-type]
        try:
            archive = zipfile.ZipFile(source)
            members = archive.infolist()
        except CORRUPT as error:
            raise Unreadable(f"zip archive is truncated or corrupt: {error}") from None
        if len(members) > MAX_MEMBERS:
            raise Unreadable(f"archive has more than {MAX_MEMBERS:,} members")
        for member in members:
            name = _given_name(member)
            if member.is_dir() or name.startswith("__MACOSX/") or posixpath.basename(name) in KEPT_BY_FINDERS:
                continue
            if _leaves(name):
                yield _refused(blob, name, "member name leaves the archive", member.file_size)
            elif member.flag_bits & 0x1:
                yield _refused(blob, name, "member is encrypted", member.file_size)
            elif bomb := bomb_reason(member):
                yield _refused(blob, name, bomb, member.file_size)
            else:
                try:
                    with archive.open(member) as stream:
                        yield from _member(blob, name, stream, member.file_size, depth)
                except CORRUPT as error:
                    yield _refused(blob, name, f"member is corrupt: {error}", member.file_size)


def _given_name(member: zipfile.ZipInfo) -> str:
    """A member's name as it was given: names without the mark of UTF-8 are often GB18030 (or UTF-8 all the same)."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        raw = member.filename.encode("cp437")
    except UnicodeEncodeError:
        return member.filename
    if raw.isascii():
        return member.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        ideographs = sum("\u4e00" <= char <= "\u9fff" for char in name)
        if encoding == "utf-8" or 3 * ideographs >= sum(byte > 127 for byte in raw):
            return name
    return member.filename


def bomb_reason(member: zipfile.ZipInfo) -> str | None:
    """Why a zip member is taken for a bomb, or None."""
    if member.file_size > EXPANSION_FREE_BYTES and member.file_size > MAX_EXPANSION * max(member.compress_size, 1):
        return f"member expands more than {MAX_EXPANSION}-fold; taken for a decompression bomb"
    return None


def member_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    """A part of a zip document, whole; bombs and parts that are too large are `Unreadable`, KeyError where none is."""
    info = archive.getinfo(name)
    if reason := bomb_reason(info):
        raise Unreadable(f"{name}: {reason}")
    if info.file_size > MAX_DOCUMENT_BYTES:
        raise Unreadable(f"{name}: larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
    return archive.read(info)


def _member(blob: Blob, name: str, stream: IO[bytes], size: int, depth: int) -> Iterator[Blob | Broken]:
    wrapped = _Guarded(stream, _Unlimited(), "archive member")  # type: ignore[arg-type]
    uri = f"{blob.uri}!/{name}"
    try:
        inner = open_blob(uri, wrapped, size, (*blob.stored_as, "archive"))  # type: ignore[arg-type]
        yield from open_members(inner, depth + 1)
    except Unreadable as error:
        yield Broken(uri, "archive", str(error), size, "")


class _Unlimited:
    """Stored size of a member whose expansion was checked in the archive's directory."""

    count = 1 << 62


def seekable(blob: Blob, spool: IO[bytes]) -> IO[bytes]:
    """The blob's stream if it can seek, else a bounded copy of it in `spool`."""
    if blob.stream.seekable():
        return blob.stream
    copied = 0
    while chunk := blob.stream.read(1 << 20):
        copied += len(chunk)
        if copied > MAX_SPOOL_BYTES:
            raise Unreadable(f"nested archive larger than {MAX_SPOOL_BYTES >> 30} GiB; unpack it first")
        spool.write(chunk)
    spool.seek(0)
    return spool
