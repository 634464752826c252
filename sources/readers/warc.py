"""WARC web archives (ISO 28500) by fastwarc: each response with a readable body is a document."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fastwarc.warc import ArchiveIterator, WarcRecordType

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import check_gzip, seekable
from sources.decoding import decode
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.readers.html import HTML_HEAD, page_draft
from sources.readers.pdf import pdf_draft


@reader(
    "warc",
    ".warc",
    sniff=lambda head: head.startswith(b"WARC/"),
    source="ISO 28500 (WARC 1.1), by fastwarc",
    example='{name: pages, files: "*.warc.gz", source_type: web}',
)
def read_warc(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Every response record with an HTML, text or PDF body; its uri is the record's target."""
    if not blob.head:
        raise Unreadable("empty file")
    with tempfile.SpooledTemporaryFile(max_size=MAX_DOCUMENT_BYTES) as spool:
        stream = seekable(blob, spool)  # type: ignore[arg-type]
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        for number, record in enumerate(records, 1):
            yield _record(record, number, source)
        check_gzip(stream)  # fastwarc takes a file that was cut for one that has ended


def _record(record: Any, number: int, source: Source) -> Draft | Broken:
    target = (record.headers.get("WARC-Target-URI") or f"record-{number}").strip("<>")
    body = record.reader.read(MAX_DOCUMENT_BYTES + 1)
    try:
        if len(body) > MAX_DOCUMENT_BYTES:
            raise Unreadable(f"record larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
        if len(body) < record.content_length:
            raise Unreadable(f"record cut short: {len(body)} of {record.content_length} bytes")
        draft = body_draft(body, record.http_content_type or "", record.http_charset, target, source)
    except Unreadable as error:
        return Broken(target, "warc", str(error), len(body), sha256(body))
    except Exception as error:  # one bad page must not end the archive
        return Broken(target, "warc", f"{type(error).__name__}: {error}", len(body), sha256(body))
    return replace(draft, place=str(number), uri=target)


def body_draft(body: bytes, content_type: str, charset: str | None, url: str, source: Source) -> Draft:
    """The draft of an HTTP body by its content first, its declared type second."""
    kind = content_type.split(";")[0].strip().lower()
    if not body:
        raise Unreadable("empty body")
    if body.startswith(b"%PDF"):
        return pdf_draft(body, source)
    if HTML_HEAD.match(body[:4096]) or kind in ("text/html", "application/xhtml+xml", ""):
        return page_draft(body, url, charset)
    if kind == "text/plain":
        decoded = decode(body, charset)
        return Draft(text=decoded.text, raw_sha256=sha256(body), edits=decoded.edits)
    raise Unreadable(f"body of type '{kind}' holds no document")
