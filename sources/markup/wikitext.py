"""Wikitext to readable text, by mwparserfromhell: headings, paragraphs, lists, tables; no boxes, files, categories."""

from __future__ import annotations

import html
import re
from typing import Any, Final

import mwparserfromhell as wiki

from sources.markup.elements import squeeze, without_empty_brackets
from sources.markup.raised import raised
from sources.markup.tables import Cell, span, table_text

# Namespaces whose links are no part of the sentence, in English and Chinese wikis and the older German names.
FILES: Final = re.compile(r"(?i)^\s*:?\s*(?:file|image|media|datei|bild|文件|檔案|图像|圖像)\s*:")
CATEGORIES: Final = re.compile(r"(?i)^\s*(?:category|kategorie|分类|分類|template|模板)\s*:")
INTERWIKI: Final = re.compile(r"^\s*[a-z]{2,3}(?:-[a-z]+)?\s*:\S")
# Templates that stand for words of the sentence: which of their values is shown.
SHOWN: Final = {
    "lang": 2, "nowrap": 1, "nobr": 1, "small": 1, "smaller": 1, "big": 1, "abbr": 1, "tooltip": 1, "em": 1,
    "strong": 1, "sub": 1, "chem": 0, "chem2": 0, "math": 1, "mvar": 1, "var": 1, "val": 0, "convert": 0,
    "cvt": 0, "frac": 0, "sfrac": 0, "fraction": 0, "ill": 1, "interlanguage link": 1, "transl": 2,
    "transliteration": 2, "le": 1, "link-en": 1, "tsl": 3, "dts": 0, "sortname": 0, "as of": 0, "not a typo": 1,
    "sic": 1, "gaps": 0, "e": 0, "angbr": 1, "iupac": 1, "pmid": 0, "increase": 0, "unichar": 1, "langx": 2, "zh": 0,
}  # fmt: skip
LINKED_NOTES: Final = ("main", "see also", "further", "about", "redirect")
VARIANT: Final = re.compile(r"-\{([^{}]*)\}-")
VARIANT_ORDER: Final = ("zh-cn", "zh-hans", "zh", "zh-hant", "zh-tw", "zh-hk")
DROPPED_TAGS: Final = {"ref", "references", "gallery", "timeline", "score", "imagemap", "templatestyles", "mapframe", "graph", "section", "hr"}  # fmt: skip # noqa: E501
LIST_LINE: Final = re.compile(r"^([*#:;]+)\s*(.*)$")
ATTRIBUTES: Final = re.compile(
    r"^(?:\s*(?:bgcolor|style|class|align|valign|width|scope|rowspan|colspan|data-\S+?)\s*=\s*(?:\"[^\"]*\"|\S+))+\s*"
)
EMPTIED: Final = re.compile(r"(?<=[(（])\s*[,;，；、]\s*")
SWITCH: Final = re.compile(r"__[A-Z]{3,}__")
LAST_SECTIONS: Final = {
    "references", "external links", "see also", "further reading", "notes", "footnotes", "bibliography", "sources",
    "参考文献", "參考文獻", "参考资料", "參考資料", "外部链接", "外部連結", "参见", "參見", "延伸阅读", "延伸閱讀",
    "注释", "注釋",
}  # fmt: skip
MAX_LENGTH: Final = 4 << 20  # characters: articles have at most 2 MiB


def wikitext_text(source: str) -> str:
    """Blocks of an article in order; sections of references and links are left out."""
    told = _nodes(wiki.parse(VARIANT.sub(_variant, source[:MAX_LENGTH]), skip_style_tags=True).nodes)
    told = SWITCH.sub("", re.sub(r"'{2,5}", "", told))
    return "\n\n".join(_without_last(_blocks(told)))


def _variant(match: re.Match[str]) -> str:
    """The form that readers of simplified Chinese are shown (`-{zh-hans:…;zh-hant:…}-`)."""
    inside = match[1]
    if inside.startswith(("H|", "T|", "-|")):
        return ""
    inside = inside.rpartition("|")[2]
    forms = dict(part.split(":", 1) for part in inside.split(";") if ":" in part)
    forms = {name.strip().lower(): words for name, words in forms.items()}
    return next((forms[name] for name in VARIANT_ORDER if name in forms), inside if not forms else "")


def _nodes(nodes: Any) -> str:
    pieces: list[str] = []
    for one in nodes:
        pieces.append(_node(one, pieces))
    return "".join(pieces)


def _node(node: Any, pieces: list[str]) -> str:
    kind = type(node).__name__
    if kind == "Text":
        return str(node.value)
    if kind == "Heading":
        return f"\n\n{'#' * min(node.level, 6)} {squeeze(_nodes(node.title.nodes))}\n\n"
    if kind == "Wikilink":
        return _link(node)
    if kind == "ExternalLink":
        return _nodes(node.title.nodes) if node.title is not None else "" if node.brackets else str(node.url)
    if kind == "HTMLEntity":
        return html.unescape(str(node))
    if kind == "Template":
        return _template(node)
    if kind == "Tag":
        return _tag(node, pieces)
    if kind == "Argument":
        return _nodes(node.default.nodes) if node.default is not None else ""
    return ""


def _link(node: Any) -> str:
    target = str(node.title)
    if FILES.match(target) or CATEGORIES.match(target):
        return ""
    if node.text is not None:
        return _nodes(node.text.nodes)
    return "" if INTERWIKI.match(target) else target.lstrip(":").replace("_", " ")


def _template(node: Any) -> str:
    """Words that a template shows; most are boxes, notes and marks, and show none."""
    name = squeeze(str(node.name)).lower().replace("_", " ")
    if name not in SHOWN:
        name = "lang" if name.startswith("lang-") and name != "lang-" else name
        if name != "lang":
            return ""
        return _nodes(node.params[0].value.nodes) if node.params else ""
    values = [_nodes(one.value.nodes).strip() for one in node.params if not one.showkey]
    at = SHOWN[name]
    if at:
        return values[at - 1] if len(values) >= at else ""
    if name in ("convert", "cvt"):
        ranged = len(values) > 3 and values[1] in ("-", "–", "to", "and", "or")
        if ranged:
            return f"{values[0]}{'–' if values[1] in '-–' else f' {values[1]} '}{values[2]} {values[3]}"
        return " ".join(values[:2])
    if name in ("frac", "sfrac", "fraction"):
        return f"{values[0]} {'/'.join(values[1:])}" if len(values) == 3 else "/".join(values)
    if name == "e":
        return f"×10^{values[0]}" if values else ""
    if name == "val":
        unit = next((str(one.value) for one in node.params if str(one.name).strip() in ("u", "ul")), "")
        exponent = next((str(one.value) for one in node.params if str(one.name).strip() == "e"), "")
        return f"{values[0] if values else ''}{f'×10^{exponent}' if exponent else ''} {unit}".strip()
    if name == "dts":
        return "-".join(filter(None, values))
    return "".join(values) if name in ("chem", "chem2", "gaps") else " ".join(values)


def _tag(node: Any, pieces: list[str]) -> str:
    name = str(node.tag).strip().lower()
    if node.wiki_markup in ("*", "#", ":", ";"):
        return str(node.wiki_markup)
    if name in DROPPED_TAGS:
        return ""
    if name == "table":
        return f"\n\n{_table(node)}\n\n"
    if name == "br":
        return "\n"
    if node.contents is None:
        return ""
    if name in ("math", "chem", "ce"):
        return f" ${squeeze(str(node.contents))}$ "
    if name in ("nowiki", "code", "pre", "syntaxhighlight", "source"):
        return html.unescape(str(node.contents))
    inner = _nodes(node.contents.nodes)
    if name == "sup":
        return raised("".join(pieces)[-40:], inner)
    if name in ("div", "p", "center", "blockquote", "poem", "ul", "ol"):
        return f"\n\n{inner}\n\n"
    if name == "li":
        return f"\n* {inner.strip()}\n"
    return inner


def _table(node: Any) -> str:
    """A table laid out by the one model of tables; a bar inside a cell is not taken for the next one."""
    rows: list[list[Cell]] = [[]]
    caption = ""
    for one in node.contents.nodes if node.contents is not None else ():
        if type(one).__name__ != "Tag":
            continue
        name = str(one.tag).strip().lower()
        if name == "tr":
            rows.append([cell for each in one.contents.nodes if (cell := _cell(each)) is not None])
        elif name in ("td", "th"):
            rows[-1].append(_cell(one) or Cell(""))
        elif name == "caption":
            caption = squeeze(_nodes(one.contents.nodes))
    return table_text([row for row in rows if row], caption)


def _cell(node: Any) -> Cell | None:
    if type(node).__name__ != "Tag" or str(node.tag).strip().lower() not in ("td", "th"):
        return None
    spans = {
        str(one.name).strip().lower(): str(one.value).strip("\"' ") for one in node.attributes if one.value is not None
    }
    words = re.sub(r"(?m)^[*#:;]+\s*", "", _nodes(node.contents.nodes) if node.contents is not None else "").strip()
    words = ATTRIBUTES.sub("", words)  # left where a template wrote a cell's mark
    lines = [squeeze(line) for line in words.split("\n") if line.strip()]
    return Cell("; ".join(lines), span(spans.get("rowspan")), span(spans.get("colspan")))


def _blocks(text: str) -> list[str]:
    """Lines put to paragraphs and lists; a line of wikitext is not a paragraph by itself."""
    blocks: list[str] = []
    held: list[str] = []
    kind = ""

    def close() -> None:
        nonlocal kind
        if held:
            blocks.append((" " if kind == "p" else "\n").join(held))
        held.clear()
        kind = ""

    for line in text.split("\n"):
        found = LIST_LINE.match(line)
        words = without_empty_brackets(EMPTIED.sub("", found[2] if found else line))
        now = "list" if found else "row" if " | " in line else "head" if re.match(r"#{1,6} ", line) else "p"
        if re.match(r"#{1,6} ", line):
            close()
            if words := squeeze(line.lstrip("# ")):
                blocks.append(f"{line.split(' ')[0]} {words}")
            continue
        if not words:
            if not found:
                close()
            continue
        if now != kind:
            close()
        kind = now
        held.append(f"{_mark(found[1])}{words}" if found else words)
    close()
    return blocks


def _mark(markers: str) -> str:
    last, depth = markers[-1], len(markers) - 1
    return f"{'  ' * depth}{'1. ' if last == '#' else '' if last in ':;' else '- '}"


def _without_last(blocks: list[str]) -> list[str]:
    """Blocks without the sections that hold references and links only, and without headings of nothing."""
    kept: list[str] = []
    skipping = 0
    for block in blocks:
        level = len(block) - len(block.lstrip("#")) if block.startswith("#") else 0
        if level and skipping and level <= skipping:
            skipping = 0
        if level and not skipping and block.lstrip("# ").strip().lower() in LAST_SECTIONS:
            skipping = level
        if not skipping:
            kept.append(block)
    ends = [*kept[1:], "# "]
    return [
        block
        for block, after in zip(kept, ends, strict=False)
        if not (block.startswith("#") and after.startswith("#") and _depth(after) <= _depth(block))
    ]


def _depth(heading: str) -> int:
    return len(heading) - len(heading.lstrip("#"))
