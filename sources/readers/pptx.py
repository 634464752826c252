"""Presentations (PPTX) by python-pptx: slides in order, each with its title, text, tables and notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from html import escape
from typing import Any

from pptx import Presentation
from pptx.exc import PythonPptxError

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.containers import CORRUPT
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import descendants, parse_xml, text_of
from sources.pages.office import check_parts, open_parts, properties, written, xml_part

DIAGRAM = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"


@reader(
    "pptx",
    ".pptx",
    ".pptm",
    ".ppsx",
    sniff=lambda head: head.startswith(b"PK") and b"ppt/presentation" in head,
    priority=FIRST,
    is_archive=True,
    source="ECMA-376 PresentationML, by python-pptx",
    example='{name: lectures, files: "**/*.pptx", source_type: textbook}',
)
def read_pptx(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One presentation: titles as headings, points as lists, tables, diagrams, speaker's notes."""
    data = blob.stream.read()
    archive = open_parts(Blob(blob.uri, blob.head, io.BytesIO(data)), "PowerPoint")
    check_parts(archive, "PowerPoint", ("ppt/slides/", "ppt/notesSlides/", "ppt/diagrams/", "ppt/_rels/", "_rels/"))
    try:
        slides = [_slide(one) for one in Presentation(io.BytesIO(data)).slides]
    except (PythonPptxError, *CORRUPT, KeyError, AttributeError) as error:
        raise Unreadable(f"PowerPoint file is truncated or corrupt: {error}") from None
    text = written("".join(slides))
    if not text:
        raise Unreadable("the presentation holds no text")
    yield Draft(text=text, raw_sha256=sha256(data), **properties(xml_part(archive, "docProps/core.xml", "PowerPoint")))


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    head = escape(" ".join(title.text_frame.text.split())) if title is not None and title.has_text_frame else ""
    parts = [f"<h2>{head}</h2>" if head else ""]
    parts += [_shape(shape) for shape in slide.shapes if title is None or shape.shape_id != title.shape_id]
    for relation in slide.part.rels.values():
        if relation.reltype == DIAGRAM:
            points = [text_of(one) for one in descendants(parse_xml(relation.target_part.blob), "p")]
            parts.append("<ul>" + "".join(f"<li>{escape(one)}</li>" for one in points if one) + "</ul>")
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        parts += [f"<p>{escape(line.text)}</p>" for line in frame.paragraphs if line.text.strip()]
    return "".join(parts)


def _shape(shape: Any) -> str:
    if shape.is_placeholder and shape.placeholder_format.type in (13, 15, 16):  # number, footer, date
        return ""
    if hasattr(shape, "shapes"):
        return "".join(_shape(one) for one in shape.shapes)
    if getattr(shape, "has_table", False) and shape.has_table:
        return _table(shape.table)
    if getattr(shape, "has_chart", False) and shape.has_chart:
        return _chart(shape.chart)
    if not shape.has_text_frame:
        return ""
    lines = [(line.level, _line(line)) for line in shape.text_frame.paragraphs if line.text.strip()]
    if len(lines) == 1:
        return f"<p>{lines[0][1]}</p>"
    told, depth = "", -1
    for level, words in lines:
        told += "<ul>" * max(level - depth, 0) + "</ul>" * max(depth - level, 0) + f"<li>{words}</li>"
        depth = level
    return told + "</ul>" * (depth + 1)


def _line(paragraph: Any) -> str:
    """A paragraph's runs, raised and lowered ones marked."""
    told = ""
    for one in paragraph._p:
        kind = one.tag.rpartition("}")[2]
        if kind == "br":
            told += " "
        elif kind in ("r", "fld"):
            words = escape("".join(part.text or "" for part in one if part.tag.endswith("}t")))
            look = next((part for part in one if part.tag.endswith("}rPr")), None)
            shift = int(look.get("baseline", "0").rstrip("%") or 0) if look is not None else 0
            told += f"<sup>{words}</sup>" if shift > 0 else f"<sub>{words}</sub>" if shift < 0 else words
    return told


def _table(table: Any) -> str:
    rows = ""
    for row in table.rows:
        cells = ""
        for cell in row.cells:
            if not cell.is_spanned:
                inner = "<br>".join(_line(line) for line in cell.text_frame.paragraphs)
                cells += f'<td colspan="{cell.span_width}" rowspan="{cell.span_height}">{inner}</td>'
        rows += f"<tr>{cells}</tr>"
    return f"<table>{rows}</table>"


def _chart(chart: Any) -> str:
    """A chart as a table: categories down, series across."""
    plots = [*chart.plots]
    if not plots:
        return ""
    categories = [str(one) for one in plots[0].categories]
    series = [(one.name or "", [*one.values]) for plot in plots for one in plot.series]
    head = "".join(f"<td>{escape(name)}</td>" for name, _ in series)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{_value(values, at)}</td>' for _, values in series)}</tr>"
        for at, name in enumerate(categories)
    )
    return f"<table><tr><td></td>{head}</tr>{rows}</table>"


def _value(values: list[Any], at: int) -> str:
    return f"{values[at]:g}" if at < len(values) and values[at] is not None else ""
