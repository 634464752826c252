"""Markdown: front matter becomes metadata; markup stays only where it carries structure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.recipe import Source
from sources.decoding import decode
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.characters import plain_characters
from sources.markup.latex import plain_math
from sources.markup.licences import licence_name
from sources.markup.raised import raised
from sources.markup.references import without_references
from sources.markup.titles import first_title

FRONT_MATTER: Final = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
FENCE: Final = re.compile(r"^(?:```|~~~)[^\n]*$\n?", re.MULTILINE)
COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
SCRIPT: Final = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
CELL: Final = re.compile(r"</t[dh]>\s*<t[dh]\b[^>]*>", re.IGNORECASE)
BREAK: Final = re.compile(r"<br\s*/?>|</(?:tr|p|div|li|h[1-6]|table|ul|ol|blockquote)\s*>", re.IGNORECASE)
TAG: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s+[\w:-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?)*\s*/?>")
SUPERSCRIPT: Final = re.compile(r"(.{0,6})<sup>\s*([^<]{1,20}?)\s*</sup>", re.IGNORECASE)
IMAGE: Final = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
LINK: Final = re.compile(r"(?<!!)\[([^\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)")
REFERENCE_LINK: Final = re.compile(r"\[([^\]\n]+)\]\[[^\]\n]*\]")
LINK_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]\n]+\]:\s*\S+.*$\n?", re.MULTILINE)
ATTRIBUTES: Final = re.compile(r"\{[:#.][^}\n]*\}")
LIQUID: Final = re.compile(r"\{%.*?%\}", re.DOTALL)
TABLE_RULE: Final = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*$\n?", re.MULTILINE)
RULE: Final = re.compile(r"^ {0,3}(?:[-*_] ?){3,}[ \t]*$", re.MULTILINE)
SETEXT: Final = re.compile(r"^([^\n#>|-][^\n]*)\n(=+|-{3,})[ \t]*$", re.MULTILINE)
EMPHASIS: Final = re.compile(r"(?<![\w*\\])(\*{1,3}|__|`{1,2}|~~)(?=\S)((?:(?!\1)[^\n])+?)(?<=\S)\1(?!\*)")
UNDERSCORED: Final = re.compile(r"(?<![\w\\])_(?=[^\s_])([^_\n]+?)(?<=\S)_(?!\w)")
ESCAPE: Final = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")


@reader("markdown", ".md", ".markdown", ".mdown", version=2, source="CommonMark 0.31, https://spec.commonmark.org")
def read_markdown(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One document; its title is the front matter's or the first heading."""
    data = blob.read_all()
    decoded = decode(data)
    metadata, body = split_front_matter(decoded.text)
    text, cut = without_references(plain_text(plain_characters(body)))
    title = str(metadata.get("title") or "") or first_title(text)
    edits = (*decoded.edits, ("reference list removed", 1)) if cut else decoded.edits
    published = metadata.get("date") or metadata.get("published")
    yield Draft(
        text=text,
        raw_sha256=sha256(data),
        title=title or None,
        published=str(published)[:10] if published else None,
        licence=licence_name(str(metadata["license"])) or str(metadata["license"]) if metadata.get("license") else None,
        language=str(metadata.get("lang") or metadata.get("language") or "")[:2].lower() or None,
        doi=str(metadata.get("doi") or "") or None,
        series=str(metadata["series"]) if metadata.get("series") else None,
        edition=str(metadata["edition"]) if metadata.get("edition") else None,
        publisher=str(metadata["publisher"]) if metadata.get("publisher") else None,
        edits=edits,
    )


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Metadata of the YAML block at the head, and the rest; a malformed block stays text."""
    match = FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        metadata = YAML(typ="safe").load(match.group(1))
    except (YAMLError, ValueError):
        return {}, text
    return (metadata, text[match.end() :]) if isinstance(metadata, dict) else ({}, text)


def plain_text(text: str) -> str:
    """Headings, list marks and table rows stay; links, emphasis, images, tags and fences go."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = SCRIPT.sub("", COMMENT.sub("", LIQUID.sub("", text)))
    text = FENCE.sub("", text)
    text = LINK_DEFINITION.sub("", text)
    text = re.sub(r"^[ \t]*> ?", "", text, flags=re.MULTILINE)
    text = SUPERSCRIPT.sub(superscript, text)
    text = TAG.sub("", BREAK.sub("\n", CELL.sub(" | ", text)))
    text = IMAGE.sub("", text)
    for _ in range(2):
        text = LINK.sub(r"\1", text)
    text = REFERENCE_LINK.sub(r"\1", text)
    text = ATTRIBUTES.sub("", text)
    text = TABLE_RULE.sub("", text)
    text = SETEXT.sub(lambda match: ("# " if match.group(2)[0] == "=" else "## ") + match.group(1), text)
    text = RULE.sub("", text)
    text = plain_math(text)
    for _ in range(3):
        text = EMPHASIS.sub(r"\2", text)
    text = UNDERSCORED.sub(r"\1", text)
    text = re.sub(r"^([ \t]*)[*+] ", r"\1- ", text, flags=re.MULTILINE)
    text = "\n".join(_table_row(line) for line in text.split("\n"))
    text = ESCAPE.sub(r"\1", text)
    text = re.sub(r"&(?:nbsp|#160);", " ", text)
    for name, character in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        text = text.replace(f"&{name};", character)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def superscript(match: re.Match[str]) -> str:
    """A raised number keeps its caret where it is a power."""
    return match.group(1) + raised(match.group(1), match.group(2), match.string[match.end() : match.end() + 8])


def _table_row(line: str) -> str:
    bare = line.strip()
    if len(bare) > 2 and (bare.startswith("|") or bare.endswith("|")):
        cells = [cell.strip() for cell in bare.removeprefix("|").removesuffix("|").split("|")]
        return " | ".join(cells) if any(cells) else ""
    return line
