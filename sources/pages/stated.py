"""What a web page says of itself beside its text: heading, address, description, the article in its JSON-LD.

Extractors take the heading from `<title>`, which most sites end with their own name, leave out the lead that stands
apart from the article, and find nothing where a script writes the article. The page's own data say all three.
Schema.org's names: `headline`, `articleBody` (https://schema.org/NewsArticle); `rel=canonical` is RFC 6596.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from sources.markup.elements import squeeze

WORD: Final = re.compile(r"\w+")
SEPARATOR: Final = re.compile(r"\s*(?:[|›»·•]|\s[-–—:]\s|::|[-_—](?=[\u4e00-\u9fff]+$))\s*")
ORGANISATIONS: Final = {"Organization", "NewsMediaOrganization", "WebSite", "MedicalOrganization", "Hospital"}
DESCRIPTIONS: Final = ("description", "og:description")
# How Chinese sites are called, at a title's end: -新华网, _江城第二医院, - 医学百科.
SITE_ZH: Final = re.compile(
    "[\u4e00-\u9fff]{1,14}(?:网|医院|百科|日报|晚报|新闻|频道|在线|门户|学会|协会|卫健委|疾控中心)"
)
SHARED: Final = 0.4  # of the words of a heading and of the title, so that one is the other in other words
MAX_HEADING: Final = 300
MIN_LEAD: Final = 40  # characters; a shorter description says no more than the title
LEAD_BLOCKS: Final = 12  # between heading and text
LEAD_PREFIX: Final = 60  # characters by which a lead and the description are told to be one
LINKED: Final = 0.3  # of a lead's letters at most
MIN_BODY: Final = 300  # characters of an article in JSON-LD
BODY_TIMES: Final = 2  # longer than what was extracted
_LEADS: Final = re.compile(
    r"(?i)teaser|lead|intro|standfirst|abstract|summary|excerpt|\bdek\b|sub-?title|sub-?head|vorspann|einleitung|"
    r"description|entradilla|bajada|chapeau|导语|摘要"
)
_OTHERS: Final = re.compile(r"(?i)author|meta|caption|share|related|nav|footer|cookie|comment|advert|sidebar")
_BLOCKS: Final = {"p", "div", "span", "strong", "b", "h2", "h3", "section"}
_OUTER: Final = {"p", "div", "section", "ul", "article", "h2", "h3", "script", "style"}


@dataclass(frozen=True)
class Stated:
    """What a page says of itself; empty where it says nothing."""

    canonical: str
    licence: str  # as written: an address, or a name
    headlines: tuple[str, ...]
    site_names: frozenset[str]  # as letters alone
    descriptions: tuple[str, ...]
    article: str


def stated(root: Any, url: str | None) -> Stated:
    """Read the head of a page and its JSON-LD."""
    metas: dict[str, str] = {}
    for one in root.iter("meta"):
        name = (one.get("property") or one.get("name") or "").lower()
        if name and (content := squeeze(one.get("content") or "")):
            metas.setdefault(name, content)
    said = [*_json_ld(root)]
    texts = {key: [one[key] for one in said if isinstance(one.get(key), str)] for key in ("headline", "articleBody")}
    names = [one["name"] for one in said if isinstance(one.get("name"), str) and _types(one) & ORGANISATIONS]
    headlines = [*texts["headline"], metas.get("og:title", "")]
    return Stated(
        canonical=_canonical(root, metas.get("og:url", ""), url),
        licence=_licence(root, said),
        headlines=tuple(squeeze(one) for one in headlines if one),
        site_names=frozenset(filter(None, (_letters(one) for one in (*names, metas.get("og:site_name", ""))))),
        descriptions=tuple(one for key in DESCRIPTIONS if len(one := metas.get(key, "")) >= MIN_LEAD),
        article=max((_as_text(one) for one in texts["articleBody"]), key=len, default=""),
    )


def _json_ld(root: Any) -> Iterator[dict[str, Any]]:
    for one in root.iter("script"):
        if (one.get("type") or "").lower().startswith("application/ld+json") and one.text:
            try:
                yield from _objects(json.loads(one.text, strict=False))
            except (ValueError, RecursionError):
                continue  # half of the web's JSON-LD is no JSON


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _types(one: dict[str, Any]) -> set[str]:
    told = one.get("@type")
    return {str(kind) for kind in (told if isinstance(told, list) else [told])}


def _as_text(body: str) -> str:
    """An `articleBody`, which may hold markup that was escaped once or twice."""
    text = html.unescape(html.unescape(body))
    text = re.sub(r"(?i)</(?:p|div|li|h\d)>|<br\s*/?>", "\n", text)
    text = re.sub(r"<[^<>]{0,500}>", "", text)
    return "\n\n".join(filter(None, (squeeze(line) for line in text.split("\n"))))


def _canonical(root: Any, told: str, url: str | None) -> str:
    """The address that the page calls its own, whole; nothing where it names none that is one."""
    links = [one.get("href") for one in root.iter("link") if "canonical" in (one.get("rel") or "").lower().split()]
    base = url if url and host_of(url) else ""
    for one in filter(None, (*links, told)):
        try:
            place = urljoin(base, one.strip())
        except ValueError:  # http://[unfinished
            continue
        if place.startswith(("http://", "https://")) and host_of(place) and not re.search(r"[\s<>\"]", place):
            return place
    return ""


def host_of(url: str | None) -> str:
    """The host that an address names, in small letters; nothing where it is no address."""
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def _licence(root: Any, said: list[dict[str, Any]]) -> str:
    """What the page names by `rel=license` (HTML Standard, 4.6.7.10) or in its JSON-LD."""
    links = (one.get("href") for one in root.iter("link", "a") if "license" in (one.get("rel") or "").lower().split())
    told = (one["license"] for one in said if isinstance(one.get("license"), str))
    return next(filter(None, (squeeze(one or "") for one in (*links, *told))), "")


def heading_of(title: str | None, root: Any, said: Stated, url: str | None) -> str | None:
    """The page's own heading: `title` without the site's name, or the `h1` that says the same."""
    text = squeeze(title or "").replace("\u00ad", "")
    if not text:
        return title
    headings = [squeeze(one.text_content()).replace("\u00ad", "") for one in root.iter("h1")]
    text = _without_site(text, [*headings, *said.headlines], said.site_names, url)
    words = set(_words(text))
    best, most = text, 0
    for heading in headings:
        own = set(_words(heading))
        shared = len(own & words)
        if text.lower() in heading.lower() or len(heading) > MAX_HEADING or shared <= most:
            continue
        if shared >= SHARED * len(own) and shared >= SHARED * len(words):
            best, most = heading, shared
    return best


def _without_site(text: str, headings: list[str], site_names: frozenset[str], url: str | None) -> str:
    for one in headings:
        rest = text[len(one) :]
        if len(_letters(one)) > 3 and rest and text.lower().startswith(one.lower()) and SEPARATOR.match(f"{rest} "):
            return one
    cuts = [*SEPARATOR.finditer(text)]
    if not cuts:
        return text
    front, back = text[: cuts[-1].start()].strip(), text[cuts[-1].end() :]
    if len(_letters(front)) > 3 and _is_site(_letters(back), site_names, url):
        return front
    front, back = text[: cuts[0].start()], text[cuts[0].end() :].strip()
    return back if _letters(front) in site_names and len(_letters(back)) > 3 else text


def _is_site(name: str, site_names: frozenset[str], url: str | None) -> bool:
    host = host_of(url).split(".")
    labels = [one.replace("-", "") for one in host if len(one) > 3]
    return name != "" and (
        name in site_names
        or SITE_ZH.fullmatch(name) is not None
        or name == "".join(host[-2:])
        or any(name.startswith(one) or (len(name) > 3 and one.startswith(name)) for one in labels)
    )


def lead_of(root: Any, text: str, said: Stated) -> list[str]:
    """What stands between heading and text and belongs to it: the description, or what is marked as a lead.

    `text` is what was extracted; a lead that is in it already is none.
    """
    heading = next(root.iter("h1"), None)
    if heading is None:
        return []
    found: list[str] = []
    flat, looked_at, seen = squeeze(text), 0, False
    for one in root.iter():
        if one is heading:
            seen = True
        elif seen and one.tag in _BLOCKS and not any(inner.tag in _OUTER for inner in one):
            words = squeeze(one.text_content())
            if len(words) < MIN_LEAD:
                continue
            if words[:LEAD_PREFIX] in flat or looked_at >= LEAD_BLOCKS:
                break
            looked_at += 1
            if _is_lead(one, words, said) and not any(words in earlier for earlier in found):
                found.append(words)
    return found


def _is_lead(element: Any, words: str, said: Stated) -> bool:
    linked = sum(len(squeeze(one.text_content())) for one in element.iter("a"))
    if linked > LINKED * len(words):
        return False
    if any(words.startswith(one[:LEAD_PREFIX]) or one.startswith(words[:LEAD_PREFIX]) for one in said.descriptions):
        return True
    near = [element, *list(element.iterancestors())[:2]]
    marks = " ".join(f"{one.get('class', '')} {one.get('id', '')}" for one in near)
    return len(words) >= 2 * MIN_LEAD and bool(_LEADS.search(marks)) and not _OTHERS.search(marks)


def article_instead(text: str, said: Stated) -> str:
    """The article of the page's JSON-LD, where it says much more than what was extracted."""
    longer = len(said.article) >= MIN_BODY and len(said.article) > BODY_TIMES * len(text)
    return said.article if longer else text


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _letters(text: str) -> str:
    return "".join(_words(text))
