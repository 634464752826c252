"""Grades with their reasons; series and editions in titles and file names."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from filters.authority import authority, authority_table
from filters.editions import editions, series_of_title, series_of_uri
from schemas.errors import WrongCall
from tests.conftest import batch


@pytest.mark.parametrize(
    ("columns", "text", "grade", "because"),
    [
        ({"source_type": "guideline", "publisher": "World Health Organization"}, "x", "A", "international body"),
        ({"source_type": "drug_label"}, "x", "A", "label"),
        (
            {"source_type": "literature", "title": "Statins: a systematic review and meta-analysis"},
            "x",
            "A",
            "systematic review",
        ),
        ({"source_type": "literature", "title": "阿司匹林预防卒中的随机对照试验"}, "x", "B", "randomised trial"),
        (
            {"source_type": "literature", "title": "Aspirin"},
            "Patients were randomly assigned to groups.",
            "B",
            "randomised",
        ),
        (
            {"source_type": "literature", "title": "Aspirin in mice"},
            "Mice were randomly assigned to groups.",
            "C",
            "another design",
        ),
        (
            {"source_type": "literature", "title": "Smoking and cancer: a prospective cohort study"},
            "x",
            "C",
            "observational",
        ),
        ({"source_type": "literature", "title": "罕见病1例"}, "x", "D", "case report"),
        ({"source_type": "literature", "title": "Trial protocol of a randomised trial"}, "x", "C", "another design"),
        ({"source_type": "literature", "article_type": "editorial", "title": "A randomised view"}, "x", "D", "opinion"),
        (
            {"source_type": "literature", "publisher": "ChinaXiv (preprints)", "title": "随机对照试验"},
            "x",
            "D",
            "preprint",
        ),
        ({"source_type": "literature", "retracted": True, "title": "A meta-analysis"}, "x", "E", "retracted"),
        ({"source_type": "textbook"}, "x", "B", "textbook"),
        ({"source_type": "textbook", "licence": "public-domain"}, "x", "C", "classical"),
        ({"source_type": "web", "publisher": "Mayo Clinic"}, "x", "D", "professional body"),
        ({"source_type": "web"}, "x", "E", "web page"),
        ({"source_type": "guideline", "published": "2009-01-01"}, "x", "B", "older than ten years"),
        ({"source_type": "web", "authority": "B"}, "x", "B", "given by the recipe"),
    ],
)
def test_grades(columns: dict[str, object], text: str, grade: str, because: str) -> None:
    outcome = authority(batch([text], **columns), as_of=2026)
    assert outcome.columns["authority"][0] == grade
    assert because in outcome.columns["authority_reason"][0]


def test_a_teams_table_lies_over_the_bundled_one(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "publishers: {1: 'My Hospital'}\njournals: {'1234-5678': {name: Mine, tier: 4}, '8765-4321': {name: High, tier: 3, impact: 40}}\n"
        "rules: [{grade: C, when: {source_type: [web], title: '(?i)faq'}, because: our questions},\n"
        "  {grade: B, when: {source_type: [literature], impact: '>= 30'}, because: high impact}]\n"
    )
    ours = authority(batch(["x"], source_type="web", title="FAQ"), table=str(path))
    body = authority(batch(["x"], source_type="web", publisher="My Hospital"), table=str(path))
    doubtful = authority(batch(["x"], source_type="literature", issn="0000-0000; 1234-5678"), table=str(path))
    high = authority(batch(["x"], source_type="literature", issn="8765-4321"), table=str(path))
    assert [one.columns["authority"][0] for one in (ours, body, doubtful, high)] == ["C", "C", "D", "B"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("rules: [{grade: F, when: {source_type: [web]}, because: x}]", "rules"),
        ("rule: []", "rule"),
        (
            "rules: [{grade: A, when: {source_type: [web]}, because: x}, {grade: B, when: {source_type: [web]}, because: y}]",
            "gives B where",
        ),
        ("publishers: {1: '('}", "no regular expression"),
        ("rules: [", "authority table"),
    ],
)
def test_wrong_and_contradictory_tables_are_refused(tmp_path: Path, body: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(body)
    with pytest.raises(WrongCall, match=told):
        authority_table(str(path))


@pytest.mark.parametrize(
    ("title", "series", "edition"),
    [
        ("Guideline on asthma, 2019 edition", "guideline on asthma", "00002019"),
        ("Guideline on asthma (3rd edition)", "guideline on asthma", "00000003"),
        ("中国高血压防治指南（2023年修订版）", "中国高血压防治指南", "00002023"),
        ("内科学 第十二版", "内科学", "00000012"),
        ("Handbook of cardiology, version 2.1", "handbook of cardiology", "00000002.001"),
        ("Handbook of cardiology, second edition", "handbook of cardiology", "00000002"),
    ],
)
def test_titles_name_their_edition(title: str, series: str, edition: str) -> None:
    assert series_of_title(title) == (series, edition)


def test_titles_and_names_without_editions() -> None:
    assert series_of_title("Management of asthma in adults") is None
    assert series_of_uri("a/ChinaXiv-201604.00015V3.md") == ("chinaxiv-201604.00015", "00000003")
    assert series_of_uri("2508.11894v2.pdf") == ("2508.11894", "00000002")
    assert series_of_uri("notes.md") is None


def test_the_step_keeps_what_a_source_said_and_takes_a_pattern() -> None:
    columns = {"source_type": "guideline", "title": "Guideline on asthma, 2019 edition", "language": "en"}
    assert editions(batch(["x"], **columns)).columns["series"][0] == "guideline:en:guideline on asthma"
    assert editions(batch(["x"], **columns, series="s", edition="1")).columns["series"][0] == "s"
    own = editions(batch(["x"], **columns | {"uri": "asthma-r7.txt"}), pattern=r"(?P<series>\w+)-r(?P<edition>\d+)")
    assert (own.columns["series"][0], own.columns["edition"][0]) == ("asthma", "00000007")
    with pytest.raises(WrongCall, match="needs the groups"):
        editions(batch(["x"]), pattern="(a)")
    assert editions(batch([])).columns["series"].dtype == pl.String
