"""MEDLINE/PubMed XML: baseline and update files, and what E-utilities answer; each citation is a document.

Read as a stream, a citation at a time, so that a file of 30,000 takes no more memory than one of them, and a broken one
costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape

from lxml import etree

from schemas.errors import Unreadable
from schemas.identifiers import pmcid_of, pmid_of
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import squeeze
from sources.markup.jats_text import inline
from sources.markup.records import Records, holds_asides

HEAD: Final = re.compile(
    rb"<(?:PubmedArticleSet|PubmedArticle|PubmedBookArticleSet|PubmedBookArticle|MedlineCitationSet|MedlineCitation)[\s>]"
)
CITATIONS: Final = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation")
_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
MONTHS: Final = {name: at for at, name in enumerate(_NAMES.split(), 1)}
# What a citation says of another, and what another says of it.
SAYS: Final = {
    "RetractionOf": "retraction", "PartialRetractionOf": "partial-retraction", "ErratumFor": "erratum",
    "ExpressionOfConcernFor": "expression-of-concern", "RepublishedFrom": "corrected-and-republished",
    "UpdateOf": "update",
}  # fmt: skip
SAID: Final = {
    "RetractionIn": "retraction", "PartialRetractionIn": "partial-retraction", "ErratumIn": "erratum",
    "ExpressionOfConcernIn": "expression-of-concern", "RepublishedIn": "corrected-and-republished",
    "UpdateIn": "update",
}  # fmt: skip
# Each stands once in a citation, or one behind the other; first those that hold others' elements.
LEFT_OUT: Final = tuple(
    (b"<" + name, b"</" + name + b">")
    for name in (b"ReferenceList", b"AuthorList", b"InvestigatorList", b"GrantList", b"History", b"ChemicalList")
)
PARSER: Final = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True, remove_pis=True
)
NO_ABSTRACT: Final = re.compile(r"(?i)^\W*(?:abstract truncated|no abstract available)\W*$")


@reader(
    "medline",
    sniff=lambda head: HEAD.search(head) is not None,
    priority=FIRST,
    version=2,
    source="MEDLINE/PubMed XML, https://dtd.nlm.nih.gov/ncbi/pubmed",
    example='{name: pubmed, files: "pubmed*.xml.gz", format: medline, source_type: literature}',
)
def read_medline(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """A document a citation: title, abstracts with their labels, journal, subject headings, notices."""
    if b"<!ENTITY" in blob.head:
        raise Unreadable("XML declares entities; refused (entity expansion or external entity)")
    number = 0
    records = Records(blob.stream, CITATIONS)
    for name, raw in records:
        number += 1
        yield from _drafts(name, raw, records.prefixes, blob.uri, number)
    if records.fault:
        said = f"not well-formed XML after {number} citations: {records.fault}"
        if not number:
            raise Unreadable(said)
        yield Broken(f"{blob.uri}#{number + 1}", "medline", said, 0, "")
    elif not number:
        raise Unreadable("no citation in it")


def _drafts(name: str, raw: bytes, prefixes: dict[str, str], uri: str, number: int) -> Iterator[Draft | Broken]:
    digest = sha256(raw)
    try:
        element = _parsed(raw if name == "PubmedBookArticle" else _without_people(raw), prefixes)
        if name == "DeleteCitation":
            gone = [one.text for one in element.iter("PMID") if one.text]
            told = f"PubMed deleted these citations: {', '.join(gone)}."
            yield Draft(told, digest, f"{number}", f"{uri}#{number}", "Deleted citations", article_type="deletion",
                        retracts=tuple(f"pmid:{one}" for one in gone))  # fmt: skip
        elif name == "PubmedBookArticle":
            yield _book(element, digest, uri, number)
        else:
            yield _article(element, digest, uri, number)
    except etree.XMLSyntaxError as error:
        yield Broken(f"{uri}#{number}", "medline", f"not well-formed XML: {error}", len(raw), digest)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        yield Broken(f"{uri}#{number}", "medline", f"{type(error).__name__}: {error}", len(raw), digest)


def _parsed(raw: bytes, prefixes: dict[str, str]) -> Any:
    if not prefixes:
        return etree.fromstring(raw, PARSER)
    declared = " ".join(f'xmlns:{prefix}="{escape(uri)}"' for prefix, uri in prefixes.items())
    return etree.fromstring(b"<outside %s>%s</outside>" % (declared.encode(), raw), PARSER)[0]


def _without_people(raw: bytes) -> bytes:
    """A citation without its authors, references and funders: half of it, of which no document has a word."""
    if holds_asides(raw):  # a comment may hold what looks like a tag
        return raw
    for opening, closing in LEFT_OUT:
        start = raw.find(opening)
        end = raw.rfind(closing, start) if start >= 0 else -1
        if end >= 0:
            raw = raw[:start] + raw[end + len(closing) :]
    return raw


def _article(element: Any, digest: str, uri: str, number: int) -> Draft:
    citation = element if element.tag == "MedlineCitation" else element.find("MedlineCitation")
    about = _children(citation)
    if "Article" not in about:
        raise ValueError("a citation without <Article>")
    article = _children(about["Article"][0])
    told = _first(about, "PMID")
    pmid, version = _text(told), told.get("Version") if told is not None else None
    title, vernacular = _text(_first(article, "ArticleTitle")), _text(_first(article, "VernacularTitle"))
    blocks = [f"# {title or vernacular}", vernacular if title else ""]
    blocks += _abstract(_first(article, "Abstract"), "Abstract")
    for other in about.get("OtherAbstract", ()):
        language, kind = other.get("Language") or "", other.get("Type") or ""
        names = ", ".join(filter(None, [kind if kind != "Publisher" else "", language]))
        blocks += _abstract(other, f"Abstract ({names})" if names else "Abstract")
    blocks.append(_headings(about))
    kinds = _children(_first(article, "PublicationTypeList", ()))
    types = [_term(one.text or "") for one in kinds.get("PublicationType", ())]
    journal = _children(_first(article, "Journal", ()))
    issue = _children(_first(journal, "JournalIssue", ()))
    identifiers = element.find("PubmedData/ArticleIdList") if element.tag == "PubmedArticle" else None
    doi = _doi(article, identifiers)
    pmcid = next(
        (pmcid_of(one.text) for one in (identifiers if identifiers is not None else ()) if one.get("IdType") == "pmc"),
        None,
    )
    retracts, retracted, notices = _notices(_first(about, "CommentsCorrectionsList", ()), types)
    return Draft(
        text="\n\n".join(filter(None, blocks)),
        raw_sha256=digest,
        place=f"{pmid or number}/{version or 1}/{number}",
        uri=f"{uri}#pmid{pmid}" if pmid else f"{uri}#{number}",
        title=title or vernacular or None,
        published=_date(_first(article, "ArticleDate")) or _date(_first(issue, "PubDate")),
        publisher=_text(_first(journal, "Title")) or None,
        issn=_text(_first(journal, "ISSN")) or None,
        article_type="; ".join(types) or None,
        doi=doi,
        identifiers=tuple(one for one in (pmid_of(pmid), pmcid) if one),
        series=f"pmid:{pmid}" if pmid else None,
        edition=version,
        retracted=retracted,
        retracts=retracts,
        notices=notices,
    )


def _book(element: Any, digest: str, uri: str, number: int) -> Draft:
    """A chapter or a book of NCBI's Bookshelf."""
    document = element.find("BookDocument")
    book = document.find("Book")
    pmid = _text(document.find("PMID"))
    own, whole = _text(document.find("ArticleTitle")), _text(book.find("BookTitle")) if book is not None else ""
    blocks = [f"# {own or whole}", whole if own else ""]
    for abstract in document.findall("Abstract"):
        blocks += _abstract(abstract, "Abstract")
    for section in document.findall("Sections/Section"):
        blocks.append(_text(section.find("SectionTitle")))
    publisher = _text(book.find("Publisher/PublisherName")) if book is not None else ""
    return Draft(
        text="\n\n".join(filter(None, blocks)),
        raw_sha256=digest,
        place=f"{pmid or number}/{number}",
        uri=f"{uri}#pmid{pmid}" if pmid else f"{uri}#{number}",
        title=own or whole or None,
        published=_date(document.find("ContributionDate"))
        or (_date(book.find("PubDate")) if book is not None else None),
        publisher=publisher or None,
        article_type="; ".join(_text(one) for one in document.findall("PublicationType")) or None,
        identifiers=tuple(filter(None, [pmid_of(pmid)])),
        series=f"pmid:{pmid}" if pmid else None,
    )


def _children(element: Iterable[Any]) -> dict[str, list[Any]]:
    """What stands right below an element, by its name."""
    found: dict[str, list[Any]] = {}
    for one in element:
        found.setdefault(one.tag, []).append(one)
    return found


def _first(children: dict[str, list[Any]], name: str, missing: Any = None) -> Any:
    return children[name][0] if name in children else missing


def _text(element: Any) -> str:
    """Text of an element on one line; most have no elements within."""
    if element is None:
        return ""
    return inline(element) if len(element) else squeeze(element.text or "")


def _abstract(abstract: Any, heading: str) -> list[str]:
    if abstract is None:
        return []
    parts = []
    for one in abstract.findall("AbstractText"):
        words, label = _text(one), (one.get("Label") or "").strip()
        if words and not NO_ABSTRACT.match(words):
            parts.append(f"{label}: {words}" if label and label.upper() != "UNLABELLED" else words)
    return [f"## {heading}", *parts] if parts else []


_term: Final = lru_cache(1 << 14)(squeeze)  # of headings and kinds there are few, told of millions of citations


def _headings(about: dict[str, list[Any]]) -> str:
    """Subject headings with their qualifiers, and the authors' own keywords."""
    terms = []
    for one in _first(about, "MeshHeadingList", ()):
        terms.append("/".join(filter(None, [_term(part.text or "") for part in one])))
    words = [_text(one) for words in about.get("KeywordList", ()) for one in words if one.tag == "Keyword"]
    lines = [
        f"MeSH: {'; '.join(terms)}" if terms else "",
        f"Keywords: {'; '.join(filter(None, words))}" if words else "",
    ]
    return "\n".join(filter(None, lines))


def _doi(article: dict[str, list[Any]], identifiers: Any) -> str | None:
    for one in article.get("ELocationID", ()):
        if one.get("EIdType") == "doi" and one.get("ValidYN") != "N" and one.text:
            return one.text.strip().lower()
    for one in identifiers if identifiers is not None else ():
        if one.get("IdType") == "doi" and one.text:
            return one.text.strip().lower()
    return None


def _date(element: Any) -> str | None:
    """A date as far as it is told; of "2019 Mar-Apr" or "Spring 2019" the year and a month that is named."""
    if element is None:
        return None
    parts = {one.tag: one.text or "" for one in element}
    year, month, day = (parts.get(name, "").strip() for name in ("Year", "Month", "Day"))
    if not year:
        told = parts.get("MedlineDate", "")
        found = re.search(r"(?:19|20|18)\d\d", told)
        if found is None:
            return None
        year, month, day = (
            found[0],
            next((one for one in re.findall(r"[A-Za-z]{3}", told) if one.lower() in MONTHS), ""),
            "",
        )
    at = int(month) if month.isdigit() else MONTHS.get(month[:3].lower())
    if not year.isdigit() or at is None or not 1 <= at <= 12:
        return year if year.isdigit() else None
    return f"{year}-{at:02d}-{int(day):02d}" if day.isdigit() else f"{year}-{at:02d}"


def _notices(told: Iterable[Any], types: list[str]) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """What this citation retracts, whether it is retracted, and what is said of whom by PubMed's numbers."""
    retracts, said = set(), set()
    retracted = "Retracted Publication" in types
    for one in told:
        kind, pmid = one.get("RefType") or "", one.findtext("PMID")
        other = f"pmid:{pmid.strip()}" if pmid else squeeze(one.findtext("RefSource") or "")
        if kind in SAYS and pmid:
            said.add(f"{SAYS[kind]} of {other}")
            if kind == "RetractionOf":
                retracts.add(other)
        elif kind in SAID:
            said.add(f"{SAID[kind]} by {other}")
            retracted = retracted or kind == "RetractionIn"
    return tuple(sorted(retracts)), retracted, tuple(sorted(said))
