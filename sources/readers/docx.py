"""Word documents (DOCX, DOTX, DOCM) by mammoth; macros and fields are never run.

mammoth keeps headings, lists, tables with their spans, notes, text boxes and raised figures, and takes tracked
changes as accepted. It passes over formulas, which are therefore written out as text before it reads.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import mammoth
from lxml import etree

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import CORRUPT, member_bytes
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import parse_xml, refuse_deep
from sources.markup.office_math import omml_text
from sources.pages.office import check_parts, open_parts, properties, written, xml_part

WORD: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
STYLES: Final = "\n".join((
    "p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh", "p[style-name='标题'] => h1:fresh",
    *(f"p[style-name='标题 {level}'] => h{level}:fresh" for level in range(1, 7)),
))  # fmt: skip
MARK: Final = re.compile(r"(?:<sup>)+<a href=\"#(?:foot|end)note-[^>]*>(\[\d+\])</a>(?:</sup>)+")
BACK: Final = re.compile(r"\s*<a href=\"#(?:foot|end)note-ref-[^\"]*\">↑</a>")


@reader(
    "docx",
    ".docx",
    ".docm",
    ".dotx",
    sniff=lambda head: head.startswith(b"PK") and b"word/document" in head,
    priority=FIRST,
    is_archive=True,
    source="ECMA-376 WordprocessingML, by mammoth",
    example='{name: pathways, files: "**/*.docx", source_type: clinical_pathway}',
)
def read_docx(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One document: headings, paragraphs, lists, tables, notes; no running headers, comments or pictures."""
    data = blob.stream.read()
    archive = open_parts(Blob(blob.uri, blob.head, io.BytesIO(data)), "Word")
    check_parts(archive, "Word", ("word/", "_rels/", "docProps/"))
    try:
        told = mammoth.convert_to_html(
            io.BytesIO(_with_formulas(archive, data)),
            style_map=STYLES,
            convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
        ).value
    except (*CORRUPT, KeyError, AttributeError, TypeError) as error:
        raise Unreadable(f"Word file is truncated or corrupt: {error}") from None
    text = written(MARK.sub(r" \1", BACK.sub("", told)))
    if not text:
        raise Unreadable("the document holds no text")
    yield Draft(text=text, raw_sha256=sha256(data), **properties(xml_part(archive, "docProps/core.xml", "Word")))


def _with_formulas(archive: zipfile.ZipFile, data: bytes) -> bytes:
    """The file with each formula of its body written as a run of text."""
    names = [name for name in archive.namelist() if re.fullmatch(r"word/(?:document\d*|footnotes|endnotes)\.xml", name)]
    changed = {}
    for name in names:
        part = member_bytes(archive, name)
        if b"oMath" in part:
            refuse_deep(part)
            changed[name] = _formulas_as_runs(parse_xml(part))
    if not changed:
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, changed.get(name) or archive.read(name))
    return out.getvalue()


def _formulas_as_runs(root: Any) -> bytes:
    for formula in [*root.iter(f"{MATH}oMath")]:
        if any(one.tag == f"{MATH}oMath" for one in formula.iterancestors()):
            continue
        run = etree.Element(f"{WORD}r")
        text = etree.SubElement(run, f"{WORD}t")
        text.text = f" {omml_text(formula)} "
        parent = formula.getparent()
        if parent.tag == f"{MATH}oMathPara":
            parent.getparent().replace(parent, run)
        else:
            run.tail = formula.tail
            parent.replace(formula, run)
    return etree.tostring(root)
