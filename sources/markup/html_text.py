"""All the text of an HTML body in plain form, for pages that are documents rather than web pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import lxml.html

from sources.markup.elements import child, local, squeeze, table_rows
from sources.markup.html_plain import plain_html

HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
# Paragraph styles that word processors and InDesign export for headings: Heading2, head-A, MsoTitle.
HEADING_CLASS: Final = re.compile(r"(?i)(?:^|[^a-z])head(?:ing)?[-_ ]?([a-f1-6])(?![a-z0-9])")
SKIPPED: Final = {
    "script",
    "style",
    "head",
    "svg",
    "img",
    "audio",
    "video",
    "iframe",
    "noscript",
    "form",
    "button",
    "select",
    "template",
    "title",
}
INLINE: Final = {
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "big",
    "cite",
    "code",
    "data",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "ins",
    "kbd",
    "mark",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "time",
    "tt",
    "u",
    "var",
    "wbr",
    "label",
    "math",
    "ruby",
    "rb",
}
CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
FURNITURE: Final = {"nav", "aside", "form", "button", "iframe", "footer", "header", "select", "input"}


def parse_html(text: str) -> Any:
    """Root of an HTML page made plain, or None where there is nothing to parse; no network, no comments."""
    text = CONTROL.sub(" ", text)  # characters that no tree may hold
    if not text.strip():
        return None
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        return plain_html(lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser))
    except lxml.etree.ParserError:
        return None


def is_bare_document(root: Any) -> bool:
    """Whether a page has none of the furniture of a website: then all of its body is the document."""
    return not any(
        local(one) in FURNITURE or one.get("role") in ("navigation", "banner")
        for one in root.iter()
        if isinstance(one.tag, str)
    )


def body_text(root: Any) -> str:
    """Text of the whole body: headings, paragraphs, lists, tables, in order."""
    body = root.find("body") if root is not None else None
    return "\n\n".join(_blocks(body)) if body is not None else ""


def page_title(root: Any) -> str | None:
    """The first heading, else the page's `<title>`."""
    headings = [one for one in root.iter("h1", "h2", "p", "div") if _heading_level(one) in (1, 2)]
    for one in sorted(headings, key=lambda one: _heading_level(one) or 9):
        if text := inline_text(one):
            return text
    found = root.find(".//title")
    return squeeze(found.text or "") or None if found is not None else None


def inline_text(element: Any) -> str:
    """Text of an element on one line; blocks inside it are kept apart by a space."""
    pieces: list[str] = []
    _collect(element, pieces, set())
    return squeeze("".join(pieces))


def _collect(element: Any, pieces: list[str], without: set[str]) -> None:
    pieces.append(element.text or "")
    for one in element:
        name = local(one)
        if name and name not in SKIPPED and name not in without:
            apart = name not in INLINE
            pieces.append(" " if apart else "")
            _collect(one, pieces, without)
            pieces.append(" " if apart else "")
        pieces.append(one.tail or "")


def _blocks(element: Any) -> list[str]:
    blocks: list[str] = []
    loose: list[str] = []

    def close() -> None:
        if text := squeeze("".join(loose)):
            blocks.append(text)
        loose.clear()

    loose.append(element.text or "")
    for one in element:
        name = local(one)
        if not name or name in SKIPPED:
            pass
        elif name in INLINE and not _holds_blocks(one):
            loose.append(inline_text_raw(one))
        elif name == "br":
            loose.append(" ")
        else:
            close()
            blocks.extend(_block(one, name))
        loose.append(one.tail or "")
    close()
    return blocks


def inline_text_raw(element: Any) -> str:
    """Text of an inline element with its own spaces kept."""
    pieces: list[str] = []
    _collect(element, pieces, set())
    return "".join(pieces)


def _holds_blocks(element: Any) -> bool:
    return any(local(one) in ("p", "div", "ul", "ol", "table", "h1", "h2", "h3", "section") for one in element)


def _block(element: Any, name: str) -> list[str]:
    level = _heading_level(element)
    if level:
        return [f"{'#' * level} {title}"] if (title := inline_text(element)) else []
    if name in ("ul", "ol"):
        return ["\n".join(lines)] if (lines := list(_items(element, name == "ol", 0))) else []
    if name == "dl":
        lines = [f"- {text}" for one in element if local(one) in ("dt", "dd") and (text := inline_text(one))]
        return ["\n".join(lines)] if lines else []
    if name == "table":
        return [body] if (body := _table(element)) else []
    if name == "pre":
        return [text] if (text := "".join(element.itertext()).strip()) else []
    if name == "p" and not _holds_blocks(element):
        return [text] if (text := inline_text(element)) else []
    return _blocks(element)


def _heading_level(element: Any) -> int | None:
    name = local(element)
    return HEADINGS.get(name) or _styled_heading(element, name)


def _styled_heading(element: Any, name: str) -> int | None:
    if name not in ("p", "div") or (name == "div" and _holds_blocks(element)):
        return None
    match = HEADING_CLASS.search(element.get("class") or "")
    if match is None:
        return None
    mark = match.group(1).lower()
    return int(mark) if mark.isdigit() else ord(mark) - ord("a") + 1


def _items(element: Any, numbered: bool, depth: int) -> Iterator[str]:
    number = 0
    for item in element:
        name = local(item)
        if name in ("ul", "ol"):
            yield from _items(item, name == "ol", depth + 1)
        elif name == "li":
            number += 1
            pieces: list[str] = []
            _collect(item, pieces, {"ul", "ol"})
            if text := squeeze("".join(pieces)):
                yield f"{'  ' * depth}{f'{number}.' if numbered else '-'} {text}"
            for nested in item.iter("ul", "ol"):
                if _nearest_list_item(nested) is item:
                    yield from _items(nested, local(nested) == "ol", depth + 1)


def _nearest_list_item(element: Any) -> Any:
    return next((one for one in element.iterancestors("li")), None)


def _table(element: Any) -> str:
    rows = []
    for row in element.iter("tr"):
        if next(row.iterancestors("table"), None) is element:
            rows.append([inline_text(cell) for cell in row if local(cell) in ("td", "th")])
    caption = child(element, "caption")
    return "\n".join(filter(None, [inline_text(caption) if caption is not None else "", table_rows(rows)]))
