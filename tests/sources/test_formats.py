"""Further formats: what stands in the sample's files comes out whole, under its headings, with its dates and marks."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames
from tests.conftest import SAMPLE
from tests.pipelines.test_readers import read

EXPECTED = {
    "guidelines/anaphylaxis.docx": [
        "# Anaphylaxis: a guideline for the ward\n\n# Recognise it",
        "yet one patient in five has none. [1]",
        "Age | Adrenaline into the thigh muscle | Adrenaline into the thigh muscle\n | dose | volume of 1 mg/mL\n",
        "mg/m^2",
        "BMI=weight/(height^2)",
        "1. Invented share, for this sample.",
    ],
    "guidelines/asthma-zh.odt": ["# 支气管哮喘急性发作处理指南（样例）", "依据。 [1]", "1. 立即吸入", "重度 | 单字 | 高于120", "[1] 本文为样例"],
    "pathways/hip-fracture.rtf": ["# Pathway for a broken hip", "12 × 10^9/L are looked into. [1] The", "Day | Aim\n0 | nerve block", "[1] The figures"],
    "textbooks/fluids.pptx": ["## Fluids: what a litre does", "  - about 80 mL of each litre\n- Saline", "Ask the students", "Glucose 5% | 0 | 0"],
    "labels/samploxin.xml": ["Samploxin: tablet, samploxin, SAMPLOXIN 50 mg", "Dose by kidney function\nClearance, mL/min | Dose", "- the last three months"],
    "literature/walking.tei.xml": ["## Abstract", "walk first of all.", "(Doe, 2019)", "treadmill | 210 | 258"],
    "knowledge/light.json": ["Conditions: Insomnia; Postoperative Delirium", "- Bright light (experimental): 10,000 lux", "- over 60 years\n- an operation"],
    "knowledge/iron.gpml": ["Organism: Homo sapiens", "- Hepcidin inhibits Ferroportin", "Metabolites: Fe2+"],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_all_that_a_file_says_stands_in_its_text(tmp_path: Path, name: str) -> None:
    (row,) = read(tmp_path, name.rpartition("/")[2], (SAMPLE / name).read_bytes()).rows(named=True)
    for part in EXPECTED[name]:
        assert part in row["text"]
    assert "Hidden reference" not in row["text"]


def test_chapters_of_a_book_are_documents_with_its_date_and_licence(tmp_path: Path) -> None:
    frame = read(tmp_path, "kidney.xml", (SAMPLE / "textbooks/kidney.xml").read_bytes())
    assert frame["title"].to_list() == ["Acute kidney injury", "Protein in the urine"]
    assert set(frame["licence"]) == {"CC-BY-4.0"}
    assert frame["series"].n_unique() == 2, "an edition replaces its own chapter and no other"
    assert "six hours.\n\n## Causes" in frame["text"][0]
    assert "A3 | over 300" in frame["text"][1]


def test_a_wiki_gives_articles_and_drops_redirects_with_their_aim(tmp_path: Path) -> None:
    frame = read(tmp_path, "wiki.xml", (SAMPLE / "encyclopedia/wiki.xml").read_bytes())
    article, redirect = frame.rows(named=True)
    assert article["dropped_by"] is None
    assert "anaemia. Ferritin under 30 ug/L shows it" in article["text"]
    assert "- a need that grows, as in pregnancy\n  - and in the first two years of life" in article["text"]
    assert "by mouth | 60 to 100 mg every other day" in article["text"]
    assert "References" not in article["text"]
    assert (redirect["dropped_by"], redirect["drop_reason"]) == ("read", "a redirect to Iron deficiency")


def test_chinese_variants_and_templates_of_a_wiki_are_read_as_shown(tmp_path: Path) -> None:
    source = "'''糖尿病'''（{{lang-en|diabetes}}）是-{zh-hans:信息;zh-hant:資訊}-。{{Infobox|a=b}}\n\n== 症状 ==\n#多饮\n#多尿\n[[File:a.jpg|thumb|图]]"
    text = read(tmp_path, "a.wiki", source)["text"][0]
    assert text == "糖尿病（diabetes）是信息。\n\n## 症状\n\n1. 多饮\n1. 多尿"


def error_of(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    source = Source(name="s", files=[name], source_type="literature")
    pairs = [pair for file in find_inputs(source, folder) for pair in read_frames(file, source)]
    broken = pl.concat(one for _, one in pairs)
    assert not any(documents.height for documents, _ in pairs)
    assert broken.height == 1
    return str(broken["error"][0])


def changed(name: str, part: str, content: bytes) -> bytes:
    """A zip document with one part replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(SAMPLE / name) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for one in archive.namelist():
            copy.writestr(one, content if one == part else archive.read(one))
    return out.getvalue()


LAUGHS = b'<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;">]><a>&m;</a>'


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.docx", changed("guidelines/anaphylaxis.docx", "word/document.xml", LAUGHS), "declares entities"),
        ("a.docx", changed("guidelines/anaphylaxis.docx", "word/document.xml", b"<w:document"), "not well-formed XML"),
        ("a.docx", changed("guidelines/anaphylaxis.docx", "word/document.xml", b"<a>" * 9000), "nested deeper"),
        ("a.docx", changed("guidelines/anaphylaxis.docx", "word/document.xml", b" " * (300 << 20)), "bomb"),
        ("a.docx", (SAMPLE / "guidelines/anaphylaxis.docx").read_bytes()[:900], "truncated or corrupt"),
        ("a.odt", changed("guidelines/asthma-zh.odt", "content.xml", LAUGHS), "declares entities"),
        ("a.odt", (SAMPLE / "guidelines/asthma-zh.odt").read_bytes()[:700], "truncated or corrupt"),
        ("a.pptx", changed("textbooks/fluids.pptx", "ppt/slides/slide1.xml", LAUGHS), "declares entities"),
        ("a.pptx", (SAMPLE / "textbooks/fluids.pptx").read_bytes()[:9000], "truncated or corrupt"),
        ("a.rtf", b"{\\rtf1 cut in the middle {\\b of", "truncated"),
        ("a.rtf", b"{\\rtf1 " + b"{" * 20_000 + b"}" * 20_001, "nested deeper"),
        ("a.doc", bytes.fromhex("d0cf11e0a1b11ae1") + "WordDocument".encode("utf-16-le"), "save it as .docx"),
        ("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("a.xml", b'<document xmlns="urn:hl7-org:v3"><title>A', "not well-formed XML"),
        ("a.json", b'{"protocolSection": {"identificationModule": {"nctId": "NCT1"', "not valid JSON"),
        ("a.json", b'{"protocolSection": {"identificationModule": []}}', "not a study"),
        ("a.xml", b"<mediawiki><page><title>A</title>", "not well-formed XML"),
        ("a.xml", LAUGHS.replace(b"<a>", b"<mediawiki>"), "declares entities"),
        ("a.gpml", b'<Pathway xmlns="http://pathvisio.org/GPML/2013a"/>', "no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)  # fmt: skip
def test_hostile_and_broken_files_are_told_by_name(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    assert reason in error_of(tmp_path, name, data)
