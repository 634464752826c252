"""CNXML, the format of OpenStax textbooks: modules (one section of a book) and collections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.cals import cals_rows
from sources.markup.elements import (
    child,
    descendants,
    local,
    math_text,
    parse_xml,
    squeeze,
    text_of,
    without_empty_brackets,
)
from sources.markup.licences import licence_name
from sources.markup.raised import raised
from sources.markup.tables import table_text

BLOCKS: Final = {
    "para",
    "section",
    "list",
    "table",
    "figure",
    "note",
    "example",
    "exercise",
    "equation",
    "definition",
    "media",
    "quote",
    "injected-exercise",
    "subfigure",
}
SKIPPED: Final = {"title", "metadata", "media", "image", "iframe", "footnote", "label", "glossary", "cnx-pi"}


def _is_cnxml(head: bytes) -> bool:
    return b"cnx.rice.edu/cnxml" in head or b"cnx.rice.edu/collxml" in head


@reader(
    "cnxml", ".cnxml", sniff=_is_cnxml, by_suffix=True, version=2, source="CNXML 0.8, https://github.com/openstax/cnxml"
)
def read_cnxml(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """A module as text with headings, lists, tables and its glossary; a collection as its outline."""
    data = blob.read_all()
    root = parse_xml(data)
    if local(root) == "document":
        yield _module(root, sha256(data))
    elif local(root) == "collection":
        yield _collection(root, sha256(data))
    else:
        raise Unreadable(f"root element <{local(root)}> is neither a CNXML document nor a collection")


def _module(root: Any, raw_sha256: str) -> Draft:
    metadata = child(root, "metadata")
    title = text_of(child(root, "title")) or text_of(child(metadata, "title"))
    blocks = [f"# {title}"] if title else []
    abstract = child(metadata, "abstract")
    if abstract is not None:
        lead = squeeze(abstract.text or "")
        blocks.extend([lead] if lead else [])
        blocks.extend(part for one in abstract for part in _block(one, 2))
    blocks.extend(_children(child(root, "content"), 2))
    glossary = child(root, "glossary")
    if glossary is not None:
        entries = [_definition(one) for one in descendants(glossary, "definition")]
        if entries:
            blocks.append("\n".join(["## Glossary", *entries]))
    return Draft(
        text="\n\n".join(blocks),
        raw_sha256=raw_sha256,
        title=title or None,
        licence=_licence(metadata),
        published=(text_of(child(metadata, "revised"))[:10] or None),
    )


def _collection(root: Any, raw_sha256: str) -> Draft:
    """The outline of a book: its parts and chapters, nested as headings of a list."""
    metadata = child(root, "metadata")
    title = text_of(child(metadata, "title"))
    lines: list[str] = []

    def walk(element: Any, depth: int) -> None:
        for one in element:
            if local(one) == "subcollection":
                lines.append(f"{'  ' * depth}- {text_of(child(one, 'title'))}")
                walk(child(one, "content"), depth + 1)

    content = child(root, "content")
    if content is not None:
        walk(content, 0)
    return Draft(
        text="\n\n".join([f"# {title}", "\n".join(lines)]),
        raw_sha256=raw_sha256,
        title=title or None,
        language=text_of(child(metadata, "language")) or None,
        licence=_licence(metadata),
    )


def _licence(metadata: Any) -> str | None:
    licence = child(metadata, "license") if metadata is not None else None
    return licence_name(f"{licence.get('url') or ''} {text_of(licence)}") if licence is not None else None


def _children(element: Any, level: int) -> list[str]:
    return [part for one in element for part in _block(one, level)] if element is not None else []


def _block(element: Any, level: int) -> list[str]:
    name = local(element)
    if name == "section":
        title = _inline(child(element, "title"))
        return [*([f"{'#' * min(level, 6)} {title}"] if title else []), *_children(element, level + 1)]
    if name == "para":
        return _paragraph(element, level)
    if name == "list":
        title = _inline(child(element, "title"))
        lines = list(_items(element, 0))
        return ["\n".join(filter(None, [title, *lines]))] if lines else []
    if name == "table":
        return _table(element)
    if name == "figure":
        title, caption = _inline(child(element, "title")), _inline(child(element, "caption"))
        parts = [part for one in element if local(one) == "table" for part in _table(one)]
        text = ". ".join(filter(None, [title.rstrip("."), caption]))
        return [*([text] if text else []), *parts]
    if name == "definition":
        return [_definition(element)]
    if name == "equation":
        return [text] if (text := _inline(element)) else []
    if name in (
        "note",
        "example",
        "exercise",
        "problem",
        "solution",
        "injected-exercise",
        "quote",
        "div",
        "commentary",
        "proof",
        "rule",
        "statement",
    ):
        heads = [_inline(child(element, part)) for part in ("label", "title")]
        own = squeeze(element.text or "")
        return [*filter(None, [": ".join(filter(None, heads)), own]), *_children(element, level), *_notes(element, own)]
    if not name or name in SKIPPED:
        return []
    return [text] if (text := _inline(element)) else []


def _paragraph(element: Any, level: int) -> list[str]:
    """A paragraph in its own order: what stands inside it as a block parts it; its footnotes behind it."""
    blocks = [title] if (title := _inline(child(element, "title"))) else []
    pieces: list[str] = [element.text or ""]

    def close() -> None:
        if text := without_empty_brackets("".join(pieces)):
            blocks.append(text)
        pieces.clear()

    for one in element:
        if local(one) in BLOCKS:
            close()
            blocks.extend(_block(one, level))
            pieces.append(one.tail or "")
        elif local(one) == "newline":
            close()
            pieces.append(one.tail or "")
        else:
            _collect(one, pieces, ())
    close()
    return [*blocks, *_notes(element, True)]


def _notes(element: Any, own: object) -> list[str]:
    """Footnotes of a block that are none of a paragraph's within it."""
    if not own:
        return []
    inner = [one for one in element if local(one) not in BLOCKS]
    found = [note for one in inner for note in ([one] if local(one) == "footnote" else descendants(one, "footnote"))]
    return [text for note in found if (text := _inline(note))]


def _definition(element: Any) -> str:
    """A term with its meanings, and the examples beside them."""
    told = [_inline(one) for one in element if local(one) in ("meaning", "example", "seealso")]
    return f"{_inline(child(element, 'term'))}: {' '.join(filter(None, told))}"


def _items(element: Any, depth: int) -> Iterator[str]:
    numbered = element.get("list-type") == "enumerated"
    for number, item in enumerate((one for one in element if local(one) == "item"), 1):
        nested = list(descendants(item, "list"))
        text = _inline(item, without=nested)
        yield f"{'  ' * depth}{f'{number}.' if numbered else '-'} {text}"
        for one in nested:
            if one.getparent() is item or local(one.getparent()) == "para":
                yield from _items(one, depth + 1)


def _table(element: Any) -> list[str]:
    """A CALS table: entries at their columns, by name or by number, rows that go on below."""
    title = _inline(child(element, "title")) or _inline(child(element, "caption"))
    body = table_text(cals_rows(element, _inline), title)
    return [body] if body else []


def _inline(element: Any, without: Sequence[Any] = ()) -> str:
    """Text of an element on one line, without footnotes and what is in `without`."""
    if element is None:
        return ""
    pieces: list[str] = [element.text or ""]
    if local(element) == "math":
        return math_text(element)
    for one in element:
        _collect(one, pieces, without)
    return without_empty_brackets("".join(pieces))


def _collect(element: Any, pieces: list[str], without: Sequence[Any]) -> None:
    name = local(element)
    if element in without or name in SKIPPED:
        pass
    elif name == "math":
        pieces.append(math_text(element))
    elif name == "sup":
        pieces.append(raised("".join(pieces[-3:])[-40:], "".join(element.itertext()), element.tail or ""))
    else:
        if name in ("newline", "para", "item"):
            pieces.append(" ")
        pieces.append(element.text or "")
        for inner in element:
            _collect(inner, pieces, without)
    pieces.append(element.tail or "")
