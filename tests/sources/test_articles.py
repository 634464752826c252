"""Articles as journals and PubMed give them: every part under its heading, notices told on what they concern."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate
from tests.pipelines.test_readers import read

HEAD = '<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="KIND"><front><article-meta>'
PARTS = """<article-id pub-id-type="doi">10.1/whole</article-id><title-group><article-title>A whole article</article-title></title-group>
<abstract><p>Its own abstract.</p></abstract><abstract abstract-type="key-points"><p>One point.</p></abstract>
<trans-abstract xml:lang="fr"><p>Un résumé.</p></trans-abstract></article-meta></front><body><sec><title>Results</title>
<p>Before <list list-type="order"><list-item><p>first</p><list><list-item><p>inner</p></list-item></list></list-item></list> after
9%<sup>6,7</sup>.</p><boxed-text><label>Box 1</label><caption><title>What helps</title></caption><p>Light.</p></boxed-text>
<supplementary-material><label>S1 Table</label><caption><p>Who was left out.</p></caption></supplementary-material>
<p>So <inline-formula><alternatives><tex-math>\\documentclass{x}\\begin{document}$$a = b$$\\end{document}</tex-math></alternatives></inline-formula> holds.</p>
</sec></body><back><glossary><title>Glossary</title><def-list><def-item><term>Dusk</term><def><p>Evening.</p></def></def-item></def-list>
</glossary></back><sub-article article-type="reviewer-report" id="r1"><front-stub><title-group><article-title>A review</article-title>
</title-group></front-stub><body><p>The sample is small.</p></body></sub-article></article>"""
NOTICE = """<article-id pub-id-type="doi">DOI</article-id><title-group><article-title>A notice</article-title></title-group>
<related-article related-article-type="RELATION" xlink:href="https://doi.org/10.1/WHOLE"/></article-meta></front><body><p>We say so, at length
enough to be kept by every filter that counts words.</p></body></article>"""


def test_every_part_of_an_article_stands_in_its_place(tmp_path: Path) -> None:
    whole, review = read(tmp_path, "a.xml", HEAD.replace("KIND", "research-article") + PARTS).rows(named=True)
    text = whole["text"]
    order = [
        "## Abstract\n\nIts own abstract.", "## Key points\n\nOne point.", "## Translated abstract (fr)\n\nUn résumé.",
        "Before\n\n1. first\n  - inner\n\nafter 9%.", "Box 1. What helps\n\nLight.", "S1 Table. Who was left out.",
        "So a = b holds.", "## Glossary\n\n- Dusk: Evening.",
    ]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "documentclass" not in text
    assert (review["title"], review["article_type"]) == ("A review", "reviewer-report")
    assert review["uri"].endswith("#r1")
    assert "The sample is small." in review["text"]
    assert "The sample is small." not in text


RUN = """
name: notices
sources: [{name: all, files: "*.xml", source_type: literature}]
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {train: {vocab_size: 300}}
mixtures: {all: {components: [{name: all}]}}
"""


def test_what_a_notice_says_stands_on_the_article_and_only_a_retraction_retracts(tmp_path: Path) -> None:
    (tmp_path / "whole.xml").write_text(HEAD.replace("KIND", "research-article") + PARTS)
    said = {
        "expression-of-concern": "object-of-concern",
        "partial-retraction": "partial-retraction",
        "correction": "corrected-article",
    }
    for kind, relation in said.items():
        text = HEAD.replace("KIND", kind) + NOTICE.replace("DOI", f"10.1/{kind}").replace("RELATION", relation)
        (tmp_path / f"{kind}.xml").write_text(text)
    curate("run", write_recipe(tmp_path, RUN), "--run-dir", tmp_path / "run", "--workers", 1)
    frame = pl.read_parquet(tmp_path / "run/curated/*.parquet")
    article = frame.row(by_predicate=pl.col("doi") == "10.1/whole", named=True)
    assert article["notices"] == [f"{kind} by 10.1/{kind}" for kind in sorted(said)]
    assert not article["retracted"]
    notice = frame.row(by_predicate=pl.col("doi") == "10.1/correction", named=True)
    assert notice["notices"] == ["correction of 10.1/whole"]


MEDLINE = """<?xml version="1.0"?><!DOCTYPE PubmedArticleSet SYSTEM "x.dtd"><PubmedArticleSet>
<PubmedArticle><MedlineCitation><PMID Version="2">11</PMID><Article><Journal><ISSN>1234-5678</ISSN><JournalIssue><PubDate>
<MedlineDate>2019 Mar-Apr</MedlineDate></PubDate></JournalIssue><Title>A journal</Title></Journal><ArticleTitle>[Rest and <i>sleep</i>].</ArticleTitle>
<Abstract><AbstractText Label="AIM">To see 10<sup>9</sup>/L.</AbstractText><AbstractText>Done.</AbstractText></Abstract>
<VernacularTitle>Ruhe und Schlaf.</VernacularTitle><ELocationID EIdType="doi">10.1/Rest</ELocationID></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Sleep</DescriptorName><QualifierName>physiology</QualifierName></MeshHeading></MeshHeadingList>
<OtherAbstract Type="Publisher" Language="spa"><AbstractText>Hecho.</AbstractText></OtherAbstract></MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID>12</PMID><Article><ArticleTitle>Retraction of rest.</ArticleTitle></Article><CommentsCorrectionsList>
<CommentsCorrections RefType="RetractionOf"><RefSource>x</RefSource><PMID>11</PMID></CommentsCorrections></CommentsCorrectionsList></MedlineCitation></PubmedArticle>
<DeleteCitation><PMID>13</PMID><PMID>14</PMID></DeleteCitation></PubmedArticleSet>"""


def test_pubmed_citations_are_documents_and_notices_go_by_number(tmp_path: Path) -> None:
    first, notice, gone = read(tmp_path, "pubmed26n0001.xml", MEDLINE).rows(named=True)
    assert first["text"] == (
        "# [Rest and sleep].\n\nRuhe und Schlaf.\n\n## Abstract\n\nAIM: To see 10^9/L.\n\nDone.\n\n"
        "## Abstract (spa)\n\nHecho.\n\nMeSH: Sleep/physiology"
    )
    assert (first["doi"], first["issn"], first["published"]) == ("10.1/rest", "1234-5678", "2019-03")
    assert (first["series"], first["edition"]) == ("pmid:11", "2")
    assert notice["retracts"] == ["pmid:11"]
    assert gone["retracts"] == ["pmid:13", "pmid:14"]
    curate("run", write_recipe(tmp_path, RUN), "--run-dir", tmp_path / "run", "--workers", 1)
    frame = pl.read_parquet(tmp_path / "run/curated/*.parquet")
    retracted = frame.row(by_predicate=pl.col("series") == "pmid:11", named=True)
    assert retracted["retracted"]
    assert retracted["notices"] == ["retraction by pmid:12"] or retracted["notices"][0].startswith("retraction by")


def test_a_cut_file_gives_the_citations_before_the_cut(tmp_path: Path) -> None:
    (tmp_path / "cut.xml").write_text(MEDLINE[: MEDLINE.index("<DeleteCitation>") - 40])
    curate("run", write_recipe(tmp_path, RUN), "--run-dir", tmp_path / "run", "--workers", 1, status=(0, 3))
    frame = pl.read_parquet(tmp_path / "run/curated/*.parquet")
    broken = pl.read_parquet(tmp_path / "run/quarantined/*.parquet")
    assert frame["series"].to_list() == ["pmid:11"]
    assert "after 1 citations" in json.dumps(broken["error"].to_list())


CITING = """<article article-type="research-article"><front><article-meta><title-group><article-title>T</article-title></title-group></article-meta></front>
<body><p>Risk fell by 12%<sup><xref ref-type="bibr" rid="a">3</xref>,<xref ref-type="bibr" rid="b">4</xref></sup> in most trials
[<xref ref-type="bibr" rid="c">7</xref>,<xref ref-type="bibr" rid="d">9</xref>] and in ours <xref ref-type="bibr" rid="e">11</xref>.</p></body></article>"""


def test_citations_are_left_out_or_kept_in_brackets_as_the_recipe_says(tmp_path: Path) -> None:
    page = "<html><body><p>Risk fell by 12%<sup>3,4</sup> in all trials<a href='#r1'><sup>[7]</sup></a>, at 5 m<sup>2</sup>.</p></body></html>"
    for name, content, without, kept in (
        ("a.xml", CITING, "Risk fell by 12% in most trials and in ours.", "Risk fell by 12% [3, 4] in most trials [7, 9] and in ours [11]."),
        ("a.html", page, "Risk fell by 12% in all trials, at 5 m^2.", "Risk fell by 12% [3, 4] in all trials [7], at 5 m^2."),
    ):  # fmt: skip
        assert without in read(tmp_path, name, content)["text"][0]
        assert kept in read(tmp_path, name, content, citations="keep")["text"][0]
