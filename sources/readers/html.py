"""HTML by trafilatura: the main text with its headings, lists and tables, without menus.

A file without any furniture of a website (menus, forms, headers, footers) is a document, such as a
chapter of a guideline: there every paragraph counts, and the whole body is taken.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import trafilatura
from trafilatura.settings import use_config

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.decoding import decode
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.elements import SPACES, descendants, local, refuse_deep, squeeze, table_rows
from sources.markup.html_text import body_text, is_bare_document, page_title, parse_html
from sources.markup.licences import licence_name
from sources.pages.boilerplate import link_texts, without_boilerplate
from sources.pages.glanced import glanced_text
from sources.pages.stated import article_instead, heading_of, lead_of, stated

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
HTML_HEAD: Final = re.compile(
    rb"(?i)^\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype html|<html|<head|<body)", re.DOTALL
)
META_CHARSET: Final = re.compile(rb"(?i)<meta[^>]+charset\s*=\s*[\"']?([\w-]+)")
MAX_HTML_NESTING: Final = 2000  # real pages leave tags open; beyond this the parser is at risk
# No alarm signals: the engines run readers in threads and in processes of their own.
_CONFIG: Final = use_config()
_CONFIG.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")
NO_TEXT: Final = "no main text found in the page"
SHORT: Final = 300  # characters of main text below which the extractor is asked for all that may belong to it
WIDER_TIMES: Final = 3  # more than that it must find then
GLANCED: Final = 500  # characters of a page left out that stand beside the reason
INLINE: Final = {"hi", "ref", "del", "lb", "graphic", "span"}


@reader(
    "html",
    ".html",
    ".htm",
    ".xhtml",
    sniff=lambda head: HTML_HEAD.match(head) is not None,
    by_suffix=True,
    version=3,
    source="HTML Living Standard, https://html.spec.whatwg.org; main text by trafilatura",
)
def read_html(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One page: main text, title, date and licence as the page states them."""
    data = blob.read_all()
    yield glanced_draft(data, None, blob.glance) or page_draft(data, url=None)


def glanced_draft(data: bytes, charset: str | None, glance: Callable[[str], str | None] | None) -> Draft | None:
    """The draft of a page that a glance leaves out, with the beginning of its words; None where it is to be read."""
    if glance is None:
        return None
    words = glanced_text(data, charset)
    why = glance(words)
    return Draft(words[:GLANCED], sha256(data), left_out=why) if why else None


def page_draft(data: bytes, url: str | None, charset: str | None = None) -> Draft:
    """The draft of one HTML page; a page without main text is `Unreadable`."""
    refuse_deep(data, MAX_HTML_NESTING)
    declared = charset or (match.group(1).decode() if (match := META_CHARSET.search(data[:4096])) else None)
    decoded = decode(data, declared)
    # Only a file can be a bare document; a page of the web is always taken apart.
    root = parse_html(decoded.text)
    if root is None:
        raise Unreadable("nothing but control characters in it" if decoded.text.strip() else NO_TEXT)
    if url is None and is_bare_document(root) and (text := body_text(root)):
        return Draft(text=text, raw_sha256=sha256(data), title=page_title(root), edits=decoded.edits)
    said, links = stated(root, url), link_texts(root)
    blocks, metadata = extract(root, url)
    text = article_instead("\n\n".join(without_boilerplate(blocks, links)), said)
    if not text:
        raise Unreadable(NO_TEXT)
    return Draft(
        text="\n\n".join([*lead_of(root, text, said), text]),
        raw_sha256=sha256(data),
        title=heading_of(getattr(metadata, "title", None), root, said, url),
        published=getattr(metadata, "date", None),
        canonical=said.canonical or None,
        licence=licence_name(said.licence) or licence_name(getattr(metadata, "license", None) or ""),
        publisher=getattr(metadata, "sitename", None) if url else None,
        edits=decoded.edits,
    )


def extract(root: Any, url: str | None) -> tuple[list[str], Any]:
    """The blocks of a page's main text, and trafilatura's metadata; looked for more widely where it finds little."""
    document = _extracted(root, url)
    blocks = _blocks(document.body) if document is not None and document.body is not None else []
    size = sum(map(len, blocks))
    if size < SHORT and (wider := _extracted(root, url, favor_recall=True)) is not None and wider.body is not None:
        more = _blocks(wider.body)
        if sum(map(len, more)) > WIDER_TIMES * size:
            return more, wider
    return blocks, document


def _extracted(root: Any, url: str | None, favor_recall: bool = False) -> Any:
    return trafilatura.bare_extraction(
        root,
        url=url,
        favor_recall=favor_recall,
        include_comments=False,
        include_tables=True,
        include_formatting=True,
        with_metadata=True,
        config=_CONFIG,
    )


def _blocks(element: Any) -> list[str]:
    """Blocks of trafilatura's tree (head, p, list, table, quote, code), in order."""
    blocks: list[str] = []
    loose: list[str] = [element.text or ""]

    def close() -> None:
        blocks.extend(_lines("".join(loose)))
        loose.clear()

    for one in element:
        name = local(one)
        if name in INLINE:
            loose.append(_text(one))
        elif name:
            close()
            blocks.extend(_block(one, name))
        loose.append(one.tail or "")
    close()
    return blocks


def _block(element: Any, name: str) -> list[str]:
    if name == "head":
        level = (element.get("rend") or "h2")[-1]
        title = squeeze(_text(element))
        return [f"{'#' * int(level) if level.isdigit() else '##'} {title}"] if title else []
    if name == "list":
        items = [squeeze(_text(one)) for one in element if local(one) == "item"]
        return ["\n".join(f"- {item}" for item in items if item)] if any(items) else []
    if name == "table":
        rows = ([squeeze(_text(cell)) for cell in row if local(cell) == "cell"] for row in descendants(element, "row"))
        return [body] if (body := table_rows(rows)) else []
    if name == "code":
        return [text] if (text := _text(element).strip()) else []
    if name in ("graphic", "comments"):
        return []
    if name == "p" and not any(local(one) in ("list", "table", "head", "p", "quote") for one in element):
        return _lines(_text(element))
    return _blocks(element)


def _lines(text: str) -> list[str]:
    return ["\n".join(lines)] if (lines := [line for part in text.split("\n") if (line := squeeze(part))]) else []


def _text(element: Any) -> str:
    """Text of an element; line breaks of the page stay, those of the source are spaces."""
    pieces = [SPACES.sub(" ", element.text or "") if local(element) != "code" else element.text or ""]
    for one in element:
        if local(one) == "lb":
            pieces.append("\n")
        elif local(one) != "graphic":
            pieces.append(_text(one))
            if local(one) in ("p", "item", "list", "cell", "row", "head"):
                pieces.append(" ")
        pieces.append(SPACES.sub(" ", one.tail or ""))
    return "".join(pieces)
