"""Formulas of Office (OMML, ECMA-376 part 1, 22.1) as readable text, in the form that MathML takes here."""

from __future__ import annotations

from typing import Any

from sources.markup.elements import child, local, squeeze


def omml_text(element: Any) -> str:
    """Fractions as a/b, powers with ^, indices with _, roots with √."""
    return squeeze(_told(element))


def _told(element: Any) -> str:
    name = local(element)
    if name == "f":
        return f"{_part(element, 'num')}/{_part(element, 'den')}"
    if name == "sSup":
        return f"{_inner(element, 'e')}^{_part(element, 'sup')}"
    if name == "sSub":
        return f"{_inner(element, 'e')}_{_part(element, 'sub')}"
    if name == "sSubSup":
        return f"{_inner(element, 'e')}_{_part(element, 'sub')}^{_part(element, 'sup')}"
    if name == "rad":
        degree = _inner(element, "deg")
        return f"{degree}√({_inner(element, 'e')})"
    if name == "d":
        begin, end = (_character(element, "dPr", mark, usual) for mark, usual in (("begChr", "("), ("endChr", ")")))
        return f"{begin}{', '.join(_all(one) for one in element if local(one) == 'e')}{end}"
    if name == "nary":
        sign = _character(element, "naryPr", "chr", "∫")
        low, high = _inner(element, "sub"), _inner(element, "sup")
        return f"{sign}{f'_({low})' if low else ''}{f'^({high})' if high else ''} {_inner(element, 'e')}"
    if name in ("limLow", "limUpp"):
        return f"{_inner(element, 'e')}{'_' if name == 'limLow' else '^'}{_part(element, 'lim')}"
    if name == "m":
        rows = ("; ".join([", ".join(_all(cell) for cell in row if local(cell) == "e")]) for row in element)
        return "; ".join(filter(None, rows))
    if name.endswith("Pr"):
        return ""
    if name == "t":
        return element.text or ""
    return _all(element)


def _all(element: Any) -> str:
    return "".join(_told(one) for one in element if isinstance(one.tag, str)) if element is not None else ""


def _inner(element: Any, name: str) -> str:
    return _all(child(element, name)).strip()


def _part(element: Any, name: str) -> str:
    text = _inner(element, name)
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _character(element: Any, properties: str, name: str, usual: str) -> str:
    found = child(element, properties, name)
    if found is None:
        return usual
    return next((value for key, value in found.attrib.items() if key.endswith("val")), usual)
