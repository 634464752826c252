"""Structured Product Labeling (HL7 v3), the drug labels of DailyMed and the FDA, by section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from lxml import etree

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import child, descendants, local, parse_xml, squeeze, text_of
from sources.pages.office import written

NAMESPACE: Final = b"urn:hl7-org:v3"
LISTING: Final = "48780-1"  # LOINC: the section that holds product data and no words
SAME: Final = {"sup", "sub", "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "br"}
# What every label in the physicians' format says before its name, and behind it.
HIGHLIGHTS: Final = re.compile(
    r"(?i)^These highlights do not include all the information needed to use .*?See full prescribing information for "
    r"[^.]*\.|Initial U\.?S\.? Approval:? *\d{4}"
)
GENERIC: Final = ("SPL UNCLASSIFIED SECTION", "SPL LISTING DATA ELEMENTS SECTION")


@reader(
    "spl",
    sniff=lambda head: NAMESPACE in head and b"<document" in head,
    priority=FIRST,
    source="HL7 Structured Product Labeling, as DailyMed publishes it",
    example='{name: labels, files: "dailymed/**/*.xml", format: spl, source_type: drug_label}',
)
def read_spl(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One label: products with ingredients and strengths, highlights, sections in order with their tables."""
    data = blob.read_all()
    root = parse_xml(data)
    documents = [root] if local(root) == "document" else [*descendants(root, "document")]
    if not documents:
        raise Unreadable("no <document> of HL7 v3 in it")
    for number, one in enumerate(documents, 1):
        digest = sha256(data) if one is root else sha256(etree.tostring(one))
        draft = label_draft(one, digest)
        yield draft if one is root else Draft(**{**draft.__dict__, "place": str(number), "uri": f"{blob.uri}#{number}"})


def label_draft(root: Any, digest: str) -> Draft:
    """The draft of one label."""
    products = _products(root)
    names = list(dict.fromkeys(name for name, _ in products))
    own = child(root, "title")
    title = squeeze(HIGHLIGHTS.sub("", _own_title(own))) if own is not None else ""
    told = title if len(title) > len("Drug Facts") else ", ".join(filter(None, [*names[:3], title]))
    blocks = [f"<h1>{escape(told)}</h1>" if told else ""]
    blocks += [f"<p>{escape(line)}</p>" for line in dict.fromkeys(line for _, line in products)]
    sections = [
        section
        for component in (
            child(root, "component", "structuredBody") if child(root, "component", "structuredBody") is not None else ()
        )
        if local(component) == "component" and (section := child(component, "section")) is not None
    ]
    highlights = [part for section in sections for part in _highlights(section)]
    blocks += ["<h2>Highlights</h2>", *highlights] if highlights else []
    blocks += [_section(section, 2) for section in sections]
    text = written("".join(blocks))
    if not text:
        raise Unreadable("the label holds no text")
    effective = _value(child(root, "effectiveTime"), "value")
    set_id = _value(child(root, "setId"), "root")
    kind = _value(child(root, "code"), "displayName")
    return Draft(
        text=text,
        raw_sha256=digest,
        title=told or None,
        published=_date(effective),
        publisher=text_of(child(root, "author", "assignedEntity", "representedOrganization", "name")) or None,
        article_type=kind.lower() or "drug label",
        series=f"spl:{set_id.lower()}" if set_id else None,
        edition=_value(child(root, "versionNumber"), "value") or None,
    )


def _own_title(element: Any) -> str:
    """A title on one line; those of labels are broken by `<br/>` and hold notes."""
    pieces = [element.text or ""]
    for one in element:
        name = local(one)
        pieces.append(" " if name == "br" else "" if name == "footnote" else "".join(one.itertext()))
        pieces.append(one.tail or "")
    return squeeze("".join(pieces))


def _value(element: Any, name: str) -> str:
    return (element.get(name) or "").strip() if element is not None else ""


def _date(stamp: str) -> str | None:
    """HL7's time stamp (YYYYMMDD, or less) as a date."""
    if not stamp[:4].isdigit():
        return None
    parts = [stamp[:4], stamp[4:6], stamp[6:8]]
    return "-".join(part for part in parts if part.isdigit() and int(part))


def _products(root: Any) -> list[tuple[str, str]]:
    """Name of each product, and a line: name, form, generic name, active ingredients with strength, route."""
    told = []
    for one in descendants(root, "manufacturedProduct"):
        if child(one, "name") is None:
            inner = child(one, "manufacturedProduct")
            one = inner if inner is not None else one
        name = text_of(child(one, "name"))
        if not name:
            continue
        suffix = text_of(child(one, "name", "suffix"))
        name = f"{name.removesuffix(suffix).strip()} {suffix}".strip() if suffix else name
        generic = text_of(child(one, "asEntityWithGeneric", "genericMedicine", "name"))
        parts = [_value(child(one, "formCode"), "displayName").lower(), generic]
        active = [_ingredient(each) for each in one.iter() if local(each) in ("ingredient", "activeIngredient")]
        parts.append("; ".join(filter(None, active)))
        route = next((each.get("displayName") for each in descendants(one.getparent(), "routeCode")), None)
        parts.append(f"route: {route.lower()}" if route else "")
        told.append((name, f"{name}: {', '.join(part for part in parts if part)}"))
    return told


def _ingredient(element: Any) -> str:
    """An active ingredient with its strength; inactive ones have none."""
    if local(element) == "ingredient" and not (element.get("classCode") or "").startswith("ACT"):
        return ""
    substance = next((one for one in element if local(one) in ("ingredientSubstance", "activeIngredientSubstance")), None)  # fmt: skip # noqa: E501
    name = text_of(child(substance, "name"))
    quantity = child(element, "quantity")
    top, bottom = child(quantity, "numerator"), child(quantity, "denominator")
    amount = f"{_value(top, 'value')} {_value(top, 'unit')}".strip()
    per, unit = _value(bottom, "value"), _value(bottom, "unit")
    per = "" if unit in ("1", "") and per in ("1", "") else f" in {per} {unit}".rstrip(" 1") if unit == "1" else f" in {per} {unit}"  # fmt: skip # noqa: E501
    return f"{name} {amount}{per}".strip() if name else ""


def _highlights(section: Any) -> list[str]:
    told = []
    for one in descendants(section, "excerpt"):
        for text in descendants(one, "text"):
            told.append(_words(text))
    return told


def _section(section: Any, level: int) -> str:
    """A section, its own title or the name of its LOINC code, its text, its subsections."""
    code = child(section, "code")
    if _value(code, "code") == LISTING:
        return ""
    title = child(section, "title")
    name = _own_title(title) if title is not None else ""
    if not name:
        coded = _value(code, "displayName")
        name = "" if coded.upper() in GENERIC else coded.removesuffix(" SECTION").removesuffix(" section").capitalize()
    inner = "".join(_words(one) for one in section if local(one) == "text")
    for component in section:
        if local(component) == "component" and (below := child(component, "section")) is not None:
            inner += _section(below, level + 1)
    head = f"<h{min(level, 6)}>{escape(name)}</h{min(level, 6)}>" if name and inner.strip() else ""
    return head + inner


def _words(text: Any) -> str:
    """The narrative block as HTML, whose elements it nearly has."""
    return "".join([escape(text.text or ""), *(_element(one) + escape(one.tail or "") for one in text)])


def _element(element: Any) -> str:
    name = local(element)
    if not name or name in ("renderMultiMedia", "colgroup", "col"):
        return ""
    inner = _words(element)
    if name == "paragraph":
        return f"<p>{inner}</p>"
    if name == "list":
        tag = "ol" if element.get("listType") == "ordered" else "ul"
        return f"<{tag}>{inner}</{tag}>"
    if name == "item":
        return f"<li>{inner}</li>"
    if name == "footnote":
        return f" [{inner}]"
    if name == "caption" and local(element.getparent()) == "item":
        return f"{inner} "
    if name == "caption" and local(element.getparent()) == "paragraph":
        return f"{inner} "
    if name in SAME:
        spans = "".join(f' {one}="{escape(element.get(one))}"' for one in ("rowspan", "colspan") if element.get(one))
        return f"<{name}{spans}>{inner}</{name}>" if name != "br" else "<br>"
    return inner
