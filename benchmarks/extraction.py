"""Extraction on real pages beside bare trafilatura: strings that must be kept, and that must not, by kind of block.

    python benchmarks/extraction.py --data ../shared/data

`web/pages-0.expected.json` gives for each address of `web/pages-0.warc.gz` text that a good
extraction holds (`with`) and does not hold (`without`). Both sides are compared after our
`normalise` step, so that soft hyphens and odd spaces count for neither. The kind of a string is that of
the block in which the page holds it: by the nearest ancestor whose tag, id or class names it. Recall is the share
of a kind's wanted strings that are kept; precision is the share of wanted ones among the kind's strings that are
kept. A page is lost when not one of its wanted strings is kept. Title, date and licence are compared with what the
same file says of the page.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import trafilatura
from fastwarc.warc import ArchiveIterator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Which words in a tag's class or id tell what its block is for; the first that matches.
FURNITURE = {
    "comments": r"comment|kommentar|disqus|respond|replies",
    "notices (cookies, payment, newsletters)": r"cookie|consent|gdpr|paywall|newsletter|subscri|abo-|login|privacy|banner",
    "related links": r"related|recommend|teaser|popular|read-?more|similar|see-?also|most-?read|trending|latest|weiter",
    "sharing and advertising": r"share|sharing|social|advert|\bads?\b|promo|sponsor|follow",
    "navigation": r"\bnav|menu|breadcrumb|pagination|pager|sidebar|widget|toolbar|topbar",
    "headers and footers of pages": r"footer|masthead|site-?header|page-?header|copyright|imprint|impressum|colophon",
    "authors, dates, tags": r"author|byline|\bmeta\b|entry-meta|post-meta|dateline|timestamp|tags?\b|categor|bio\b",
}
OF_TAGS = {"nav": "navigation", "footer": "headers and footers of pages", "aside": "related links"}
CONTENT = {
    "figcaption": "captions",
    "caption": "captions",
    "td": "tables",
    "th": "tables",
    "li": "lists",
    "dd": "lists",
    "dt": "lists",
    "blockquote": "quotations",
    "pre": "code",
    **{f"h{level}": "headings" for level in range(1, 7)},
    "p": "paragraphs",
}
OUTER = {"html", "body", "main", "article"}


def normalised(texts: dict[str, str]) -> dict[str, str]:
    """The texts after the `normalise` step."""
    from filters.normalise import normalise
    from filters.step import Batch
    from schemas.document import READ_COLUMNS

    rows = [{"id": url, "text": text, "title": None} for url, text in texts.items()]
    frame = pl.DataFrame(rows, schema={name: READ_COLUMNS[name] for name in ("id", "text", "title")})
    return dict(zip(frame["id"], normalise(Batch(frame)).columns["text"], strict=True))


def kind_of(element: Any) -> str:
    """What an element's block is for: its nearest ancestor that says so, else the nearest tag of content."""
    content = None
    while element is not None and element.tag not in OUTER:
        name = element.tag if isinstance(element.tag, str) else ""
        marks = f"{element.get('class', '')} {element.get('id', '')}".lower()
        for kind, words in FURNITURE.items():
            if OF_TAGS.get(name) == kind or re.search(words, marks):
                return kind
        content = content or CONTENT.get(name)
        element = element.getparent()
    return content or "other blocks"


def kinds_of_page(data: bytes, pieces: list[str]) -> Iterator[str]:
    """For each string the kind of the smallest element of the page that holds it."""
    from lxml import html

    from sources.decoding import decode

    tree = html.fromstring(decode(data, None).text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    texts = [(one, " ".join(one.text_content().split())) for one in tree.iter() if isinstance(one.tag, str)]
    for piece in pieces:
        flat = " ".join(piece.split())
        holding = [one for one, text in texts if flat in text and one.tag not in ("script", "style", "head")]
        yield kind_of(holding[-1]) if holding else "not found as one text"


Judged = list[tuple[str, str, bool, bool]]  # address, kind, wanted, kept


def judged(texts: dict[str, str], strings: list[tuple[str, str, str, bool]]) -> Judged:
    """Of each string (address, piece, kind, wanted) whether the extracted text holds it."""
    flat = {url: " ".join(text.split()) for url, text in normalised(texts).items()}
    return [(url, kind, wanted, piece in flat.get(url.strip(), "")) for url, piece, kind, wanted in strings]


def shares(found: Judged) -> tuple[float, float]:
    """Share of `with` strings kept, and of `without` strings left out."""
    wanted = [kept for _, _, one, kept in found if one]
    unwanted = [not kept for _, _, one, kept in found if not one]
    return sum(wanted) / max(1, len(wanted)), sum(unwanted) / max(1, len(unwanted))


def told_by_kind(found: Judged) -> Iterator[str]:
    """A line for each kind: wanted strings and unwanted ones, recall, precision, share left out."""
    for kind, _ in Counter(one[1] for one in found).most_common():
        part = [one for one in found if one[1] == kind]
        wanted, unwanted = ([one[3] for one in part if one[2] is side] for side in (True, False))
        recall = f"{sum(wanted) / len(wanted):6.1%}" if wanted else "      "
        kept = sum(wanted) + sum(unwanted)
        precision = f"{sum(wanted) / kept:6.1%}" if kept else "      "
        out = f"{1 - sum(unwanted) / len(unwanted):6.1%}" if unwanted else "      "
        yield f"  {kind:40} {len(wanted):5} {recall}  {precision}   {len(unwanted):5} {out}"


def main() -> None:
    """Extract with both, print shares, kinds, pages lost, metadata and speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data / "web"
    expected = json.loads((folder / "pages-0.expected.json").read_text(encoding="utf-8"))

    from schemas.recipe import Source
    from sources.inputs import find_inputs
    from sources.reading import read_frames

    started = time.perf_counter()
    source = Source(name="pages", files=["*.warc.gz"], source_type="web")
    read = pl.concat([frame for file in find_inputs(source, folder) for frame, _ in read_frames(file, source)])
    seconds = {"ours": time.perf_counter() - started}
    with (folder / "pages-0.warc.gz").open("rb") as stream:
        bodies = {one.headers["WARC-Target-URI"].strip(): one.reader.read() for one in ArchiveIterator(stream)}
    started = time.perf_counter()
    bare = {url: trafilatura.extract(body) or "" for url, body in bodies.items()}
    seconds["bare trafilatura"] = time.perf_counter() - started

    strings: list[tuple[str, str, str, bool]] = []
    for url, one in expected.items():
        pieces = [(piece, True) for piece in one["with"]] + [(piece, False) for piece in one["without"]]
        kinds = kinds_of_page(bodies[url.strip()], [piece for piece, _ in pieces])
        strings += [
            (url, " ".join(piece.split()), kind, wanted) for (piece, wanted), kind in zip(pieces, kinds, strict=True)
        ]
    for name, texts in (("ours", dict(read.select("uri", "text").iter_rows())), ("bare trafilatura", bare)):
        found = judged(texts, strings)
        kept, excluded = shares(found)
        print(f"{name}: {kept:.1%} of `with` kept, {excluded:.1%} of `without` excluded, {seconds[name]:.1f} s")
        lost = {url for url, _, wanted, _ in found if wanted} - {url for url, _, wanted, got in found if wanted and got}
        empty = sum(not texts.get(url.strip()) for url in expected)
        print(f"  pages lost (no wanted string kept): {len(lost)} of {len(expected)}, {empty} of them without any text")
        print(f"  {'kind of block':40} {'want':>5} {'recall':>6}  {'prec.':>6}   {'unw.':>5} {'out':>6}")
        print("\n".join(told_by_kind(found)))
    told_metadata(read, expected)


def told_metadata(read: pl.DataFrame, expected: dict[str, Any]) -> None:
    """Titles (as equal words), dates and licences (whether any is told) beside those of the file of expectations."""
    words = re.compile(r"\w+")
    alike: dict[str, tuple[str, Callable[[str, str], bool]]] = {
        "title": ("title", lambda got, want: words.findall(got.lower()) == words.findall(want.lower())),
        "date": ("published", lambda got, want: got[: len(want)] == want),
        "license": ("licence", lambda got, want: got != ""),
    }
    rows = {row["uri"]: row for row in read.select("uri", "title", "published", "licence").iter_rows(named=True)}
    for key, (column, is_right) in alike.items():
        told = {url.strip(): one[key] for url, one in expected.items() if one.get(key)}
        right = sum(is_right((rows.get(url) or {}).get(column) or "", want) for url, want in told.items())
        print(f"{key}: {right} of {len(told)}")


if __name__ == "__main__":
    main()
