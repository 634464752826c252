"""EPUB books: the chapters in the reading order of the spine, as one document."""

from __future__ import annotations

import posixpath
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import CORRUPT, EPUB_SIGN, member_bytes, seekable
from sources.decoding import decode
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.elements import child, descendants, parse_xml, refuse_deep, text_of
from sources.markup.html_text import body_text, parse_html
from sources.markup.licences import licence_name

DISGUISED: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


@reader(
    "epub",
    ".epub",
    sniff=lambda head: head.startswith(b"PK") and (b"application/epub+zip" in head[:120] or EPUB_SIGN in head),
    is_archive=True,
    version=2,
    source="EPUB 3.3, https://www.w3.org/TR/epub-33/",
)
def read_epub(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The whole book, chapter after chapter; navigation pages are left out."""
    with tempfile.SpooledTemporaryFile(max_size=MAX_DOCUMENT_BYTES) as spool:
        stream = seekable(blob, spool)  # type: ignore[arg-type]
        try:
            archive = zipfile.ZipFile(stream)
            locked = _encrypted(archive)
            draft = _book(archive, locked)
        except CORRUPT as error:
            raise Unreadable(f"EPUB is truncated or corrupt: {error}") from None
        stream.seek(0)
        digest = sha256(stream.read())
        for name, kind in sorted(locked.items()):
            yield Broken(f"{blob.uri}!/{name}", "epub", f"encrypted ({kind}): this part cannot be read", 0, "")
        yield Draft(**{**draft, "raw_sha256": digest})


def _encrypted(archive: zipfile.ZipFile) -> dict[str, str]:
    """Parts that are encrypted, with how; fonts that are only disguised are none of the text."""
    if "META-INF/encryption.xml" not in archive.namelist():
        return {}
    found = {}
    for one in descendants(parse_xml(member_bytes(archive, "META-INF/encryption.xml")), "EncryptedData"):
        method = next(iter(descendants(one, "EncryptionMethod")), None)
        kind = (method.get("Algorithm") or "") if method is not None else ""
        for reference in descendants(one, "CipherReference"):
            if not kind.startswith(DISGUISED):
                found[unquote(reference.get("URI") or "")] = kind.rsplit("#", 1)[-1] or "unknown"
    return found


def _book(archive: zipfile.ZipFile, locked: dict[str, str]) -> dict[str, Any]:
    try:
        container = parse_xml(member_bytes(archive, "META-INF/container.xml"))
        package_name = next(iter(descendants(container, "rootfile"))).get("full-path")
        package = parse_xml(member_bytes(archive, package_name))
    except (KeyError, StopIteration):
        raise Unreadable("EPUB has no container or package file") from None
    folder = posixpath.dirname(package_name)
    metadata, manifest, spine = (child(package, name) for name in ("metadata", "manifest", "spine"))
    items = {one.get("id"): one for one in manifest} if manifest is not None else {}
    chapters: list[str] = []
    parts = list(spine) if spine is not None else []
    parts.sort(key=lambda one: one.get("linear") == "no")  # what stands beside the text comes behind it
    for reference in parts:
        item = items.get(reference.get("idref"))
        if item is None or "nav" in (item.get("properties") or ""):
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        if name in locked:
            continue
        try:
            chapters.append(chapter_text(member_bytes(archive, name)))
        except KeyError:
            raise Unreadable(f"EPUB lacks the chapter {name} that its spine names") from None
    text = "\n\n".join(filter(None, chapters))
    if not text:
        raise Unreadable("EPUB is encrypted" if locked else "EPUB holds no text")
    title = text_of(child(metadata, "title"))
    return {
        "text": text,
        "title": title or None,
        "language": text_of(child(metadata, "language"))[:2].lower() or None,
        "published": text_of(child(metadata, "date"))[:10] or None,
        "publisher": text_of(child(metadata, "publisher")) or None,
        "licence": licence_name(text_of(child(metadata, "rights"))),
    }


def chapter_text(data: bytes) -> str:
    """Text of one XHTML page, all of it: headings, paragraphs, lists, tables."""
    refuse_deep(data)
    return body_text(parse_html(decode(data).text))
