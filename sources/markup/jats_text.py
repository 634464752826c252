"""The text of a JATS article in order: headings, paragraphs, lists, tables, boxes, captions, formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sources.markup.cals import cals_rows
from sources.markup.elements import child, descendants, local, math_text, without_empty_brackets
from sources.markup.raised import CITED as FIGURES
from sources.markup.raised import cited, raised
from sources.markup.tables import Cell, span, table_text

SKIPPED: Final = {
    "ref-list", "graphic", "inline-graphic", "media", "permissions", "object-id", "fn-group", "alt-text", "long-desc",
    "sec-meta", "kwd-group", "inline-supplementary-material",
}  # fmt: skip
SKIPPED_SECTIONS: Final = re.compile(
    r"(?i)^(references|acknowledg(e)?ments?|author contributions?|competing interests|conflicts? of interest|funding|"
    r"abbreviations used in this paper)$"
)
FLOATS: Final = {"fig", "fig-group", "table-wrap", "table-wrap-group", "chem-struct-wrap", "boxed-text", "supplementary-material"}  # fmt: skip # noqa: E501
# What stands in a paragraph as a block of its own, with text before and after it.
INSIDE: Final = {*FLOATS, "list", "def-list", "disp-quote", "disp-formula", "disp-formula-group", "preformat", "code", "verse-group", "statement"}  # fmt: skip # noqa: E501
TITLED: Final = {
    "sec",
    "app",
    "abstract",
    "trans-abstract",
    "notes",
    "ack",
    "glossary",
    "boxed-text",
    "statement",
    "bio",
}
WRAPPERS: Final = {"verse-group", "speech", "floats-group", "app-group", "sec-group", "disp-formula-group", "array"}
# A citation's own words stand between these until its line is finished, so that what joins it to its neighbours is
# seen: it goes with them, or all of them stand in one bracket.
CITED, CITED_END = "\ue000", "\ue001"
_ONE: Final = rf"{CITED}[^{CITED_END}]*{CITED_END}"
_RUN: Final = rf"{_ONE}(?:[\s,;–—-]*{_ONE})*"
CITATIONS: Final = re.compile(rf"\s*\[\s*({_RUN})\s*\]|\s*\(\s*({_RUN})\s*\)|\s*({_RUN})")
PREAMBLE: Final = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)


def section_blocks(section: Any, level: int, title: str | None = None) -> list[str]:
    """Blocks of text in a section, in order; headings carry their depth. `title`: in place of its own."""
    if title is None:
        title = _heading(section)
    if SKIPPED_SECTIONS.match(title.strip()):
        return []
    head = [f"{'#' * min(level, 6)} {title}"] if title else []
    blocks = _caption_paragraphs(section) if local(section) == "boxed-text" else []
    for element in section:
        blocks.extend(block(element, level))
    return [*head, *blocks] if blocks else []


def _heading(section: Any) -> str:
    """Label and title of a section; those of a box stand in its caption."""
    label = inline(child(section, "label")) if local(section) in ("boxed-text", "statement", "app") else ""
    title = inline(child(section, "title")) or inline(child(section, "caption", "title"))
    return ". ".join(filter(None, [label.rstrip("."), title]))


def _caption_paragraphs(element: Any) -> list[str]:
    caption = child(element, "caption")
    return [text for one in (caption if caption is not None else ()) if local(one) == "p" and (text := inline(one))]


def block(element: Any, level: int) -> list[str]:
    """The blocks of one block-level element."""
    name = local(element)
    if not name or name in SKIPPED or name in ("title", "label", "caption"):
        return []
    if name in TITLED:
        return section_blocks(element, level + 1)
    if name == "p":
        return _paragraph(element, level)
    if name in FLOATS:
        return _float(element, level)
    if name in ("list", "def-list"):
        return [text] if (text := "\n".join(_items(element))) else []
    if name == "disp-formula":
        return [text] if (text := formula(element)) else []
    if name == "table":
        return [rows] if (rows := _table(element)) else []
    if name == "alternatives":
        return _alternative(element, level)
    if name in WRAPPERS or name == "disp-quote":
        return [part for one in element for part in block(one, level)]
    if name == "preformat" or name == "code":
        return [text] if (text := "".join(element.itertext()).strip()) else []
    text = inline(element)
    return [text] if text else []


def _paragraph(element: Any, level: int) -> list[str]:
    """A paragraph in its own order: what stands inside it as a block parts it."""
    blocks: list[str] = []
    pieces: list[str] = [element.text or ""]

    def close() -> None:
        if text := finished(pieces):
            blocks.append(text)
        pieces.clear()

    for one in element:
        if local(one) in INSIDE:
            close()
            blocks.extend(block(one, level))
            pieces.append(one.tail or "")
        elif isinstance(one.tag, str):
            collect(one, pieces)
    close()
    return blocks


def _float(element: Any, level: int) -> list[str]:
    name = local(element)
    if name in ("fig-group", "table-wrap-group"):
        head = _captioned(element)
        return [*([head] if head else []), *(part for one in element for part in block(one, level))]
    head = _captioned(element)
    tables = [_table(table) for table in descendants(element, "table")]
    foot = child(element, "table-wrap-foot")
    notes = [*_footnotes(foot)] if foot is not None else []
    body = "\n".join(filter(None, [head, *tables, *notes]))
    inner = [part for one in element if local(one) in ("p", "list", "disp-quote") for part in block(one, level)]
    return [*([body] if body else []), *inner]


def _captioned(element: Any) -> str:
    """Label, title and words of a caption on one line."""
    label = inline(child(element, "label"))
    caption = child(element, "caption")
    parts = [inline(one) for one in caption] if caption is not None else []
    return " ".join(filter(None, [f"{label.rstrip('.')}." if label else "", *parts]))


def _footnotes(foot: Any) -> Iterator[str]:
    """A table's notes, each with its mark in brackets."""
    for one in foot:
        if local(one) in ("fn", "p", "attrib"):
            mark = inline(child(one, "label")).strip("[]() ")
            parts = [inline(each) for each in one if local(each) != "label"] if local(one) == "fn" else [inline(one)]
            text = " ".join(filter(None, parts))
            if text:
                yield f"[{mark}] {text}" if mark else text
        elif local(one) == "fn-group":
            yield from _footnotes(one)


def _table(table: Any) -> str:
    rows = [
        [
            Cell(_cell(cell), span(cell.get("rowspan")), span(cell.get("colspan")))
            for cell in row
            if local(cell) in ("td", "th")
        ]
        for row in descendants(table, "tr")
        if _owner(row) is table
    ]
    return table_text(rows or cals_rows(table, _cell))


def _owner(row: Any) -> Any:
    return next((one for one in row.iterancestors() if local(one) == "table"), None)


def _cell(cell: Any) -> str:
    """A cell on one line; items of its lists apart by semicolons."""
    lists = [one for one in cell.iter() if local(one) in ("list", "def-list")]
    if not lists:
        return inline(cell)
    pieces: list[str] = []
    for one in lists:
        for item in one:
            item.tail = "; " + (item.tail or "").strip()
    collect(cell, pieces, top=True)
    return re.sub(r"(?:\s*;)+\s*$", "", re.sub(r"(?:\s*;)+\s*", "; ", finished(pieces)))


def _items(element: Any, depth: int = 0) -> Iterator[str]:
    """Lines of a list: its title, items with what they hold, nested lists one step in."""
    if title := inline(child(element, "title")):
        yield f"{'  ' * depth}{title}"
    ordered = (element.get("list-type") or "") in ("order", "ordered", "number")
    number = 0
    for item in element:
        if local(item) == "list-item":
            number += 1
            nested = [one for one in item.iter() if local(one) in ("list", "def-list") and _item_of(one) is item]
            label = inline(child(item, "label"))
            mark = label if label and re.match(r"[\[(]?\w{1,4}[.)\]]?$", label) else f"{number}." if ordered else "-"
            parts = [inline(one, nested) for one in item if local(one) not in ("label", "list", "def-list")]
            text = " ".join(filter(None, parts))
            if text or not nested:
                yield f"{'  ' * depth}{mark} {text}"
            for one in nested:
                yield from _items(one, depth + 1)
        elif local(item) == "def-item":
            told = " ".join(filter(None, (inline(one) for one in item if local(one) == "def")))
            term = "; ".join(filter(None, (inline(one) for one in item if local(one) == "term")))
            yield f"{'  ' * depth}- {term}: {told}"
        elif local(item) in ("list", "def-list"):
            yield from _items(item, depth + 1)


def _item_of(element: Any) -> Any:
    return next((one for one in element.iterancestors() if local(one) in ("list-item", "def-item")), None)


def _alternative(element: Any, level: int) -> list[str]:
    """One of several forms of the same: the first that has text."""
    order = ("table", "math", "textual-form", "tex-math")
    for name in order:
        found = next((one for one in element if local(one) == name), None)
        if found is not None:
            told = (
                [_table(found)]
                if name == "table"
                else [formula(element)]
                if name != "textual-form"
                else [inline(found)]
            )
            if any(told):
                return told
    return next((parts for one in element if (parts := block(one, level))), [])


def formula(element: Any) -> str:
    """A formula once: MathML as text, else TeX without its preamble, else what stands there; its label in brackets."""
    label = inline(child(element, "label"))
    math = next(iter(descendants(element, "math")), None)
    tex = next(iter(descendants(element, "tex-math")), None)
    if math is not None:
        told = " ".join(math_text(math).split())
    elif tex is not None:
        told = tex_text(tex)
    else:
        told = inline(element, [one for one in element if local(one) == "label"])
    return f"{told} {label}".strip() if told else ""


def tex_text(element: Any) -> str:
    """TeX of a formula without the document around it."""
    source = "".join(element.itertext())
    found = PREAMBLE.search(source)
    return " ".join((found[1] if found else source).strip().strip("$").split())


def inline(element: Any, left: list[Any] | tuple[()] = ()) -> str:
    """Text of an element on one line, without citation numbers, footnotes, graphics and the elements in `left`."""
    if element is None:
        return ""
    pieces: list[str] = []
    collect(element, pieces, left, top=True)
    return finished(pieces)


def finished(pieces: list[str]) -> str:
    """Pieces of a line put together, places of citations closed."""
    text = "".join(pieces)
    return without_empty_brackets(CITATIONS.sub(_cited, text) if CITED in text else text)


def _cited(found: re.Match[str]) -> str:
    run = found[1] or found[2] or found[3]
    return cited(re.sub(f"[{CITED}{CITED_END}]|(?<={CITED_END})\\s+(?={CITED})", "", run))


def _is_citation(element: Any) -> bool:
    """A reference by number; one by author and year is part of the sentence."""
    return element.get("ref-type") == "bibr" and not re.search("[A-Za-z]", "".join(element.itertext()))


def collect(element: Any, pieces: list[str], left: list[Any] | tuple[()] = (), top: bool = False) -> None:
    """Add the words of an element, and unless it is the top one its tail, to pieces of a line."""
    name = local(element)
    tail = "" if top else element.tail or ""
    if not top and (element in left or not name or name in SKIPPED or name in ("fn", "email")):
        pieces.append(tail)
    elif name == "xref" and _is_citation(element):
        pieces.append(f"{CITED}{''.join(element.itertext()).strip('[]() ')}{CITED_END}{tail}")
    elif name == "xref" and element.get("ref-type") in ("aff", "corresp", "fn") and not top:
        pieces.append(tail)
    elif name == "xref" and element.get("ref-type") == "table-fn":
        pieces.append(raised("".join(pieces[-3:])[-40:], "".join(element.itertext()), tail, True) + tail)
    elif name in ("alternatives", "inline-formula") and next(iter(descendants(element, "math")), None) is not None:
        pieces.append(formula(element) + tail)
    elif name == "math":
        pieces.append(" ".join(math_text(element).split()) + tail)
    elif name == "tex-math":
        pieces.append(tex_text(element) + tail)
    elif name == "sup":
        pieces.append(_raised(element, pieces, tail) + tail)
    elif name == "break":
        pieces.append(" " + tail)
    else:
        _inside(element, pieces, left, top)
        pieces.append(tail)


def _inside(element: Any, pieces: list[str], left: list[Any] | tuple[()], top: bool) -> None:
    apart = not top and local(element) in ("p", "title", "list-item", "def-item", "td", "th", "tr")
    if apart and pieces:
        pieces.append(" ")
    pieces.append(element.text or "")
    for one in element:
        collect(one, pieces, left)
    if apart:
        pieces.append(" ")


def _raised(element: Any, pieces: list[str], tail: str) -> str:
    """A raised element: references within it are citations, whatever joins them."""
    references = [one for one in element.iter() if local(one) == "xref"]
    words = "".join(element.itertext())
    if (
        references
        and any(one.get("ref-type") == "bibr" for one in references)
        and FIGURES.fullmatch(" ".join(words.split()))
    ):
        return f"{CITED}{words.strip('[]() ')}{CITED_END}"
    linked = any(one.get("ref-type") in ("table-fn", "fn") for one in references)
    return raised("".join(pieces[-3:])[-40:], words, tail, linked)
