"""Files that are there whole or not at all, whoever else writes them and whenever one is killed.

Each attempt writes under a name of its own and makes the file visible at the end: by a rename
locally, by one put on a store. So two attempts at one file never mix; the last one stays.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from storage.places import Place, files_below, is_local, make_folder, remove

PART: Final = ".part"
# What file systems say that know no flush (some FUSE and network mounts), or no rename.
NO_FLUSH: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EROFS}
NO_RENAME: Final = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM}


@contextlib.contextmanager
def published(target: Place) -> Iterator[Path]:
    """Yield a local path to write to; when the block ends well, its content is what `target` holds."""
    with scratch(target) as attempt:
        yield attempt
        if is_local(target):
            flush_to_disk(attempt)
            _make_visible(attempt, target)
        else:
            make_folder(target.parent)
            store: Any = target
            store.fs.put_file(str(attempt), store.path)


@contextlib.contextmanager
def scratch(near: Place) -> Iterator[Path]:
    """Yield a local path, beside `near` where that is local, for what this attempt alone reads again.

    It is gone when the block ends; what a kill leaves behind is swept like any other attempt.
    """
    if not is_local(near):
        with tempfile.TemporaryDirectory(prefix="curate-") as folder:
            yield Path(folder) / near.name
        return
    make_folder(near.parent)
    attempt = _attempt_at(near)
    try:
        yield attempt
    finally:
        attempt.unlink(missing_ok=True)


def _attempt_at(target: Path) -> Path:
    """A name beside a file that no other attempt at it has."""
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}{PART}")


def flush_to_disk(path: Path) -> None:
    """Ask the system to write a file's content; systems that know no such thing are left alone."""
    with path.open("rb+") as handle:
        try:
            os.fsync(handle.fileno())
        except OSError as error:
            if error.errno not in NO_FLUSH:
                raise


def _make_visible(attempt: Path, target: Path) -> None:
    try:
        attempt.replace(target)
    except OSError as error:
        if error.errno not in NO_RENAME:
            raise
        # Not at once, but whoever reads it waits for the marker that is written after it.
        shutil.copyfile(attempt, target)
        attempt.unlink()


def write_bytes(target: Place, data: bytes) -> None:
    """Write bytes whole or not at all."""
    with published(target) as attempt:
        attempt.write_bytes(data)


def write_text(target: Place, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(target, text.encode("utf-8"))


def copy_file(source: Place, target: Place) -> None:
    """A file's content at another place, whole or not at all."""
    with published(target) as attempt, source.open("rb") as taken, attempt.open("wb") as given:
        shutil.copyfileobj(taken, given, 1 << 20)


def link_or_copy(source: Place, target: Place) -> None:
    """The same content at another place, sharing its bytes where the file system can."""
    if is_local(source) and is_local(target):
        make_folder(target.parent)
        attempt = _attempt_at(target)
        try:
            os.link(source, attempt)
            attempt.replace(target)
            # A rename of one link over another of the same file does nothing and leaves both names.
            attempt.unlink(missing_ok=True)
            return
        except OSError:
            attempt.unlink(missing_ok=True)
    copy_file(source, target)


def append_line(target: Place, line: str) -> None:
    """Add a line to a log; on local disks lines of several processes never mix, nor with one that a power cut tore."""
    data = (line + "\n").encode("utf-8")
    if is_local(target):
        handle = os.open(target, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, b"\n" + data if torn else data)
        finally:
            os.close(handle)
        return
    before = target.read_bytes() if target.exists() else b""
    target.write_bytes(before + data)


def open_log(target: Place) -> TextIO:
    """A log to add lines to, which stays open."""
    return target.open("a", encoding="utf-8")


def cut_file(target: Place, end: int) -> None:
    """Keep the first `end` bytes of a file; one that is not there is made, empty."""
    with target.open("ab") as handle:
        handle.truncate(end)


def claimed(target: Place) -> bool:
    """Whether this process is the first to make an empty file of this name."""
    make_folder(target.parent)
    try:
        target.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def sweep(folder: Place) -> int:
    """Remove what killed attempts left below a folder; returns how many. Only the folder's holder may."""
    left = [path for path in files_below(folder) if path.name.startswith(".") and path.name.endswith(PART)]
    for path in left:
        remove(path)
    return len(left)
