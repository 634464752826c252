"""HTML made plain before anything reads it: formulas, readings, raised figures and tables become what they say.

Both ways of reading a page, all of its body or its main text by an extractor, see the same tree: an extractor
that knows nothing of spans, ruby or MathML cannot lose them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from lxml import html as lxml_html

from sources.markup.elements import local, math_text
from sources.markup.raised import CITED, MARK, raised
from sources.markup.tables import Cell, laid_out, span

IDEOGRAPHS: Final = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
BROKEN_LINE: Final = re.compile(rf"(?<=[{IDEOGRAPHS}])[ \t]*[\r\n]\s*(?=[{IDEOGRAPHS}])")
# Copies of a formula that renderers lay beside its source.
RENDERED: Final = {"katex-html", "MathJax", "MathJax_Display", "MathJax_Preview", "MathJax_SVG", "mwe-math-fallback-image-inline"}  # fmt: skip # noqa: E501
BLOCK: Final = {"p", "div", "br", "section", "article", "blockquote", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "figure", "figcaption"}  # fmt: skip # noqa: E501
LONG_CELL: Final = 600  # characters: more is no value but a part of a page


def plain_html(root: Any) -> Any:
    """The tree, changed in place."""
    _formulas(root)
    _readings(root)
    for one in [*root.iter("sup")]:
        _replace(one, raised(_before(one), _words(one), one.tail or "", _linked(one)))
    for one in [*root.iter("a")]:
        if _is_note(one):
            _replace(one, raised(_before(one), _words(one), one.tail or "", True))
    for one in [*root.iter("sub")]:
        _replace(one, _words(one))
    tables = [*root.iter("table")]
    for table in reversed(tables):  # inner ones first
        _table(table)
    for one in root.iter():
        if isinstance(one.tag, str) and local(one) not in ("pre", "script", "style"):
            one.text = BROKEN_LINE.sub("", one.text) if one.text else one.text
        one.tail = BROKEN_LINE.sub("", one.tail) if one.tail else one.tail
    return root


def _formulas(root: Any) -> None:
    """One form of each formula: its MathML as text, else the TeX of a script."""
    for one in [*root.iter()]:
        if not isinstance(one.tag, str):
            continue
        classes = set((one.get("class") or "").split())
        if classes & RENDERED:
            _replace(one, "")
        elif local(one) == "script" and (one.get("type") or "").startswith("math/tex"):
            _replace(one, f"${(one.text or '').strip()}$")
    for one in [*root.iter("math", "{*}math")]:
        if one.getparent() is not None:
            _replace(one, math_text(one))


def _readings(root: Any) -> None:
    """A reading beside its word goes into brackets behind it."""
    for one in [*root.iter("rp")]:
        _replace(one, "")
    for one in [*root.iter("rt")]:
        words = _words(one).strip()
        _replace(one, f"({words})" if words else "")
    for ruby in [*root.iter("ruby")]:
        text = re.sub(r"\s+(?=\()", "", "".join(ruby.itertext()).strip())
        _replace(ruby, text)


def _is_note(link: Any) -> bool:
    """Whether a link is a note's number beside a word, and nothing that a sentence says."""
    told = " ".join((link.get(name) or "") for name in ("epub:type", "role", "class", "rel")).lower()
    if not (link.get("href") or "").startswith("#") and "noteref" not in told:
        return False
    words = _words(link).strip()
    if not (CITED.fullmatch(words) or MARK.fullmatch(words)):
        return False
    return re.search(r"noteref|fnref|footnote|endnote|citation|cite|biblioref|\bref\b", told) is not None


def _linked(raised_one: Any) -> bool:
    """Whether a raised element is, or lies in, nothing but links to places in the page."""
    links = [*raised_one.iter("a"), *(one for one in raised_one.iterancestors("a"))]
    here = [one for one in links if (one.get("href") or "").startswith("#") or "#cite" in (one.get("href") or "")]
    if not here:
        return False
    told = "".join(raised_one.itertext())
    inside = "".join("".join(one.itertext()) for one in here)
    return len(re.sub(r"[\W_]", "", inside)) >= len(re.sub(r"[\W_]", "", told))


def _before(element: Any) -> str:
    """The last words before an element on its line."""
    words: list[str] = []
    one = element
    while one is not None and sum(map(len, words)) < 24:
        previous = one.getprevious()
        if previous is not None:
            words += [previous.tail or "", "".join(previous.itertext()) if isinstance(previous.tag, str) else ""]
            if local(previous) in BLOCK:
                break
            one = previous
            continue
        parent = one.getparent()
        if parent is None:
            break
        words.append(parent.text or "")
        if local(parent) in BLOCK or local(parent) in ("td", "th", "li"):
            break
        one = parent
    return "".join(reversed(words))[-40:]


def _words(element: Any) -> str:
    return "".join(element.itertext())


def _replace(element: Any, text: str) -> None:
    """Text in the place of an element."""
    parent, previous, text = element.getparent(), element.getprevious(), text + (element.tail or "")
    if parent is None:
        return
    if previous is None:
        parent.text = (parent.text or "") + text
    else:
        previous.tail = (previous.tail or "") + text
    element.tail = None
    parent.remove(element)


def _table(table: Any) -> None:
    """Lay a table out; one that only places parts of a page becomes these parts."""
    rows = own_rows(table)
    cells = [[one for one in row if local(one) in ("td", "th")] for row in rows]
    if _only_places(table, cells):
        for one in [table, *rows, *(cell for row in cells for cell in row), *table.iter("tbody", "thead", "tfoot")]:
            one.tag = "div"
        return
    told = [[Cell(cell_text(one), span(one.get("rowspan")), span(one.get("colspan"))) for one in row] for row in cells]
    caption = next((one for one in table if local(one) == "caption"), None)
    heads = [bool(row) and all(local(one) == "th" for one in row) for row in cells]
    tail = table.tail
    for one in [*table]:
        table.remove(one)
    table.text, table.tail = None, tail
    if caption is not None:
        caption.tail = None
        table.append(caption)
    for line, head in zip(laid_out(told), heads, strict=True):
        if not any(line):
            continue
        row = lxml_html.Element("tr")
        if len(line) > 1 and len(set(line)) == 1:
            line = line[:1]
        for text in line:
            cell = lxml_html.Element("th" if head else "td")
            cell.text = text
            row.append(cell)
        table.append(row)


def own_rows(table: Any) -> list[Any]:
    """Rows of a table and not of tables within it: heads first, feet last, wherever they stand."""
    parts: dict[str, list[Any]] = {"thead": [], "": [], "tfoot": []}
    for one in table:
        name = local(one)
        if name == "tr":
            parts[""].append(one)
        elif name in ("thead", "tbody", "tfoot"):
            parts[name if name != "tbody" else ""] += [row for row in one if local(row) == "tr"]
    return [*parts["thead"], *parts[""], *parts["tfoot"]]


def _only_places(table: Any, cells: Sequence[Sequence[Any]]) -> bool:
    """Whether a table has no more to say than where parts of the page stand."""
    if table.get("role") in ("presentation", "none"):
        return True
    if any(local(one) in ("caption", "thead") for one in table) or any(
        local(one) == "th" for row in cells for one in row
    ):
        return False
    if max((len(row) for row in cells), default=0) <= 1:
        return True
    return any(
        next(one.iter("h1", "h2", "h3", "h4"), None) is not None or len(_words(one)) > LONG_CELL
        for row in cells
        for one in row
    )


def cell_text(cell: Any) -> str:
    """A cell on one line: items of lists and rows of inner tables apart by semicolons, blocks by spaces."""
    pieces: list[str] = []
    _collect(cell, pieces)
    text = re.sub(r"\s+", " ", BROKEN_LINE.sub("", "".join(pieces)))
    text = re.sub(r"(?:\s*;)+\s*", "; ", text)
    text = re.sub(r"([:：,，])\s*;\s*", r"\1 ", text)
    return re.sub(r"^[\s;]+|[\s;]+$", "", text).replace("|", "¦")


def _collect(element: Any, pieces: list[str]) -> None:
    pieces.append(element.text or "")
    for one in element:
        name = local(one)
        if name in ("script", "style", "template", "noscript"):
            pieces.append(one.tail or "")
            continue
        if name == "li" or name == "tr":
            pieces.append("; ")
        elif name in ("td", "th") and one.getprevious() is not None:
            pieces.append(", ")
        elif name in BLOCK or name in ("ul", "ol", "table"):
            pieces.append(" ")
        if isinstance(one.tag, str):
            _collect(one, pieces)
        if name in ("ul", "ol", "table") and (one.tail or "").strip():
            pieces.append("; ")
        elif name in BLOCK:
            pieces.append(" ")
        pieces.append(one.tail or "")
