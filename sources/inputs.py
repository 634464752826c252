"""Find the files of a recipe: local folders and any fsspec URL, with every file's size."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import fsspec
from fsspec.utils import glob_translate

from schemas.errors import CurateError, Unreadable, WrongCall
from schemas.recipe import Source
from storage.fingerprints import CHUNK, fingerprint_of
from storage.places import is_url

MAGIC: Final = re.compile(r"[*?\[{]")
FOREIGN: Final = re.compile("[\udc80-\udcff]")  # how Python carries bytes of names that are not UTF-8
# By these files a folder is one that a run or a training made. A pattern that begins within one,
# or names one of its tables, reads it.
OWN_FOLDERS: Final = ({"recipe.yaml", "plan.json"}, {"lease.json", "log.jsonl"}, {"train.json", "model.json"})
OWN_TABLES: Final = {"curated", "dropped", "quarantined", "shards"}


@dataclass(frozen=True)
class InputFile:
    """A file of a source: `uri` is what its documents carry, `location` where it is opened.

    `fingerprint` tells whether a file is still the one that was planned; see `fingerprint_of`. A run
    that takes out persons keeps, once it has ended, no place that names one: `uri` then has marks,
    `location` is empty, and `key` still tells it from others.
    """

    source: str
    uri: str
    location: str
    size: int
    fingerprint: str = ""
    key: str = ""

    @property
    def place_key(self) -> str:
        """Digest of the place within the source, the same whether or not it is still written out."""
        return self.key or hashlib.blake2b(self.uri.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def as_json(self) -> dict[str, str | int]:
        """For `plan.json`."""
        return asdict(self)

    def told(self) -> list[str | int]:
        """What makes it this input, wherever it lies."""
        return [self.source, self.place_key, self.size, self.fingerprint]


def find_inputs(source: Source, root: Path) -> list[InputFile]:
    """All files of a source, sorted by uri; a pattern that matches nothing is a `WrongCall`."""
    found: dict[str, InputFile] = {}
    for pattern in source.files:
        matches = list(_remote(pattern) if is_url(pattern) else _local(pattern, root))
        if not matches and not source.optional:
            where = "" if is_url(pattern) else f" under {root}"
            raise WrongCall(
                f"source '{source.name}': no file matches '{pattern}'{where}; "
                "give --data, correct the pattern, or mark the source `optional: true`"
            )
        for found_uri, location, size in matches:
            uri = _without_foreign_bytes(found_uri)
            if _excluded(uri, source):
                continue
            if uri in found and found[uri].location != location:
                raise WrongCall(
                    f"source '{source.name}': {location} and {found[uri].location} have the same place '{uri}' "
                    "within their patterns; make them two sources"
                )
            found[uri] = InputFile(source.name, uri, location, size, fingerprint_of(location))
    return [found[uri] for uri in sorted(found)]


def check_unchanged(file: InputFile) -> None:
    """A file that is not what was planned ends the run: its documents would not be those of the plan."""
    if not file.fingerprint:
        return
    if not is_url(file.location) and not os.path.lexists(file.location):
        raise CurateError(f"{file.location} vanished since the run was planned; bring it back, or use a new --run-dir")
    if fingerprint_of(file.location) != file.fingerprint:
        raise CurateError(f"{file.location} changed since the run was planned; restore it, or use a new --run-dir")


def _without_foreign_bytes(uri: str) -> str:
    """A name that is not UTF-8 with its foreign bytes percent-encoded, as in URLs; others as they are."""
    return FOREIGN.sub(lambda found: f"%{ord(found.group()) - 0xDC00:02X}", uri)


def _excluded(uri: str, source: Source) -> bool:
    return any(re.match(glob_translate(pattern), uri) for pattern in source.exclude)


def _local(pattern: str, root: Path) -> Iterator[tuple[str, str, int]]:
    """Files under `root` that match; links are followed, but no folder is entered twice on a path."""
    if pattern.startswith("/"):
        base, rest = _fixed_part(Path(pattern))
        uri_base = ""
    elif ".." in Path(pattern).parts:
        base, rest = _fixed_part(Path(os.path.normpath(root / pattern)))
        climbed = [part for part in Path(os.path.relpath(base, root)).parts if part != ".."]
        uri_base = "".join(f"{part}/" for part in climbed)
    else:
        base, rest = _fixed_part(root / pattern)
        uri_base = base.relative_to(root).as_posix() if base != root else ""
        uri_base = f"{uri_base}/" if uri_base not in ("", ".") else ""
    if not rest:
        if os.path.lexists(base) and not base.is_dir():
            yield uri_base.rstrip("/") or base.name, str(base), _size(base)
        return
    wanted = re.compile(glob_translate(rest))
    within = bool(OWN_TABLES & set(rest.split("/")))
    for path in sorted(_walk(base, (), within)):
        relative = path.relative_to(base).as_posix()
        if wanted.match(relative):
            yield uri_base + relative, str(path), _size(path)


def _fixed_part(pattern: Path) -> tuple[Path, str]:
    """The folder before the first wildcard, and the pattern from there on."""
    parts = pattern.parts
    first = next((index for index, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    return Path(*parts[:first]), "/".join(parts[first:])


def _walk(folder: Path, above: tuple[tuple[int, int], ...], within: bool) -> Iterator[Path]:
    """Files below a folder; those of runs and trainings only where they are asked for (`within`)."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WrongCall(f"folder {folder} cannot be listed: {error.strerror}; nothing below it would be read") from None
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    if above and not within and _is_made_here({entry.name for entry in entries}):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=True) if not _is_loop(entry) else False:
            yield from _walk(Path(entry.path), (*above, identity), within)
        else:
            yield Path(entry.path)


def _is_made_here(names: set[str]) -> bool:
    """Whether a folder is that of a run or a training, which lies among the data but is none."""
    return any(signs <= names for signs in OWN_FOLDERS)


def _is_loop(entry: os.DirEntry[str]) -> bool:
    try:
        entry.stat(follow_symlinks=True)
    except OSError:
        return True
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remote(pattern: str) -> Iterator[tuple[str, str, int]]:
    """Files behind an fsspec URL, chains such as `zip://*.xml::s3://bucket/a.zip` among them."""
    try:
        if MAGIC.search(pattern):
            files = fsspec.open_files(pattern, "rb")
        else:
            files = [fsspec.open(pattern, "rb")]
        for one in files:
            try:
                size = int(one.fs.size(one.path) or 0)
            except (OSError, NotImplementedError, TypeError):
                size = 0
            chain = pattern.split("::", 1)[1] if "::" in pattern else None
            protocol = pattern.split("://", 1)[0]
            location = f"{protocol}://{one.path.lstrip('/') if chain else one.path}" + (f"::{chain}" if chain else "")
            uri = f"{chain.rsplit('/', 1)[-1]}!/{one.path.lstrip('/')}" if chain else location
            if not chain:
                uri = location = one.fs.unstrip_protocol(one.path)
            yield uri, location, size
    except (OSError, ValueError, ImportError) as error:
        raise WrongCall(f"'{pattern}' cannot be listed: {error}") from None


class _WithFilesystem:
    """A stream that keeps its file system alive: an archive's closes the archive when it goes."""

    def __init__(self, stream: Any, filesystem: Any) -> None:
        self._stream, self._filesystem = stream, filesystem

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _WithFilesystem:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()


def open_input(file: InputFile) -> BinaryIO:
    """Open an input for reading; what the system refuses is `Unreadable`."""
    try:
        if is_url(file.location):
            filesystem, place = fsspec.core.url_to_fs(file.location)
            return _WithFilesystem(filesystem.open(place, "rb"), filesystem)  # type: ignore[return-value]
        path = Path(file.location)
        if not path.is_file():
            os.stat(path)
            raise Unreadable("not a regular file")
        return path.open("rb")
    except OSError as error:
        reason = "symbolic link loop" if error.errno == 40 else (error.strerror or str(error))
        raise Unreadable(f"cannot be opened: {reason}") from None


def sha256_input(file: InputFile) -> str:
    """SHA-256 of an input's bytes, local or behind a URL."""
    digest = hashlib.sha256()
    with open_input(file) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
