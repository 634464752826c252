"""JATS XML, the format of journal articles (NISO Z39.96): PubMed Central, PLOS and others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from lxml import etree

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.elements import (
    child,
    descendants,
    local,
    math_text,
    parse_xml,
    table_rows,
    text_of,
    with_power,
    without_empty_brackets,
)
from sources.markup.licences import licence_name

XLINK: Final = "{http://www.w3.org/1999/xlink}href"
SKIPPED: Final = {
    "ref-list",
    "supplementary-material",
    "graphic",
    "media",
    "permissions",
    "object-id",
    "fn-group",
    "alternatives-graphic",
}
SKIPPED_ABSTRACTS: Final = {"toc", "teaser", "graphical", "editor", "web-summary", "short", "video"}
SKIPPED_SECTIONS: Final = re.compile(
    r"(?i)^(supporting information|supplementary (material|data|information)s?|references|acknowledg(e)?ments?|"
    r"author contributions?|competing interests|conflicts? of interest|funding|abbreviations used in this paper)$"
)
# Stands for a citation taken out, so that what joined it to its neighbours goes as well.
CITED: Final = "\ue000"
_RUN: Final = rf"{CITED}(?:[\s,;–—-]*{CITED})*"
CITATIONS: Final = re.compile(rf"\s*\[\s*{_RUN}\s*\]|\s*\(\s*{_RUN}\s*\)|\s*{_RUN}")
# Headings under which journals print opinion, in the singular.
OPINION_HEADINGS: Final = {
    "perspective": "perspective",
    "viewpoint": "viewpoint",
    "essay": "essay",
    "editorial": "editorial",
    "opinion": "opinion",
    "education": "education",
    "feature": "essay",
    "community page": "essay",
    "historical profile and perspective": "essay",
    "book review": "book-review",
    "letter": "letter",
    "case report": "case-report",
    "systematic review": "systematic-review",
    "review": "review-article",
}
NOTICES: Final = {"retraction", "partial-retraction", "correction", "expression-of-concern"}
DATE_ORDER: Final = ("epub", "pub", "ppub", "epub-ppub", "collection", "")


@reader(
    "jats",
    ".nxml",
    sniff=lambda head: re.search(rb"<article[\s>]", head) is not None and b"<html" not in head[:500].lower(),
    by_suffix=True,
    source="JATS 1.3, ANSI/NISO Z39.96",
    example='{name: articles, files: "**/*.xml", format: jats, source_type: literature}',
)
def read_jats(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One article: title, abstract, sections in order, tables as rows, captions; no references."""
    data = blob.read_all()
    root = parse_xml(data)
    if local(root) == "article":
        yield article_draft(root, sha256(data))
        return
    number = 0
    for number, article in enumerate(descendants(root, "article"), 1):
        draft = article_draft(article, sha256(etree.tostring(article)))
        yield replace(draft, place=str(number), uri=f"{blob.uri}#{number}")
    if not number:
        raise Unreadable("no <article> element; not a JATS article")


def article_draft(root: Any, raw_sha256: str) -> Draft:
    """The draft of one `<article>` element."""
    meta = child(root, "front", "article-meta")
    if meta is None:
        meta = child(root, "front-stub")
    title = inline(child(meta, "title-group", "article-title")) if meta is not None else ""
    kind = root.get("article-type") or "other"
    blocks = [f"# {title}"] if title else []
    for abstract in (one for one in meta if local(one) in ("abstract", "trans-abstract")) if meta is not None else ():
        if abstract.get("abstract-type") not in SKIPPED_ABSTRACTS:
            heading = "" if child(abstract, "title") is not None else "## Abstract"
            blocks.extend(filter(None, [heading, *section_blocks(abstract, 2)]))
    body = child(root, "body")
    if body is not None:
        blocks.extend(section_blocks(body, 1))
    for group in (child(root, "floats-group"), child(root, "back", "app-group")):
        if group is not None:
            blocks.extend(section_blocks(group, 2))
    retracts, retracted = _retraction(meta, kind, title)
    journal_meta = child(root, "front", "journal-meta")
    journal = text_of(next(iter(descendants(journal_meta, "journal-title")), None))
    publisher = text_of(child(root, "front", "journal-meta", "publisher", "publisher-name"))
    return Draft(
        text="\n\n".join(blocks),
        raw_sha256=raw_sha256,
        title=title or None,
        published=_published(meta),
        licence=_licence(meta),
        language=None,
        publisher="; ".join(filter(None, (journal, publisher))) or None,
        issn="; ".join(dict.fromkeys(text_of(one) for one in descendants(journal_meta, "issn"))) or None,
        article_type=_article_type(meta, kind),
        doi=_doi(meta),
        retracted=retracted,
        retracts=retracts,
    )


def _article_type(meta: Any, kind: str) -> str:
    """The article's type; where it only says research, the journal's heading may say opinion."""
    if kind not in ("research-article", "other") or meta is None:
        return kind
    for group in descendants(child(meta, "article-categories"), "subj-group"):
        if group.get("subj-group-type") == "heading":
            return OPINION_HEADINGS.get(text_of(child(group, "subject")).lower().rstrip("s"), kind)
    return kind


def section_blocks(section: Any, level: int) -> list[str]:
    """Blocks of text in a section, in order; headings carry their depth."""
    heading = child(section, "title")
    title = inline(heading) if heading is not None else ""
    if SKIPPED_SECTIONS.match(title.strip()):
        return []
    blocks = [f"{'#' * min(level, 6)} {title}"] if title else []
    for element in section:
        blocks.extend(block(element, level))
    return blocks if len(blocks) > bool(title) else []


def block(element: Any, level: int) -> list[str]:
    """The blocks of one block-level element."""
    name = local(element)
    if not name or name in SKIPPED or name in ("title", "label", "ref-list", "sec-meta"):
        return []
    if name == "sec" or name in ("app", "boxed-text", "abstract", "trans-abstract"):
        return section_blocks(element, level + 1)
    if name == "p":
        return _paragraph(element, level)
    if name in ("fig", "fig-group", "table-wrap", "table-wrap-group", "chem-struct-wrap"):
        return _float(element, level)
    if name in ("list", "def-list"):
        return ["\n".join(_items(element))]
    if name in ("disp-formula", "disp-formula-group"):
        formula = inline(element)
        return [formula] if formula else []
    if name == "table":
        return [rows] if (rows := _table(element)) else []
    if name in (
        "disp-quote",
        "statement",
        "verse-group",
        "speech",
        "floats-group",
        "app-group",
        "sec-group",
        "alternatives",
    ):
        return [part for one in element for part in block(one, level)]
    text = inline(element)
    return [text] if text else []


def _paragraph(element: Any, level: int) -> list[str]:
    """A paragraph, with the lists, formulas and floats that stand inside it as blocks after it."""
    inner = [
        one
        for one in element
        if local(one) in ("list", "def-list", "fig", "table-wrap", "boxed-text", "fig-group", "disp-quote")
    ]
    text = inline(element, without=inner)
    return [*([text] if text else []), *(part for one in inner for part in block(one, level))]


def _float(element: Any, level: int) -> list[str]:
    if local(element) in ("fig-group", "table-wrap-group"):
        return [part for one in element for part in block(one, level)]
    label = inline(child(element, "label")) if child(element, "label") is not None else ""
    caption = child(element, "caption")
    parts = [inline(one) for one in caption] if caption is not None else []
    head = " ".join(filter(None, [f"{label.rstrip('.')}." if label else "", *parts]))
    tables = [_table(table) for table in descendants(element, "table")]
    foot = (
        [inline(one) for one in descendants(child(element, "table-wrap-foot"), "p")]
        if child(element, "table-wrap-foot") is not None
        else []
    )
    body = "\n".join(filter(None, [head, *tables, *foot]))
    return [body] if body else []


def _table(table: Any) -> str:
    rows = ([inline(cell) for cell in row if local(cell) in ("td", "th")] for row in descendants(table, "tr"))
    return table_rows(rows)


def _items(element: Any) -> Iterator[str]:
    for item in element:
        if local(item) == "list-item":
            parts = [inline(one) for one in item if local(one) not in ("label", "list")]
            yield f"- {' '.join(filter(None, parts))}"
            for nested in item:
                if local(nested) == "list":
                    yield from (f"  {line}" for line in _items(nested))
        elif local(item) == "def-item":
            yield f"- {inline(child(item, 'term'))}: {inline(child(item, 'def'))}"


def inline(element: Any, without: list[Any] | None = None) -> str:
    """Text of an element on one line, without citation numbers, footnotes and graphics."""
    if element is None:
        return ""
    pieces: list[str] = []
    _collect(element, pieces, without or [], top=True)
    text = CITATIONS.sub("", "".join(pieces))
    return without_empty_brackets(text)


def _collect(element: Any, pieces: list[str], without: list[Any], top: bool = False) -> None:
    name = local(element)
    skip = (
        element in without
        or name in SKIPPED
        or name in ("fn", "tex-math", "email")
        or (name == "xref" and element.get("ref-type") in ("bibr", "fn", "table-fn", "aff", "corresp"))
    )
    if name == "xref" and element.get("ref-type") == "bibr" and re.search("[A-Za-z]", "".join(element.itertext())):
        skip = False  # author and year: part of the sentence
    if skip and not top:
        cited = name == "xref" and element.get("ref-type") == "bibr"
        pieces.append((CITED if cited else "") + (element.tail or ""))
        return
    if name == "math":
        pieces.append(math_text(element))
    elif name == "sup" and not len(element):
        pieces.append(with_power("".join(pieces[-2:]), element.text or ""))
    else:
        if name in ("p", "title", "break") and pieces and not top:
            pieces.append(" ")
        pieces.append(element.text or "")
        for one in element:
            _collect(one, pieces, without)
        if name in ("title", "p") and not top:
            pieces.append(" ")
    if not top:
        pieces.append(element.tail or "")


def _doi(meta: Any) -> str | None:
    for one in descendants(meta, "article-id") if meta is not None else ():
        if one.get("pub-id-type") == "doi":
            return text_of(one).lower() or None
    return None


def _published(meta: Any) -> str | None:
    dates: dict[str, str] = {}
    for one in meta if meta is not None else ():
        if local(one) == "pub-date":
            parts = [text_of(child(one, part)) for part in ("year", "month", "day")]
            numbers = [int(part) if part.isdigit() else None for part in parts]
            if numbers[0]:
                iso = f"{numbers[0]:04d}"
                for number in numbers[1:]:
                    if number is None:
                        break
                    iso += f"-{number:02d}"
                dates[one.get("pub-type") or one.get("date-type") or ""] = iso
    return next((dates[kind] for kind in DATE_ORDER if kind in dates), next(iter(dates.values()), None))


def _licence(meta: Any) -> str | None:
    licence = next(iter(descendants(meta, "license")), None) if meta is not None else None
    statement = child(meta, "permissions") if meta is not None else None
    words = [licence.get(XLINK) or "" if licence is not None else "", text_of(licence), text_of(statement)]
    for link in descendants(statement, "ext-link") if statement is not None else ():
        words.append(link.get(XLINK) or "")
    return licence_name(" ".join(words))


def _retraction(meta: Any, kind: str, title: str) -> tuple[tuple[str, ...], bool]:
    """DOIs that this notice retracts, and whether the article itself is marked retracted."""
    retracts = []
    retracted = kind == "retracted-article" or re.match(r"(?i)\W*retracted\b", title) is not None
    for one in descendants(meta, "related-article") if meta is not None else ():
        relation = one.get("related-article-type") or ""
        doi = (one.get(XLINK) or text_of(one)).removeprefix("info:doi/").removeprefix("https://doi.org/").lower()
        if relation == "retracted-article" and kind == "retraction" and doi.startswith("10."):
            retracts.append(doi)
        if relation in ("retraction-forward", "retraction") and kind not in NOTICES:
            retracted = True
    return tuple(sorted(set(retracts))), retracted
