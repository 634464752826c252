"""From an input file to frames of documents, and rows of quarantine for what cannot be read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import polars as pl

from schemas.document import DECISION_COLUMNS, QUARANTINE_COLUMNS, READ_COLUMNS, document_id
from schemas.errors import Unreadable
from schemas.identifiers import doi_of
from schemas.recipe import Source
from sources.containers import open_members
from sources.decoding import without_surrogates
from sources.draft import HEAD_BYTES, Blob, Broken, Draft, open_blob
from sources.formats import FORMATS, choose_format
from sources.inputs import InputFile, open_input
from sources.markup.raised import keeping
from storage.fingerprints import CHUNK

VISIBLE: Final = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff\ufffd]")
BLANK: Final = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\x0b\x0c"
Glance = Callable[[str], str | None]
BATCH_BYTES: Final = 1 << 22
BATCH_ROWS: Final = 2048


def read_frames(
    file: InputFile, source: Source, used: dict[str, int] | None = None, glance: Glance | None = None
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Frames of documents (`READ_COLUMNS`, `DECISION_COLUMNS`) and of quarantine, in the order of the file.

    `used` is told the readers that were asked, with their versions. `glance` says of the words of a page
    why it is left out.
    """
    documents: list[dict[str, Any]] = []
    broken: list[Broken] = []
    pending = 0
    for one in _drafts(file, source, {} if used is None else used, glance):
        if isinstance(one, Broken):
            broken.append(one)
        else:
            documents.append(_row(one, file, source))
            pending += len(one.text.encode("utf-8", "surrogatepass"))
        if pending >= BATCH_BYTES or len(documents) + len(broken) >= BATCH_ROWS:
            yield _frames(documents, broken, source)
            documents, broken, pending = [], [], 0
    if documents or broken:
        yield _frames(documents, broken, source)


Frames = tuple[pl.DataFrame, pl.DataFrame]


def batched_frames(frames: Iterable[Frames]) -> Iterator[Frames]:
    """Frames of many small files together, up to the size that one large file's have: all that follows is by frame."""
    documents: list[pl.DataFrame] = []
    broken: list[pl.DataFrame] = []
    rows = pending = 0
    for frame, unreadable in frames:
        documents.append(frame)
        broken.append(unreadable)
        rows += frame.height + unreadable.height
        pending += int(frame["text"].str.len_bytes().sum() or 0)
        if pending >= BATCH_BYTES or rows >= BATCH_ROWS:
            yield pl.concat(documents), pl.concat(broken)
            documents, broken, rows, pending = [], [], 0, 0
    if documents:
        yield pl.concat(documents), pl.concat(broken)


def _drafts(file: InputFile, source: Source, used: dict[str, int], glance: Glance | None) -> Iterator[Draft | Broken]:
    try:
        with open_input(file) as stream:
            blob = open_blob(file.uri, stream, file.size)
            if source.format in ("auto", "warc") and not blob.head:
                raise Unreadable("empty file")
            whole = source.format != "auto" and FORMATS.get(source.format).is_archive
            members = iter([blob]) if whole else open_members(blob)
            for member in members:
                if isinstance(member, Broken):
                    yield member
                else:
                    member.glance = glance
                    yield from _read_member(member, source, member.uri == file.uri, file, used)
    except Unreadable as error:
        yield _broken_file(file, "file", str(error))
    except Exception as error:  # a surprise in one file must not end the run
        yield _broken_file(file, "file", f"{type(error).__name__}: {error}")


def _read_member(
    member: Blob, source: Source, is_file: bool, file: InputFile, used: dict[str, int]
) -> Iterator[Draft | Broken]:
    name = source.format
    kept = keeping.set(source.citations == "keep")
    try:
        if not member.head:
            raise Unreadable("empty file")
        if len(member.head) < HEAD_BYTES and not member.head.strip(BLANK):
            raise Unreadable("nothing but a byte-order mark, blanks or zero bytes in it")
        chosen = choose_format(member, source)
        name = chosen.name
        used[name] = chosen.version
        for one in chosen.read(member, source):
            if isinstance(one, Draft) and one.text.strip() and not VISIBLE.search(one.text):
                size = len(one.text.encode("utf-8", "replace"))
                yield Broken(one.uri or member.uri, name, "nothing but control characters in it", size, one.raw_sha256)
                continue
            if isinstance(one, Draft) and not is_file:
                yield _of_member(one, member)
            else:
                yield one
    except RecursionError:
        yield _broken_member(member, name, "nested too deep", is_file, file)
    except Unreadable as error:
        yield _broken_member(member, name, str(error), is_file, file)
    except Exception as error:
        yield _broken_member(member, name, f"{type(error).__name__}: {error}", is_file, file)
    finally:
        with suppress(ValueError):  # a stream that is let go of elsewhere than where it began
            keeping.reset(kept)


def _of_member(draft: Draft, member: Blob) -> Draft:
    from dataclasses import replace

    return replace(draft, uri=draft.uri or member.uri, place=f"{member.uri}\x1f{draft.place}")


def _row(draft: Draft, file: InputFile, source: Source) -> dict[str, Any]:
    return {
        "id": document_id(source.name, file.uri, draft.place, _content_digest(draft)),
        "text": draft.text,
        "title": draft.title or None,
        "source": source.name,
        "source_type": source.source_type,
        "uri": draft.uri or file.uri,
        "canonical": draft.canonical,
        "raw_sha256": draft.raw_sha256,
        "licence": draft.licence or source.licence,
        "language": (draft.language if draft.is_row else None) or source.language or draft.language,
        "authority": draft.authority or source.authority,
        "published": draft.published,
        "series": draft.series,
        "edition": draft.edition,
        "doi": doi_of(draft.doi),
        "identifiers": sorted(set(draft.identifiers)),
        "publisher": draft.publisher or source.publisher,
        "issn": draft.issn,
        "article_type": draft.article_type,
        "retracted": draft.retracted,
        "retracts": list(draft.retracts),
        "notices": list(draft.notices),
        "task": draft.task,
        "ability": draft.ability,
        "difficulty": draft.difficulty,
        "conversation": draft.conversation,
        "ocr": draft.ocr,
        "dropped_by": "read" if draft.left_out else None,
        "drop_reason": draft.left_out,
        "edits": [{"step": "read", "what": what, "count": count} for what, count in draft.edits],
    }


def _content_digest(draft: Draft) -> str:
    """SHA-256 of the record's bytes; of its text where a reader has no bytes of the record alone."""
    return draft.raw_sha256 or hashlib.sha256(draft.text.encode("utf-8", "surrogatepass")).hexdigest()


def _frames(documents: list[dict[str, Any]], broken: list[Broken], source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [
        {
            "uri": one.uri,
            "source": source.name,
            "reader": one.reader,
            "error": one.error,
            "bytes": one.bytes,
            "sha256": one.sha256,
        }
        for one in broken
    ]
    return _document_frame(documents), pl.DataFrame(rows, schema=QUARANTINE_COLUMNS)


def _document_frame(documents: list[dict[str, Any]]) -> pl.DataFrame:
    """Documents as a frame; where one holds lone surrogates, which no column can, they are replaced."""
    columns = {**READ_COLUMNS, **DECISION_COLUMNS}
    try:
        return pl.DataFrame(documents, schema=columns)
    except UnicodeEncodeError:
        return pl.DataFrame([_without_surrogates(one) for one in documents], schema=columns)


def _without_surrogates(document: dict[str, Any]) -> dict[str, Any]:
    cleaned = {name: without_surrogates(told) for name, told in document.items() if isinstance(told, str)}
    count = sum(replaced for _, replaced in cleaned.values())
    said = [{"step": "read", "what": "lone surrogates replaced", "count": count}] if count else []
    return {**document, **{name: told for name, (told, _) in cleaned.items()}, "edits": document["edits"] + said}


def _broken_member(member: Blob, reader: str, error: str, is_file: bool, file: InputFile) -> Broken:
    if is_file:
        return _broken_file(file, reader, error)
    return Broken(member.uri, reader, error, member.size or 0, "")


def _broken_file(file: InputFile, reader: str, error: str) -> Broken:
    """Quarantine of a whole file, with the digest of its stored bytes where they can be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_input(file) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except Exception:  # no digest is better than no row
        return Broken(file.uri, reader, error, file.size, "")
    return Broken(file.uri, reader, error, size, digest.hexdigest())
