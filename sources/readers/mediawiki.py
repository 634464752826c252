"""MediaWiki dumps (Wikipedia and others), as a stream, a page a document; and single articles in wikitext."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.decoding import decode
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import child, local, text_of
from sources.markup.licences import licence_name
from sources.markup.wikitext import wikitext_text

REDIRECT: Final = re.compile(r"(?i)^\s*#\s*(?:redirect|重定向|weiterleitung)\s*:?\s*\[\[([^\]|#]*)")
HEAD: Final = re.compile(rb"<mediawiki[\s>]")
# A text of its own is taken for wikitext by two of these near its beginning.
WIKITEXT: Final = re.compile(rb"'''[^'\n]+'''|\[\[[^\]\n]+\]\]|^\{\{[^}\n]+\}\}|^={2,}[^=\n]+={2,}\s*$|^\{\|", re.M)


@reader(
    "mediawiki",
    ".wiki",
    ".mediawiki",
    sniff=lambda head: HEAD.search(head) is not None or _is_wikitext(head),
    priority=FIRST + 1,
    by_suffix=True,
    source="MediaWiki's export schema, https://www.mediawiki.org/xml/export-0.11",
    example='{name: wikipedia, files: "zhwiki-*-pages-articles.xml.bz2", source_type: encyclopedia}',
)
def read_mediawiki(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Articles of a dump with date, licence and address; redirects and pages that are no articles are dropped."""
    if HEAD.search(blob.head):
        yield from _pages(blob)
        return
    data = blob.read_all()
    decoded = decode(data)
    if found := REDIRECT.match(decoded.text):
        yield Draft(decoded.text, sha256(data), left_out=f"a redirect to {found[1].strip()}", edits=decoded.edits)
        return
    if not (text := wikitext_text(decoded.text)):
        raise Unreadable("the article holds no text")
    yield Draft(text, sha256(data), edits=decoded.edits)


def _is_wikitext(head: bytes) -> bool:
    if b"<?xml" in head[:200] or b"\x00" in head or head.lstrip()[:1] == b"<":
        return False
    if REDIRECT.match(head[:200].decode("utf-8", "replace")):
        return True
    kinds = {match[0][:2] for match in WIKITEXT.finditer(head)}
    return len(kinds) >= 3 or (len(kinds) >= 2 and head.lstrip()[:2] in (b"{{", b"''", b"{|"))


def _pages(blob: Blob) -> Iterator[Draft | Broken]:
    if b"<!ENTITY" in blob.head:
        raise Unreadable("XML declares entities; refused (entity expansion or external entity)")
    base, language, licence = "", None, None
    number = 0
    events = etree.iterparse(
        blob.stream, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for event, element in events:
            name = local(element)
            if event == "start":
                if name == "mediawiki":
                    told = element.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
                    language = told[:2].lower() or None
            elif name == "siteinfo":
                base = text_of(child(element, "base")).rpartition("/")[0]
                licence = _licence(element, base)
            elif name == "page":
                number += 1
                yield _page(element, blob, number, base, language, licence)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        said = f"not well-formed XML after {number} pages: {error}"
        if not number:
            raise Unreadable(said) from None
        yield Broken(f"{blob.uri}#{number + 1}", "mediawiki", said, 0, "")
    if not number:
        raise Unreadable("no page in the dump")


def _licence(siteinfo: Any, base: str) -> str | None:
    """The rights that a dump states; Wikipedia's and its sisters' texts are CC BY-SA 4.0 by their terms of use."""
    told = licence_name(" ".join(text_of(one) for one in siteinfo.iter() if local(one) in ("rights", "rightsinfo")))
    known = re.search(r"//(?:[\w-]+\.)?(?:wikipedia|wiktionary|wikibooks|wikiversity|wikivoyage)\.org", base)
    return told or ("CC-BY-SA-4.0" if known else None)


def _page(page: Any, blob: Blob, number: int, base: str, language: str | None, licence: str | None) -> Draft | Broken:
    title, own = text_of(child(page, "title")), text_of(child(page, "id"))
    place = own or str(number)
    revisions = [one for one in page if local(one) == "revision"]
    newest = max(revisions, key=lambda one: text_of(child(one, "timestamp")), default=None)
    element = child(newest, "text") if newest is not None else None
    raw = (element.text or "") if element is not None else ""
    digest = sha256(raw.encode("utf-8", "surrogatepass"))
    shared: dict[str, Any] = {
        "raw_sha256": digest,
        "place": place,
        "uri": f"{base}/{title.replace(' ', '_')}" if base else f"{blob.uri}#{place}",
        "title": title or None,
        "published": text_of(child(newest, "timestamp"))[:10] or None if newest is not None else None,
        "language": language,
        "licence": licence,
        "series": f"wiki:{base}:{own}" if base and own else None,
        "edition": (text_of(child(newest, "id")) or None) if newest is not None else None,
    }
    model = text_of(child(newest, "model")) if newest is not None else ""
    redirect = child(page, "redirect")
    found = REDIRECT.match(raw)
    space = text_of(child(page, "ns"))
    if redirect is not None or found:
        to = redirect.get("title") if redirect is not None else found[1].strip() if found else ""
        return Draft(raw, left_out=f"a redirect to {to}", **shared)
    if space not in ("", "0"):
        return Draft(raw, left_out=f"no article: a page of namespace {space}", **shared)
    if model not in ("", "wikitext"):
        return Draft(raw, left_out=f"no article: its content is {model}", **shared)
    try:
        text = wikitext_text(raw)
    except (RecursionError, ValueError) as error:
        return Broken(f"{blob.uri}#{place}", "mediawiki", f"wikitext of '{title}': {type(error).__name__}: {error}", len(raw), digest)  # fmt: skip # noqa: E501
    if not text:
        return Draft(raw, left_out="no words in the article", **shared)
    return Draft(f"# {title}\n\n{text}" if title else text, **shared)
