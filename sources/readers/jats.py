"""JATS XML, the format of journal articles (NISO Z39.96): PubMed Central, PLOS and others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from lxml import etree

from schemas.errors import Unreadable
from schemas.identifiers import identifier_of, pmcid_of, pmid_of
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader
from sources.markup.elements import child, descendants, local, parse_xml, text_of
from sources.markup.jats_text import inline, section_blocks
from sources.markup.licences import licence_name

XLINK: Final = "{http://www.w3.org/1999/xlink}href"
LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
# Headings of abstracts that are not the article's own (values of abstract-type that publishers use).
ABSTRACTS: Final = {
    "highlights": "Highlights", "key-points": "Key points", "key": "Key points", "objectives": "Objectives",
    "executive-summary": "Executive summary",
    "plain-language-summary": "Plain language summary", "lay-summary": "Lay summary", "web-summary": "Web summary",
    "summary": "Summary", "graphical": "Graphical abstract", "visual": "Visual abstract", "teaser": "Teaser",
    "toc": "In brief", "short": "Short abstract", "editor": "Editor's summary", "video": "Video abstract",
    "author-highlights": "Highlights", "synopsis": "Synopsis", "precis": "Precis",
}  # fmt: skip
# Headings under which journals print opinion, in the singular.
OPINION_HEADINGS: Final = {
    "perspective": "perspective",
    "viewpoint": "viewpoint",
    "essay": "essay",
    "editorial": "editorial",
    "opinion": "opinion",
    "education": "education",
    "feature": "essay",
    "community page": "essay",
    "historical profile and perspective": "essay",
    "book review": "book-review",
    "letter": "letter",
    "case report": "case-report",
    "systematic review": "systematic-review",
    "review": "review-article",
}
# What a notice says of another article, by its own type and by the relation that it names.
NOTICES: Final = {
    "retraction": "retraction", "partial-retraction": "partial-retraction",
    "expression-of-concern": "expression-of-concern",
    "correction": "correction", "erratum": "erratum", "corrigendum": "correction", "addendum": "addendum",
    "withdrawal": "withdrawal", "removal": "withdrawal", "reinstatement": "reinstatement",
}  # fmt: skip
RELATIONS: Final = {
    "retracted-article": "retraction", "partial-retraction": "partial-retraction",
    "partially-retracted-article": "partial-retraction",
    "object-of-concern": "expression-of-concern", "corrected-article": "correction", "addended-article": "addendum",
    "withdrawn-article": "withdrawal", "republished-article": "corrected-and-republished",
}  # fmt: skip
# The same, said by the article itself.
FORWARD: Final = {
    "retraction-forward": "retraction", "retraction": "retraction", "partial-retraction-forward": "partial-retraction",
    "concern-forward": "expression-of-concern", "expression-of-concern": "expression-of-concern",
    "correction-forward": "correction", "erratum": "erratum", "correction": "correction", "withdrawal": "withdrawal",
}  # fmt: skip
WHOLE: Final = ("retraction", "withdrawal")
DATE_ORDER: Final = ("epub", "pub", "ppub", "epub-ppub", "collection", "")


@reader(
    "jats",
    ".nxml",
    sniff=lambda head: re.search(rb"<article[\s>]", head) is not None and b"<html" not in head[:500].lower(),
    by_suffix=True,
    version=2,
    source="JATS 1.3, ANSI/NISO Z39.96",
    example='{name: articles, files: "**/*.xml", format: jats, source_type: literature}',
)
def read_jats(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One article: title, abstract, sections in order, tables as rows, captions; no references."""
    data = blob.read_all()
    root = parse_xml(data)
    if local(root) == "article":
        yield from _drafts(root, sha256(data), blob.uri, "")
        return
    number = 0
    for number, article in enumerate(descendants(root, "article"), 1):
        yield from _drafts(article, sha256(etree.tostring(article)), f"{blob.uri}#{number}", str(number))
    if not number:
        raise Unreadable("no <article> element; not a JATS article")


def _drafts(article: Any, digest: str, uri: str, place: str) -> Iterator[Draft]:
    """An article, then what is printed with it: reviews, replies, translations, each a document of its own type."""
    whole = article_draft(article, digest)
    beside = [one for one in article.iter() if local(one) in ("sub-article", "response")]
    yield replace(whole, place=place, uri=uri) if place else whole
    for number, one in enumerate(beside, 1):
        draft = article_draft(one, sha256(etree.tostring(one)))
        if draft.text.strip():
            yield replace(
                draft,
                place=f"{place}/sub-{number}",
                uri=f"{uri}{'/' if '#' in uri else '#'}{one.get('id') or f'sub-{number}'}",
                published=draft.published or whole.published,
                licence=draft.licence or whole.licence,
                publisher=draft.publisher or whole.publisher,
                issn=draft.issn or whole.issn,
            )


def article_draft(root: Any, raw_sha256: str) -> Draft:
    """The draft of one `<article>`, `<sub-article>` or `<response>` element, without those within it."""
    meta = child(root, "front", "article-meta")
    if meta is None:
        meta = child(root, "front-stub")
    title = inline(child(meta, "title-group", "article-title")) if meta is not None else ""
    kind = (
        root.get("article-type") or root.get("response-type") or ("response" if local(root) == "response" else "other")
    )
    blocks = [f"# {title}"] if title else []
    for abstract in (one for one in meta if local(one) in ("abstract", "trans-abstract")) if meta is not None else ():
        blocks.extend(section_blocks(abstract, 2, _abstract_title(abstract)))
    body = child(root, "body")
    if body is not None:
        blocks.extend(section_blocks(body, 1))
    back = child(root, "back")
    floats = child(root, "floats-group")
    for group in (*([floats] if floats is not None else []), *(back if back is not None else ())):
        if local(group) in ("app-group", "floats-group", "app", "glossary", "notes", "sec"):
            blocks.extend(section_blocks(group, 2))
    retracts, retracted, notices = _notices(meta, kind, title)
    journal_meta = child(root, "front", "journal-meta")
    journal = text_of(next(iter(descendants(journal_meta, "journal-title")), None))
    publisher = text_of(child(root, "front", "journal-meta", "publisher", "publisher-name"))
    return Draft(
        text="\n\n".join(blocks),
        raw_sha256=raw_sha256,
        title=title or None,
        published=published(meta),
        licence=_licence(meta),
        language=None,
        publisher="; ".join(filter(None, (journal, publisher))) or None,
        issn="; ".join(dict.fromkeys(text_of(one) for one in descendants(journal_meta, "issn"))) or None,
        article_type=_article_type(meta, kind),
        doi=_doi(meta),
        identifiers=_identifiers(meta),
        retracted=retracted,
        retracts=retracts,
        notices=notices,
    )


def _abstract_title(abstract: Any) -> str:
    """The heading of an abstract: its own title, else what its kind and language say."""
    own = inline(child(abstract, "title"))
    kind = ABSTRACTS.get(abstract.get("abstract-type") or "", (abstract.get("abstract-type") or "").replace("-", " "))
    if local(abstract) == "trans-abstract":
        language = abstract.get(LANGUAGE)
        return f"{own or kind or 'Translated abstract'}{f' ({language})' if language else ''}"
    if own and not (kind and own.strip().lower() == "abstract"):
        return own
    return kind.capitalize() if kind and kind.islower() else kind or "Abstract"


def _article_type(meta: Any, kind: str) -> str:
    """The article's type; where it only says research, the journal's heading may say opinion."""
    if kind not in ("research-article", "other") or meta is None:
        return kind
    for group in descendants(child(meta, "article-categories"), "subj-group"):
        if group.get("subj-group-type") == "heading":
            return OPINION_HEADINGS.get(text_of(child(group, "subject")).lower().rstrip("s"), kind)
    return kind


def _doi(meta: Any) -> str | None:
    for one in descendants(meta, "article-id") if meta is not None else ():
        if one.get("pub-id-type") == "doi":
            return text_of(one).lower() or None
    return None


def _identifiers(meta: Any) -> tuple[str, ...]:
    """Numbers of PubMed and of PMC."""
    found = []
    for one in descendants(meta, "article-id") if meta is not None else ():
        kind = one.get("pub-id-type")
        if kind == "pmid":
            found.append(pmid_of(text_of(one)))
        elif kind in ("pmc", "pmcid"):
            found.append(pmcid_of(text_of(one)))
    return tuple(one for one in found if one)


def published(meta: Any) -> str | None:
    """The earliest form of publication that a front matter dates, as far as it is dated."""
    dates: dict[str, str] = {}
    for one in meta if meta is not None else ():
        if local(one) == "pub-date":
            parts = [text_of(child(one, part)) for part in ("year", "month", "day")]
            numbers = [int(part) if part.isdigit() else None for part in parts]
            if numbers[0]:
                iso = f"{numbers[0]:04d}"
                for number in numbers[1:]:
                    if number is None:
                        break
                    iso += f"-{number:02d}"
                dates[one.get("pub-type") or one.get("date-type") or ""] = iso
    return next((dates[kind] for kind in DATE_ORDER if kind in dates), next(iter(dates.values()), None))


def _licence(meta: Any) -> str | None:
    licence = next(iter(descendants(meta, "license")), None) if meta is not None else None
    statement = child(meta, "permissions") if meta is not None else None
    words = [licence.get(XLINK) or "" if licence is not None else "", text_of(licence), text_of(statement)]
    for link in descendants(statement, "ext-link") if statement is not None else ():
        words.append(link.get(XLINK) or "")
    return licence_name(" ".join(words))


def _notices(meta: Any, kind: str, title: str) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """DOIs that this notice retracts, whether the article itself is retracted, and what is said of whom.

    The last are lines such as "expression-of-concern of 10.1/x" (this document is the notice) and
    "correction by 10.1/y" (this document is what it concerns).
    """
    retracts, said = set(), set()
    retracted = kind == "retracted-article" or re.match(r"(?i)\W*retracted\b", title) is not None
    is_notice = kind in NOTICES
    for one in descendants(meta, "related-article") if meta is not None else ():
        relation = (one.get("related-article-type") or "").strip().lower()
        doi = _related(one)
        if doi is None:
            continue
        if is_notice:
            what = RELATIONS.get(relation, NOTICES[kind])
            what = NOTICES[kind] if what == "retraction" and kind == "partial-retraction" else what
            if relation in RELATIONS or relation == kind:
                said.add(f"{what} of {doi}")
                if what in WHOLE and kind in WHOLE:
                    retracts.add(doi)
        elif relation in FORWARD:
            said.add(f"{FORWARD[relation]} by {doi}")
            retracted = retracted or FORWARD[relation] in WHOLE
        elif relation == "republished-article":
            said.add(f"corrected-and-republished of {doi}")
    return tuple(sorted(retracts)), retracted, tuple(sorted(said))


def _related(article: Any) -> str | None:
    """The DOI of a related article, or its number of PubMed or PMC where it is linked by that."""
    told = article.get(XLINK) or text_of(article)
    kind = article.get("ext-link-type")
    if kind in ("pmid", "pubmed"):
        return pmid_of(told)
    return pmcid_of(told) if kind in ("pmc", "pmcid") else identifier_of(told)
