"""WARC web archives (ISO 28500) by fastwarc: each response or resource with a readable body is a document."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from fastwarc.warc import ArchiveIterator

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import seekable
from sources.decoding import decode
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.pages.warc_records import Torn, records
from sources.readers.html import HTML_HEAD, glanced_draft, page_draft
from sources.readers.pdf import pdf_draft

TYPE: Final = re.compile(rb"(?im)^warc-type[ \t]*:[ \t]*(\S+)[ \t]*\r?$")
TARGET: Final = re.compile(rb"(?im)^warc-target-uri[ \t]*:[ \t]*<?(\S+?)>?[ \t]*\r?$")
READ: Final = ("response", "resource", "conversion")
ABOUT: Final = ("warcinfo", "request", "metadata", "revisit", "continuation")  # they hold no document of their own


@reader(
    "warc",
    ".warc",
    sniff=lambda head: head.startswith(b"WARC/"),
    version=2,
    source="ISO 28500 (WARC 1.1), by fastwarc",
    example='{name: pages, files: "*.warc.gz", source_type: web}',
)
def read_warc(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Every response, resource or conversion with an HTML, text or PDF body; its uri is the record's target."""
    if not blob.head:
        raise Unreadable("empty file")
    number = 0
    with tempfile.SpooledTemporaryFile(max_size=MAX_DOCUMENT_BYTES) as spool:
        for one in records(seekable(blob, spool)):  # type: ignore[arg-type]
            if isinstance(one, Torn):
                uri = _target(one.head, f"{blob.uri}#{one.offset}")
                yield Broken(uri, "warc", f"{one.why} (at byte {one.offset})", one.size, one.sha256)
                continue
            kind = _kind(one.data)
            if kind in ABOUT:
                continue
            number += 1
            if kind in READ:
                yield _record(one.data, number, kind, source, blob.glance)
            else:
                why = f"record of type '{kind}'" if kind else "record without WARC-Type"
                uri = _target(one.data[: 1 << 16], f"{blob.uri}#{one.offset}")
                yield Broken(uri, "warc", f"{why} (at byte {one.offset})", len(one.data), sha256(one.data))


def _target(head: bytes, otherwise: str) -> str:
    found = TARGET.search(head)
    return found[1].decode("utf-8", "replace") if found else otherwise


def _kind(data: bytes) -> str:
    head = re.split(rb"\r?\n\r?\n", data[: 1 << 16], maxsplit=1)[0]
    found = TYPE.search(head)
    return found[1].decode("ascii", "replace").lower() if found else ""


def _record(
    data: bytes, number: int, kind: str, source: Source, glance: Callable[[str], str | None] | None
) -> Draft | Broken:
    records_of = ArchiveIterator(io.BytesIO(data), parse_http=kind == "response", auto_decode="all")
    record = next(iter(records_of), None)
    if record is None:
        return Broken(f"record-{number}", "warc", "not a WARC record", len(data), sha256(data))
    target = (record.headers.get("WARC-Target-URI") or f"record-{number}").strip("<>")
    body = record.reader.read(MAX_DOCUMENT_BYTES + 1)
    try:
        if len(body) > MAX_DOCUMENT_BYTES:
            raise Unreadable(f"record larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
        declared = record.http_content_type if kind == "response" else record.headers.get("Content-Type")
        charset = record.http_charset if kind == "response" else None
        draft = body_draft(body, declared or "", charset, target, source, glance)
    except Exception as error:  # one bad page must not end the archive
        why = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
        return Broken(target, "warc", why, len(body), sha256(body))
    return replace(draft, place=str(number), uri=target)


def body_draft(
    body: bytes,
    content_type: str,
    charset: str | None,
    url: str,
    source: Source,
    glance: Callable[[str], str | None] | None = None,
) -> Draft:
    """The draft of an HTTP body by its content first, its declared type second."""
    kind = content_type.split(";")[0].strip().lower()
    if not body:
        raise Unreadable("empty body")
    if body.startswith(b"%PDF"):
        return pdf_draft(body, source)
    if HTML_HEAD.match(body[:4096]) or kind in ("text/html", "application/xhtml+xml", ""):
        return glanced_draft(body, charset, glance) or page_draft(body, url, charset)
    if kind == "text/plain":
        decoded = decode(body, charset)
        return Draft(text=decoded.text, raw_sha256=sha256(body), edits=decoded.edits)
    raise Unreadable(f"body of type '{kind}' holds no document")
