"""BITS, the book tag suite of NLM and NCBI's Bookshelf: each chapter a document, its text as in JATS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import child, descendants, local, parse_xml, text_of
from sources.markup.jats_text import block, inline, section_blocks
from sources.markup.licences import licence_name
from sources.readers.jats import XLINK, published

HEAD: Final = re.compile(rb"<(?:book|book-part|book-part-wrapper|collection-meta|book-app)[\s>]")
SIGN: Final = re.compile(rb"<book-(?:meta|part|part-meta|body|id|title-group)[\s>]|BITS|dtd-version")
# What stands in a book beside its chapters, each a document of its own where it has text.
MATTER: Final = ("foreword", "preface", "introduction", "dedication", "front-matter-part", "book-app", "app", "glossary", "notes")  # fmt: skip # noqa: E501


@reader(
    "bits",
    sniff=lambda head: HEAD.search(head) is not None and SIGN.search(head) is not None,
    priority=FIRST + 1,
    source="BITS 2.1, https://jats.nlm.nih.gov/extensions/bits",
    example='{name: bookshelf, files: "**/*.nxml", format: bits, source_type: textbook}',
)
def read_bits(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Chapters in order, with the book's title, date, publisher and licence; front matter and appendices too."""
    data = blob.read_all()
    root = parse_xml(data)
    digest = sha256(data)
    book = next((one for one in (root, *root.iter()) if local(one) == "book-meta"), None)
    shared = _of_book(book)
    number = 0
    for element in _parts(root):
        draft = _draft(element, digest, book, shared)
        if draft is None:
            continue
        number += 1
        place = element.get("id") or str(number)
        yield Draft(**{**draft, "place": f"{number}/{place}", "uri": f"{blob.uri}#{place}"})
    if not number:
        raise Unreadable("no chapter with text in the book")


def _parts(root: Any) -> Iterator[Any]:
    """Book parts that have text themselves, in the book's order; parts within parts come behind them."""
    for one in root.iter():
        name = local(one)
        if name == "book-part" or (name in MATTER and _stands_alone(one)):
            yield one


def _stands_alone(element: Any) -> bool:
    """Whether front or back matter is the book's and not a chapter's."""
    above = [local(one) for one in element.iterancestors()]
    return not any(name in ("book-part", *MATTER) or name.endswith("-meta") for name in above)


def _draft(part: Any, digest: str, book: Any, shared: dict[str, Any]) -> dict[str, Any] | None:
    meta = child(part, "book-part-meta")
    meta = meta if meta is not None else child(part, "front-matter-part-meta")
    meta = meta if meta is not None else child(part, "book-app-meta")
    group = child(meta, "title-group")
    title = inline(child(group, "title"))
    subtitle = inline(child(group, "subtitle"))
    title = f"{title}: {subtitle.strip('()')}" if title and subtitle else title
    title = title or inline(child(part, "title")) or local(part).replace("-", " ").capitalize()
    label = inline(child(group, "label"))
    blocks: list[str] = []
    for one in meta if meta is not None else ():
        if local(one) in ("abstract", "trans-abstract"):
            blocks += section_blocks(one, 2, inline(child(one, "title")) or "Abstract")
    body = child(part, "body")
    body = body if body is not None else child(part, "named-book-part-body")
    inner = body if body is not None else part if local(part) != "book-part" else ()
    for one in inner:
        blocks += [] if local(one) in ("book-part", "title", "title-group") or local(one).endswith("-meta") else block(one, 1)  # fmt: skip # noqa: E501
    back = child(part, "back")
    for one in back if back is not None else ():
        if local(one) in ("app-group", "app", "glossary", "notes", "sec"):
            blocks += section_blocks(one, 2)
    if not blocks:
        return None
    head = f"# {f'{label} ' if label else ''}{title}"
    own_date = published(meta) if meta is not None else None
    return {
        **shared,
        "text": "\n\n".join([head, *blocks]),
        "raw_sha256": digest,
        "title": title,
        "article_type": part.get("book-part-type") or local(part),
        "published": own_date or shared.get("published"),
        "licence": _licence(meta) or shared.get("licence"),
        "series": f"{shared['series']}:{title}" if shared.get("series") and shared.get("edition") else None,
        "doi": _doi(meta, "book-part-id") or None,
    }


def _of_book(meta: Any) -> dict[str, Any]:
    if meta is None:
        return {}
    title = inline(child(meta, "book-title-group", "book-title"))
    publisher = text_of(child(meta, "publisher", "publisher-name"))
    own = next((text_of(one) for one in meta if local(one) == "book-id"), "")
    return {
        "published": published(meta),
        "publisher": "; ".join(filter(None, [title, publisher])) or None,
        "licence": _licence(meta),
        "edition": inline(child(meta, "edition")) or None,
        "series": f"book:{own}" if own else None,
    }


def _licence(meta: Any) -> str | None:
    permissions = child(meta, "permissions") if meta is not None else None
    words = [text_of(permissions)] if permissions is not None else []
    for one in permissions.iter() if permissions is not None else ():
        words.append(one.get(XLINK) or "")
    return licence_name(" ".join(words))


def _doi(meta: Any, name: str) -> str | None:
    found = (one for one in descendants(meta, name) if "doi" in (one.get("book-part-id-type") or one.get("pub-id-type") or ""))  # fmt: skip # noqa: E501
    return next((text_of(one).lower() for one in found), None)
