"""XML and HTML trees, parsed without entities or network, and turned into readable text.

All readers of markup write the same plain form: headings as `#` lines, list items as `- `, table
rows as `a | b | c`, paragraphs apart by blank lines.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterable
from typing import Any, Final

from lxml import etree

from schemas.errors import Unreadable

MAX_NESTING: Final = 500
PREDEFINED: Final = {"amp", "lt", "gt", "quot", "apos"}
ENTITY: Final = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
# What is left where a reference was taken out: brackets with separators only.
EMPTY_BRACKETS: Final = re.compile(r"\s*(\[[\s,;–—-]*\]|\((?:see |see also |[Ss]ee )?[\s,;–—-]*(?:and)?[\s,;–—-]*\))")
# The same without the spaces before it, which would be tried at every word: most texts have none.
ANY_EMPTY_BRACKETS: Final = re.compile(EMPTY_BRACKETS.pattern.removeprefix(r"\s*"))
SPACES: Final = re.compile(r"[ \t\r\n\u00a0]+")


def parse_xml(data: bytes) -> Any:
    """Root element of an XML document; entity declarations, and what lxml refuses, are `Unreadable`.

    Named entities of HTML (JATS and CNXML rely on DTDs for them) become their characters.
    """
    if b"<!ENTITY" in data[: 1 << 16] or b"<!ENTITY" in data:
        raise Unreadable("XML declares entities; refused (entity expansion or external entity)")
    if _too_deep(data):
        raise Unreadable(f"markup nested deeper than {MAX_NESTING}")

    def character(match: re.Match[bytes]) -> bytes:
        name = match.group(1).decode()
        point = None if name in PREDEFINED else html.entities.html5.get(name + ";")
        return match.group(0) if point is None else point.encode("ascii", "xmlcharrefreplace")

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(ENTITY.sub(character, data), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"not well-formed XML: {error}") from None


TAG: Final = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9:_-]*)([^<>]*?)(/?)>")
VOID: Final = {
    b"br",
    b"hr",
    b"img",
    b"input",
    b"meta",
    b"link",
    b"area",
    b"base",
    b"col",
    b"embed",
    b"source",
    b"wbr",
    b"p",
    b"li",
    b"td",
    b"tr",
    b"th",
    b"option",
    b"dd",
    b"dt",
}


def _too_deep(data: bytes, limit: int = MAX_NESTING) -> bool:
    """Whether tags open deeper than `limit`, counted without building a tree."""
    if data.count(b"<") < limit:
        return False
    depth = deepest = 0
    for closing, name, _, selfclosing in TAG.findall(data):
        if name.lower() in VOID or selfclosing:
            continue
        depth = max(depth - 1, 0) if closing else depth + 1
        deepest = max(deepest, depth)
        if deepest > limit:
            return True
    return False


def refuse_deep(data: bytes, limit: int = MAX_NESTING) -> None:
    """Refuse markup that nests so deep that parsers overflow or blow up."""
    if _too_deep(data, limit):
        raise Unreadable(f"markup nested deeper than {limit}")


def local(element: Any) -> str:
    """Tag without its namespace; comments and instructions have none."""
    tag = element.tag  # pages have names that no XML may have, which lxml's own QName refuses
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def squeeze(text: str) -> str:
    """One line: white space collapsed."""
    return _single_spaces(text).strip()


def _single_spaces(text: str) -> str:
    if "  " in text or "\n" in text or "\t" in text or "\r" in text or "\u00a0" in text:  # most texts hold none
        return SPACES.sub(" ", text)
    return text


def without_empty_brackets(text: str) -> str:
    """One line, without the brackets and spaces that a removed reference left behind."""
    text = _single_spaces(text)
    if ANY_EMPTY_BRACKETS.search(text):
        text = re.sub(r" +([,.;)\]。，；])", r"\1", EMPTY_BRACKETS.sub("", text))
    elif " ," in text or " ." in text or " ;" in text:
        text = re.sub(r" +([,.;]) ", r"\1 ", text)
    return text.strip()


def child(element: Any, *path: str) -> Any:
    """First descendant along local names, or None."""
    for name in path:
        element = next((one for one in element if local(one) == name), None) if element is not None else None
    return element


def descendants(element: Any, name: str) -> Iterable[Any]:
    """All descendants with this local name, in document order."""
    return element.iter(f"{{*}}{name}", name) if element is not None else ()


def text_of(element: Any) -> str:
    """All text inside an element, on one line."""
    return squeeze("".join(element.itertext())) if element is not None else ""


def table_rows(rows: Iterable[Iterable[str]]) -> str:
    """Rows as lines of cells between bars; rows without any text are left out."""
    lines = [" | ".join(cells) for cells in map(list, rows) if any(cells)]
    return "\n".join(lines)


OPERATORS: Final = {"\u2062": "", "\u2061": "", "\u2063": ",", "\u2064": ""}


def math_text(element: Any) -> str:
    """Presentation MathML as readable text: fractions as a/b, powers with ^, indices with _."""
    name = local(element)
    parts = [
        math_text(one)
        for one in element
        if isinstance(one.tag, str) and local(one) not in ("annotation", "annotation-xml")
    ]
    if name == "mfrac" and len(parts) == 2:
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}"
    if name in ("msup", "mover") and len(parts) == 2:
        return f"{parts[0]}^{_grouped(parts[1])}"
    if name in ("msub", "munder") and len(parts) == 2:
        return f"{parts[0]}_{_grouped(parts[1])}"
    if name in ("msubsup", "munderover") and len(parts) == 3:
        return f"{parts[0]}_{_grouped(parts[1])}^{_grouped(parts[2])}"
    if name == "msqrt":
        return f"√({''.join(parts)})"
    if name == "mroot" and len(parts) == 2:
        return f"{_grouped(parts[1])}√({parts[0]})"
    if name == "mspace":
        return " "
    if name == "mo":
        symbol = (element.text or "").strip()
        symbol = OPERATORS.get(symbol, symbol)
        return f" {symbol} " if symbol in ("=", "+", "-", "−", "±", "×", "→", "<", ">", "≤", "≥", "≈", "⇌") else symbol
    if name == "mfenced":
        between = element.get("separators", ",").strip()[:1]
        inner = (between + " " if between == "," else between).join(parts)
        return f"{element.get('open', '(')}{inner}{element.get('close', ')')}"
    own = SPACES.sub(" ", element.text or "") if not parts else ""
    return own + "".join(parts)


def _grouped(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 1 or text.isalnum() else f"({text})"
