"""TEI XML: papers as GROBID reads them out of PDF, and texts of libraries in the same tag set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import child, descendants, local, math_text, parse_xml, text_of, without_empty_brackets
from sources.markup.licences import licence_name
from sources.markup.raised import raised
from sources.markup.tables import Cell, span, table_text

XML: Final = "{http://www.w3.org/XML/1998/namespace}"
LEFT_OUT: Final = {"listBibl", "back", "fw", "pb", "lb", "cb", "graphic", "facsimile", "teiHeader", "note", "ptr", "index"}  # fmt: skip # noqa: E501
# Parts of the back matter that say nothing of the subject; annexes are read.
ADMINISTRATIVE: Final = {"references", "acknowledgement", "acknowledgment", "funding", "availability", "conflict", "contribution"}  # fmt: skip # noqa: E501
NUMBERED: Final = re.compile(r"\s*[\[(]?\s*\d{1,3}(?:\s*[,;–—-]\s*\d{1,3})*\s*[,;]?\s*[\])]?\s*")


@reader(
    "tei",
    sniff=lambda head: re.search(rb"<(?:\w+:)?(?:TEI|teiCorpus)[\s>]", head) is not None,
    priority=FIRST,
    source="TEI P5; GROBID's output, https://grobid.readthedocs.io",
    example='{name: papers, files: "**/*.tei.xml", source_type: literature}',
)
def read_tei(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """A document each TEI element: title, abstract, divisions, tables, captions, formulas; no references."""
    data = blob.read_all()
    root = parse_xml(data)
    texts = [one for one in descendants(root, "TEI") if child(one, "text") is not None] or [root]
    for number, one in enumerate(texts, 1):
        draft = _draft(one, sha256(data), blob.uri, str(number) if len(texts) > 1 else "")
        if not draft.text:
            raise Unreadable("the TEI file holds no text but references and metadata")
        yield draft


def _draft(root: Any, digest: str, uri: str, place: str) -> Draft:
    header = child(root, "teiHeader")
    file = child(header, "fileDesc")
    title = text_of(child(file, "titleStmt", "title"))
    blocks = []
    abstract = child(header, "profileDesc", "abstract")
    if abstract is not None and (told := _blocks(abstract, 2)):
        blocks += ["## Abstract", *told]
    text = child(root, "text")
    for part in ("front", "body"):
        blocks += _blocks(child(text, part), 2)
    for one in child(text, "back") if child(text, "back") is not None else ():
        if (one.get("type") or "") not in ADMINISTRATIVE:
            blocks += _block(one, 2)
    notes = [
        f"[{one.get('n')}] {words}" if one.get("n") else words
        for one in descendants(text, "note")
        if one.get("place") == "foot" and (words := _inline(one))
    ]
    head = [f"# {title}"] if title and blocks else []
    published = next((one for one in descendants(file, "date") if one.get("when")), None)
    doi = next((text_of(one).lower() for one in descendants(file, "idno") if (one.get("type") or "").upper() == "DOI"), None)  # fmt: skip # noqa: E501
    availability = child(file, "publicationStmt", "availability")
    links = " ".join(one.get("target") or "" for one in descendants(availability, "licence"))
    language = (text.get(f"{XML}lang") or header.get(f"{XML}lang") or "") if header is not None and text is not None else ""  # fmt: skip # noqa: E501
    journal = next((text_of(one) for one in descendants(file, "title") if one.get("level") == "j"), "")
    return Draft(
        text="\n\n".join([*head, *blocks, *notes]),
        raw_sha256=digest,
        place=place,
        uri=f"{uri}#{place}" if place else None,
        title=title or None,
        published=published.get("when")[:10] if published is not None else None,
        licence=licence_name(f"{text_of(availability)} {links}"),
        language=language[:2].lower() or None,
        publisher="; ".join(filter(None, [journal, text_of(child(file, "publicationStmt", "publisher"))])) or None,
        issn=next((text_of(one) for one in descendants(file, "idno") if "ISSN" in (one.get("type") or "")), None),
        doi=doi,
    )


def _blocks(element: Any, level: int) -> list[str]:
    return [part for one in element for part in _block(one, level)] if element is not None else []


def _block(element: Any, level: int) -> list[str]:
    name = local(element)
    if not name or name in LEFT_OUT:
        return []
    if re.fullmatch(r"div\d?|text|group", name):
        return _blocks(element, level + (name != "group" and _has_head(element)))
    if name == "head":
        number, words = element.get("n"), _inline(element)
        shown = f"{number} {words}" if number and words and not words.startswith(number) else words
        return [f"{'#' * min(max(level - 1, 1), 6)} {shown}"] if shown else []
    if name == "list":
        ordered = element.get("type") in ("ordered", "numbered") or element.get("rend") == "numbered"
        items = [_inline(one) for one in element if local(one) == "item"]
        lines = [f"{f'{at}.' if ordered else '-'} {item}" for at, item in enumerate(filter(None, items), 1)]
        return ["\n".join(lines)] if lines else []
    if name == "table":
        return [rows] if (rows := _table(element)) else []
    if name == "figure":
        caption = " ".join(filter(None, (_inline(child(element, part)) for part in ("head", "figDesc"))))
        inner = [part for one in element if local(one) == "table" for part in _block(one, level)]
        return ["\n".join(filter(None, [caption, *inner]))] if caption or inner else []
    if name == "lg":
        return ["\n".join(_inline(one) for one in descendants(element, "l"))]
    if name in ("quote", "q", "sp", "epigraph", "argument", "titlePage") and len(element):
        return _blocks(element, level) or ([words] if (words := _inline(element)) else [])
    return [words] if (words := _inline(element)) else []


def _has_head(element: Any) -> bool:
    return any(local(one) == "head" for one in element)


def _table(element: Any) -> str:
    rows = [
        [Cell(_inline(cell), span(cell.get("rows")), span(cell.get("cols"))) for cell in row if local(cell) == "cell"]
        for row in descendants(element, "row")
    ]
    return table_text(rows, _inline(child(element, "head")))


def _inline(element: Any) -> str:
    if element is None:
        return ""
    pieces: list[str] = [element.text or ""]
    for one in element:
        _collect(one, pieces)
    return without_empty_brackets("".join(pieces))


def _collect(element: Any, pieces: list[str]) -> None:
    name = local(element)
    tail = element.tail or ""
    if name in ("lb", "pb", "cb"):
        if element.get("break") == "no":
            pieces[-1] = pieces[-1].rstrip("-\u00ad \n")
        else:
            pieces.append(" ")
    elif not name or name in LEFT_OUT:
        pass
    elif name == "ref" and element.get("type") == "bibr" and NUMBERED.fullmatch("".join(element.itertext())):
        pieces[-1] = pieces[-1].rstrip(" ") if tail[:1] in ".,;)" or not tail else pieces[-1]
    elif name == "formula" and (math := next(iter(descendants(element, "math")), None)) is not None:
        pieces.append(math_text(math))
    elif name == "hi" and "sup" in (element.get("rend") or ""):
        pieces.append(raised("".join(pieces[-3:])[-40:], "".join(element.itertext()), tail))
    elif name == "choice":
        shown = next((one for kind in ("corr", "reg", "expan") for one in element if local(one) == kind), None)
        pieces.append(_inline(shown if shown is not None else next(iter(element), None)))
    else:
        if name in ("p", "item", "head", "cell", "l", "label"):
            pieces.append(" ")
        pieces.append(element.text or "")
        for one in element:
            _collect(one, pieces)
    pieces.append(tail)
