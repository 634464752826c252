"""What tells one content from another: digests of files of a run, and fingerprints of inputs.

A digest covers every byte. An input may be too large for that at every start, so its fingerprint is
the content of small files; of larger ones size, samples, time of change and inode; and of a remote
one what its store calls a version of the content, or, where it names none (many servers of HTTP), content and samples
as of local ones. It tells of changes, not of attacks: XXH3, which hashes as fast as memory is read, where a
cryptographic hash would take as long as reading the documents does.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from typing import Any, BinaryIO, Final

import fsspec
import xxhash

from storage.places import Place, is_url

CHUNK: Final = 1 << 20
WHOLE_BYTES: Final = 64 << 20  # up to here an input's fingerprint covers every byte
SAMPLE_BYTES: Final = 64 << 10
# What stores call the version of an object, most telling first: S3, GCS, HTTP, Azure, memory.
VERSIONS: Final = (
    "ETag", "etag", "generation", "VersionId", "version", "Content-MD5", "Digest", "mtime", "last_modified", "created",
)  # fmt: skip


def sha256_file(path: Place) -> str:
    """SHA-256 of a file, in hexadecimal, in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def fingerprint_of(location: str) -> str:
    """The fingerprint of an input by its path or URL; empty where it cannot be read or asked."""
    try:
        return _remote(location) if is_url(location) else _local(location)
    except (OSError, ValueError, ImportError, NotImplementedError):
        return ""


def covers_content(size: int) -> bool:
    """Whether the fingerprint of a local input of this size covers every byte of it."""
    return size <= WHOLE_BYTES


def _local(location: str) -> str:
    # A pipe would keep us waiting and a device has no end; neither is ever opened.
    if not stat.S_ISREG(os.stat(location).st_mode):
        return ""
    with open(location, "rb") as handle:
        status = os.fstat(handle.fileno())
        digest = _of_content(handle, status.st_size)
    if not covers_content(status.st_size):
        digest.update(f"{status.st_mtime_ns} {status.st_ino}".encode())
    return digest.hexdigest()


def _of_content(handle: BinaryIO, size: int | None) -> xxhash.xxh3_128:
    """Size and bytes of a small file, or of one whose size is not told; size and samples of a large one."""
    digest = xxhash.xxh3_128(str(size).encode())
    if size is None or covers_content(size):
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
        return digest
    for start in (0, size // 2, size - SAMPLE_BYTES):
        handle.seek(start)
        digest.update(handle.read(SAMPLE_BYTES))
    return digest


def _remote(location: str) -> str:
    filesystem, path = fsspec.core.url_to_fs(location)
    told: dict[str, Any] = filesystem.info(path)
    version = next((f"{name}={told[name]}" for name in VERSIONS if told.get(name)), "")
    if not version and "::" in location:  # a member of a remote archive: what its archive is
        return fingerprint_of(location.split("::", 1)[1])
    if not version:
        return _unversioned(filesystem, path, told)
    key = f"{told.get('size')} {version}"
    return xxhash.xxh3_128_hexdigest(key.encode())


def _unversioned(filesystem: fsspec.AbstractFileSystem, path: str, told: dict[str, Any]) -> str:
    """Content of a small file, in one request; of a large one samples, or size alone where no part can be asked for."""
    size = told.get("size")
    if size is not None and covers_content(size):
        return str(_of_content(io.BytesIO(filesystem.cat_file(path)), size).hexdigest())
    try:
        with filesystem.open(path, "rb") as handle:
            digest = _of_content(handle, size)
    except ValueError:
        digest = xxhash.xxh3_128(str(size).encode())
    if size is not None:
        digest.update(str(told.get("Last-Modified")).encode())  # to the second: it says more only of what is not read
    return str(digest.hexdigest())
