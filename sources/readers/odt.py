"""OpenDocument texts and presentations (ODT, FODT, ODP), by their own XML."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import OPEN_DOCUMENT_SIGN
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.elements import child, descendants, local, math_text, parse_xml
from sources.pages.office import open_parts, properties, written, xml_part

LEFT_OUT: Final = {
    "tracked-changes", "annotation", "annotation-end", "table-of-content", "alphabetical-index", "illustration-index",
    "sequence-decls", "forms", "soft-page-break", "bookmark", "bookmark-start", "bookmark-end", "image", "desc",
    "covered-table-cell", "script", "page-number", "settings", "header-footer",
}  # fmt: skip
PLAIN: Final = {"p": "p", "table": "table", "list-item": "li", "list-header": "li"}
MOST_REPEATED: Final = 1000


def _is_open_document(head: bytes) -> bool:
    packed = b"application/vnd.oasis.opendocument." in head[:120] or OPEN_DOCUMENT_SIGN in head
    return (head.startswith(b"PK") and packed and b"spreadsheet" not in head[:120]) or b"<office:document " in head


@reader(
    "odt",
    ".odt",
    ".ott",
    ".fodt",
    ".odp",
    sniff=lambda head: _is_open_document(head),
    is_archive=True,
    source="OASIS OpenDocument 1.3",
    example='{name: guidelines, files: "**/*.odt", source_type: guideline}',
)
def read_odt(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One document: headings, paragraphs, lists, tables, notes; deleted text and comments are left out."""
    data = blob.stream.read()
    if data.startswith(b"PK"):
        archive = open_parts(Blob(blob.uri, blob.head, io.BytesIO(data)), "OpenDocument")
        if b"encryption-data" in (archive.read("META-INF/manifest.xml") if _has(archive, "META-INF/manifest.xml") else b""):  # fmt: skip # noqa: E501
            raise Unreadable("OpenDocument file is encrypted")
        root = xml_part(archive, "content.xml", "OpenDocument")
        if root is None:
            raise Unreadable("OpenDocument file is truncated or corrupt: it has no content.xml")
        told = properties(xml_part(archive, "meta.xml", "OpenDocument"))
    else:
        archive, root = None, parse_xml(data)
        told = properties(child(root, "meta"))
    text = written(_Page(root, archive).html())
    if not text:
        raise Unreadable("the document holds no text")
    yield Draft(text=text, raw_sha256=sha256(data), **told)


def _has(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.NameToInfo


class _Page:
    """One document's way to HTML: its automatic styles, and the notes met so far."""

    def __init__(self, root: Any, archive: zipfile.ZipFile | None) -> None:
        self.root, self.archive = root, archive
        self.raised = {_of(one, "name"): mark for one in descendants(root, "style") if (mark := _position(one))}
        self.numbered = {
            _of(one, "name")
            for one in descendants(root, "list-style")
            if any(local(level) == "list-level-style-number" for level in one)
        }
        self.notes: list[str] = []

    def html(self) -> str:
        body = child(self.root, "body")
        inner = self._all(body) if body is not None else ""
        return inner + "".join(f"<p>{note}</p>" for note in self.notes)

    def _all(self, element: Any) -> str:
        pieces = [escape(element.text or "")]
        for one in element:
            if isinstance(one.tag, str):
                pieces.append(self._one(one))
            pieces.append(escape(one.tail or ""))
        return "".join(pieces)

    def _one(self, element: Any) -> str:
        name = local(element)
        if name in LEFT_OUT:
            return ""
        if name in PLAIN:
            return f"<{PLAIN[name]}>{self._all(element)}</{PLAIN[name]}>"
        if name == "h":
            level = min(int(_of(element, "outline-level") or 1), 6)
            return f"<h{level}>{self._all(element)}</h{level}>"
        if name == "list":
            tag = "ol" if _of(element, "style-name") in self.numbered else "ul"
            return f"<{tag}>{self._all(element)}</{tag}>"
        if name == "table-row":
            return f"<tr>{self._all(element)}</tr>" * self._repeated(element, "rows")
        if name == "table-cell":
            wide, high = _of(element, "number-columns-spanned") or "1", _of(element, "number-rows-spanned") or "1"
            cell = f'<td colspan="{escape(wide)}" rowspan="{escape(high)}">{self._all(element)}</td>'
            return cell * self._repeated(element, "columns")
        if name == "span":
            mark = self.raised.get(_of(element, "style-name"))
            inner = self._all(element)
            return f"<{mark}>{inner}</{mark}>" if mark else inner
        if name == "s":
            return " "
        if name == "tab":
            return " "
        if name == "line-break":
            return "<br>"
        if name == "note":
            mark = "".join(child(element, "note-citation").itertext()) if child(element, "note-citation") is not None else ""  # fmt: skip # noqa: E501
            body = child(element, "note-body")
            words = " ".join(self._inside(one) for one in body) if body is not None else ""
            self.notes.append(f"[{escape(mark)}] {words}")
            return f" [{escape(mark)}]"
        if name == "ruby":
            return f"<ruby>{self._all(child(element, 'ruby-base'))}<rt>{self._all(child(element, 'ruby-text'))}</rt></ruby>"  # fmt: skip # noqa: E501
        if name == "object":
            return self._formula(element)
        if name == "frame":
            return self._all(element)
        return self._all(element)

    def _inside(self, element: Any) -> str:
        return self._all(element) if isinstance(element.tag, str) else ""

    def _repeated(self, element: Any, what: str) -> int:
        """How often a row or cell stands; empty ones repeated to the end of a sheet stand once."""
        count = _of(element, f"number-{what}-repeated") or "1"
        told = any("".join(one.itertext()).strip() for one in element)
        return min(int(count), MOST_REPEATED) if count.isdigit() and told else 1

    def _formula(self, element: Any) -> str:
        name = (_of(element, "href") or "").removeprefix("./")
        inner = next(iter(descendants(element, "math")), None)
        if inner is None and self.archive is not None and _has(self.archive, f"{name}/content.xml"):
            part = xml_part(self.archive, f"{name}/content.xml", "OpenDocument")
            inner = part if local(part) == "math" else None
        return f" {escape(' '.join(math_text(inner).split()))} " if inner is not None else ""


def _of(element: Any, name: str) -> str:
    """An attribute by its local name."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _position(style: Any) -> str | None:
    """`sup` or `sub` where a style raises or lowers its text."""
    for one in style:
        if local(one) == "text-properties":
            place = _of(one, "text-position").split(" ")[0]
            if place in ("super", "sub"):
                return "sup" if place == "super" else "sub"
            if place.rstrip("%").lstrip("-").isdigit() and place not in ("0%", "0"):
                return "sub" if place.startswith("-") else "sup"
    return None
