"""Parts of Office and OpenDocument files: what their readers share before and after the text."""

from __future__ import annotations

import zipfile
from typing import Any, Final

from schemas.errors import Unreadable
from sources.containers import CORRUPT, member_bytes
from sources.draft import Blob
from sources.markup.elements import descendants, parse_xml, refuse_deep, text_of
from sources.markup.html_text import body_text, parse_html

MOST_PARTS: Final = 20_000


def open_parts(blob: Blob, kind: str) -> zipfile.ZipFile:
    """The zip file of a document; one that is cut, broken or encrypted is `Unreadable`."""
    try:
        archive = zipfile.ZipFile(blob.stream)
        parts = archive.infolist()
    except CORRUPT as error:
        raise Unreadable(f"{kind} file is truncated or corrupt: {error}") from None
    if len(parts) > MOST_PARTS:
        raise Unreadable(f"{kind} file has more than {MOST_PARTS:,} parts")
    if any(part.flag_bits & 0x1 for part in parts):
        raise Unreadable(f"{kind} file is encrypted")
    return archive


def xml_part(archive: zipfile.ZipFile, name: str, kind: str) -> Any:
    """Root of an XML part, or None where the file has no such part; hostile or broken XML is `Unreadable`."""
    try:
        data = member_bytes(archive, name)
    except KeyError:
        return None
    except CORRUPT as error:
        raise Unreadable(f"{kind} file is corrupt in {name}: {error}") from None
    refuse_deep(data)
    return parse_xml(data)


def check_parts(archive: zipfile.ZipFile, kind: str, folders: tuple[str, ...]) -> None:
    """Refuse a file with XML parts that a library should not be given: entities, depth, bombs."""
    for name in archive.namelist():
        if name.startswith(folders) and name.endswith((".xml", ".rels")):
            xml_part(archive, name, kind)


def properties(root: Any) -> dict[str, Any]:
    """Title, date and language as `docProps/core.xml` or `meta.xml` tells them (Dublin Core names)."""
    if root is None:
        return {}

    def told(*names: str) -> str | None:
        return next((text for name in names for one in descendants(root, name) if (text := text_of(one))), None)

    language = told("language")
    changed = told("modified", "date", "created", "creation-date")
    return {
        "title": told("title"),
        "published": changed[:10] if changed else None,
        "language": language[:2].lower() if language else None,
    }


def written(html: str) -> str:
    """Readable text of a body that was written out as HTML, by the one model of markup."""
    return body_text(parse_html(f"<html><body>{html}</body></html>"))
