"""Readers on small documents of known content: structure kept, furniture and references left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.markup.latex import plain_math
from sources.markup.licences import licence_name
from sources.markup.references import without_references
from sources.reading import read_frames


def read(folder: Path, name: str, content: str | bytes, **settings: Any) -> pl.DataFrame:
    """Documents of one file; a quarantined one fails the test."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    source = Source(name="s", files=[name], source_type="literature", **settings)
    pairs = [pair for file in find_inputs(source, folder) for pair in read_frames(file, source)]
    assert not any(broken.height for _, broken in pairs), pairs[0][1]["error"].to_list()
    return pl.concat(frame for frame, _ in pairs)


JATS = """<?xml version="1.0"?><!DOCTYPE article PUBLIC "x" "y.dtd">
<article article-type="research-article" xmlns:xlink="http://www.w3.org/1999/xlink"><front>
<journal-meta><journal-title-group><journal-title>J Test</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="doi">10.1/ABC</article-id><title-group><article-title>Cells &alpha; and <italic>E. coli</italic></article-title></title-group>
<pub-date pub-type="ppub"><year>2020</year></pub-date><pub-date pub-type="epub"><day>3</day><month>2</month><year>2019</year></pub-date>
<permissions><license xlink:href="http://creativecommons.org/licenses/by-nc/4.0/"/></permissions>
<abstract><p>Short abstract.</p></abstract><trans-abstract xml:lang="zh"><p>中文摘要。</p></trans-abstract></article-meta></front>
<body><sec><title>Methods</title><p>We used 10<sup>6</sup> cells <xref ref-type="bibr" rid="b1">[1]</xref>,<xref ref-type="bibr" rid="b2"><sup>2</sup></xref> at 5 m<sup>2</sup> with Ca<sup>2+</sup>.</p>
<p>List:<list><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list></p>
<table-wrap><label>Table 1.</label><caption><p>Doses.</p></caption><table><tr><th>Drug</th><th>mg</th></tr><tr><td>A &amp; B</td><td>5</td></tr></table></table-wrap>
<disp-formula><mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mfrac><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfrac></mml:math></disp-formula></sec></body>
<back><ref-list><title>References</title><ref id="b1"><mixed-citation>Hidden A. Secret. 2001.</mixed-citation></ref></ref-list></back></article>"""


def test_jats(tmp_path: Path) -> None:
    row = read(tmp_path, "a.xml", JATS).row(0, named=True)
    text = row["text"]
    assert row["title"] == "Cells α and E. coli"
    assert (row["doi"], row["published"], row["licence"]) == ("10.1/abc", "2019-02-03", "CC-BY-NC-4.0")
    assert "We used 10^6 cells at 5 m^2 with Ca2+." in text
    assert "- one\n- two" in text
    assert "Table 1. Doses.\nDrug | mg\nA & B | 5" in text
    assert "a/b" in text
    assert "中文摘要。" in text
    assert "Hidden" not in text
    assert text.index("Short abstract.") < text.index("## Methods")


def test_several_articles_in_one_file(tmp_path: Path) -> None:
    body = JATS.split("?>", 1)[1].split(">", 1)[1]
    frame = read(tmp_path, "set.xml", f"<pmc-articleset>{body}{body.replace('10.1/ABC', '10.1/DEF')}</pmc-articleset>")
    assert frame["doi"].to_list() == ["10.1/abc", "10.1/def"]
    assert frame["id"].n_unique() == 2


def test_markdown(tmp_path: Path) -> None:
    content = """---
title: Guide
date: 2024-05-01
license: CC BY 4.0
---
# Guide

Some **bold**, _plain_ and `code`; see [the page](http://x.y/z "t") and ![picture](a.png).

| a | b |
|---|---|
| 1 | >2 |

* item *one*
* item two

> quoted

<div class="x">html <b>tag</b></div>

$3 9 . 9 \\%$ of 10<sup>6</sup>

## References

1. Hidden A. Secret. J Med 2001;3(2):1-9. doi:10.1/x
2. Hidden B. Secret. J Med 2002;4(2):1-9. doi:10.1/y
"""
    row = read(tmp_path, "a.md", content).row(0, named=True)
    assert (row["title"], row["published"], row["licence"]) == ("Guide", "2024-05-01", "CC-BY-4.0")
    text = row["text"]
    assert "Some bold, plain and code; see the page and ." in text
    assert "a | b\n1 | >2" in text
    assert "- item one\n- item two" in text
    assert "quoted" in text
    assert "html tag" in text
    assert "39.9% of 10^6" in text
    assert "Hidden" not in text


def test_html_document_keeps_everything_and_page_loses_its_menu(tmp_path: Path) -> None:
    document = "<html><body><h1>T</h1><p>One.<br>Two.</p><ul><li>a<ul><li>b</li></ul></li></ul><table><tr><td>x</td><td><p>y</p><p>z</p></td></tr></table></body></html>"
    text = read(tmp_path, "d.html", document)["text"][0]
    assert text == "# T\n\nOne. Two.\n\n- a\n  - b\n\nx | y z"


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("https://creativecommons.org/licenses/by-sa/3.0/igo", "CC-BY-SA-3.0"),
        ("distributed under the terms of the Creative Commons Attribution License", "CC-BY"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International", "CC-BY-NC-SA-4.0"),
        ("released into the public domain", "public-domain"),
        ("All rights reserved", None),
    ],
)
def test_licences(statement: str, name: str | None) -> None:
    assert licence_name(statement) == name


def test_a_list_of_references_without_a_heading_is_found() -> None:
    body = "正文第一段。" * 60
    entries = "\n".join(
        f"[{n}] 张三, 李四, 等. 题目[J]. 中华医学杂志, 20{n:02d}, 9({n}): 1-{n + 3}." for n in range(10, 18)
    )
    text, cut = without_references(f"{body}\n{entries}")
    assert cut
    assert text == body
    assert without_references(body) == (body, False)


@pytest.mark.parametrize(
    ("formula", "plain"),
    [
        (r"$1 4 { \sim } 8 9$", "14~89"),
        (r"$3 0 0 ~ \mathrm { k m }$", "300 km"),
        (r"$p < 0 . 0 5$", "p<0.05"),
        (r"$\frac { 1 } { 2 }$", r"$\frac { 1 } { 2 }$"),
        ("costs $5 and $6", "costs $5 and $6"),
    ],
)
def test_formulas(formula: str, plain: str) -> None:
    assert plain_math(formula) == plain
