"""One small file of each further format, for the sample: Office, books, labels, wikis, papers, studies, pathways."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Mapping

from pptx import Presentation
from pptx.util import Inches

STAMP = (2026, 1, 1, 0, 0, 0)
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A zip file with fixed times, its first member stored (as `mimetype` must be)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, data) in enumerate(members.items()):
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED if number else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return buffer.getvalue()


def docx() -> bytes:
    """Anaphylaxis: headings, a list, a table with a spanning cell, a footnote, a formula, a raised figure."""

    def paragraph(words: str, style: str = "", more: str = "") -> str:
        look = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{look}<w:r><w:t>{words}</w:t></w:r>{more}</w:p>"

    def cell(words: str, span: int = 1) -> str:
        look = f'<w:tcPr><w:gridSpan w:val="{span}"/></w:tcPr>' if span > 1 else ""
        return f"<w:tc>{look}{paragraph(words)}</w:tc>"

    note = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:footnoteReference w:id="2"/></w:r>'
    power = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r>'
    formula = (
        "<m:oMath><m:r><m:t>BMI=</m:t></m:r><m:f><m:num><m:r><m:t>weight</m:t></m:r></m:num>"
        "<m:den><m:sSup><m:e><m:r><m:t>height</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:den></m:f></m:oMath>"
    )
    rows = [
        f"<w:tr>{cell('Age')}{cell('Adrenaline into the thigh muscle', 2)}</w:tr>",
        f"<w:tr>{cell('')}{cell('dose')}{cell('volume of 1 mg/mL')}</w:tr>",
        f"<w:tr>{cell('under 6 years')}{cell('150 micrograms')}{cell('0.15 mL')}</w:tr>",
        f"<w:tr>{cell('6 to 12 years')}{cell('300 micrograms')}{cell('0.3 mL')}</w:tr>",
        f"<w:tr>{cell('over 12 years')}{cell('500 micrograms')}{cell('0.5 mL')}</w:tr>",
    ]
    body = "".join((
        paragraph("Anaphylaxis: a guideline for the ward", "Title"),
        paragraph("Recognise it", "Heading1"),
        paragraph(
            "Think of anaphylaxis when an illness begins suddenly and the airway, the breathing or the circulation is in danger. "
            "Skin changes are usual, yet one patient in five has none.", more=note,
        ),
        paragraph("Treat it", "Heading1"),
        paragraph("Call for help, lay the patient flat and give adrenaline into the muscle of the thigh at once. "
                  "Repeat after five minutes where nothing has improved. Antihistamines are no treatment of the first hour."),
        f"<w:tbl>{''.join(rows)}</w:tbl>",
        paragraph("Give a crystalloid, 500 mL to an adult and 10 mL/kg to a child, where the circulation fails. "
                  "Doses by surface count in mg/m", more=power),
        f"<w:p><w:r><w:t>Weight matters for later doses: </w:t></w:r>{formula}</w:p>",
        paragraph("Observe for at least six hours, take blood for tryptase, and send nobody home without two injectors."),
    ))  # fmt: skip
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
        for key, name in (("Title", "Title"), ("Heading1", "heading 1"))
    )
    return zipped({
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {W} {M}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "word/footnotes.xml": f'<w:footnotes {W}><w:footnote w:id="2">{paragraph("Invented share, for this sample.")}</w:footnote></w:footnotes>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/styles" Target="styles.xml"/><Relationship Id="r2" Type="{OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>',
    })  # fmt: skip


def odt() -> bytes:
    """Asthma in Chinese: headings, a numbered list, a table, a note."""
    space = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
        for name, uri in (("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"))
    )
    body = (
        '<text:h text:outline-level="1">支气管哮喘急性发作处理指南（样例）</text:h>'
        "<text:p>急性发作时先评估说话、心率和血氧饱和度，能否说完整句子是最简单的分级依据。<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>本文为样例，不用于临床。</text:p></text:note-body></text:note></text:p>"
        '<text:list text:style-name="L1"><text:list-item><text:p>立即吸入短效支气管舒张剂，二十分钟后可重复。</text:p></text:list-item>'
        "<text:list-item><text:p>中度以上发作尽早口服糖皮质激素，连用五到七天。</text:p></text:list-item>"
        "<text:list-item><text:p>血氧饱和度低于百分之九十二时吸氧并送急诊。</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>程度</text:p></table:table-cell><table:table-cell><text:p>说话</text:p></table:table-cell>"
        "<table:table-cell><text:p>心率（次/分）</text:p></table:table-cell></table:table-row>"
        "<table:table-row><table:table-cell><text:p>轻度</text:p></table:table-cell><table:table-cell><text:p>成句</text:p></table:table-cell><table:table-cell><text:p>低于100</text:p></table:table-cell></table:table-row>"
        "<table:table-row><table:table-cell><text:p>重度</text:p></table:table-cell><table:table-cell><text:p>单字</text:p></table:table-cell><table:table-cell><text:p>高于120</text:p></table:table-cell></table:table-row></table:table>"
        "<text:p>出院前检查吸入技术，安排一周内复诊，并给患者书面的行动计划。控制不佳的患者应先核对用药依从性，再考虑升级治疗。</text:p>"
    )
    lists = '<text:list-style style:name="L1"><text:list-level-style-number text:level="1"/></text:list-style>'
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f"<office:document-content {space}><office:automatic-styles>{lists}</office:automatic-styles><office:body><office:text>{body}</office:text></office:body></office:document-content>",
        "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/></manifest:manifest>',
    })  # fmt: skip


RTF = r"""{\rtf1\ansi\ansicpg1252{\info{\title Pathway for hip fracture}}
{\pard\outlinelevel0 Pathway for a broken hip\par}
{\pard On the day of admission the pathway asks for pain relief within thirty minutes, a nerve block before any move, and an
 X-ray within two hours. Blood is taken for haemoglobin, and white cells above 12 \'d7 10{\super 9}/L are looked
 into.{\footnote The figures of this sample are invented.} The operation follows on the same or the next day, since each further day adds to the risk
 of pneumonia and of death.\par}
\trowd\cellx2000\cellx5000\pard\intbl Day\cell Aim\cell\row
\trowd\cellx2000\cellx5000\pard\intbl 0\cell nerve block, fluids, theatre planned\cell\row
\trowd\cellx2000\cellx5000\pard\intbl 1\cell out of bed, food, bone protection discussed\cell\row
{\pard A geriatrician sees every patient within three days, looks for the cause of the fall, and stops drugs that lower the
 blood pressure or cloud the mind. Delirium is looked for twice a day.\par}}
"""


def pptx() -> bytes:
    """A lecture of two slides on fluids: points in two levels, a table, speaker's notes."""
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Fluids: what a litre does"
    frame = first.placeholders[1].text_frame
    frame.text = "Glucose 5% spreads over all the water of the body, so little of it stays in the vessels"
    for level, words in (
        (1, "about 80 mL of each litre"),
        (0, "Saline 0.9% stays outside the cells, and a quarter of it in the vessels"),
        (0, "Too much chloride makes the blood sour and the kidney slow"),
    ):
        line = frame.add_paragraph()
        line.text, line.level = words, level
    first.notes_slide.notes_text_frame.text = "Ask the students which fluid they would give to a patient with vomiting."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "What is in them"
    rows = [("Fluid", "Sodium, mmol/L", "Chloride, mmol/L"), ("Saline 0.9%", "154", "154"), ("Ringer's lactate", "130", "109"), ("Glucose 5%", "0", "0")]  # fmt: skip
    table = second.shapes.add_table(len(rows), 3, Inches(1), Inches(2), Inches(7), Inches(2)).table
    for at, row in enumerate(rows):
        for column, words in enumerate(row):
            table.cell(at, column).text = words
    buffer = io.BytesIO()
    deck.save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist() if not name.endswith(".jpeg")})


BITS = """<?xml version="1.0"?><!DOCTYPE book PUBLIC "-//NLM//DTD BITS Book Interchange DTD v2.1//EN" "BITS-book2.dtd">
<book xmlns:xlink="http://www.w3.org/1999/xlink"><book-meta><book-id>sample-kidney</book-id><book-title-group><book-title>The kidney in short (sample)</book-title></book-title-group>
<pub-date><year>2025</year></pub-date><edition>2</edition><publisher><publisher-name>Sample Press</publisher-name></publisher>
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>CC BY 4.0</license-p></license></permissions></book-meta>
<book-body><book-part book-part-type="chapter" id="ch1"><book-part-meta><title-group><label>1</label><title>Acute kidney injury</title></title-group></book-part-meta>
<body><p>Acute kidney injury is a rise of creatinine by half within a week, or less than half a millilitre of urine for each kilogram and hour over six hours<xref ref-type="bibr" rid="b1"><sup>1</sup></xref>.</p>
<sec><title>Causes</title><list list-type="bullet"><list-item><p>before the kidney: too little blood, as in bleeding, diarrhoea or heart failure</p></list-item>
<list-item><p>in the kidney: drugs, contrast, inflammation</p></list-item><list-item><p>behind the kidney: a stone, a prostate, a blocked catheter</p></list-item></list></sec>
<sec><title>What to do</title><p>Stop what harms, fill what is empty, empty what is full. An ultrasound on the first day finds what can be drained. Potassium above 6.5 mmol/L with changes in the tracing is treated before anything else.</p></sec></body></book-part>
<book-part book-part-type="chapter" id="ch2"><book-part-meta><title-group><label>2</label><title>Protein in the urine</title></title-group></book-part-meta>
<body><p>More than thirty milligrams of albumin for each gram of creatinine is too much. It foretells the loss of kidneys and the failure of hearts better than the creatinine of the blood does, and it falls when the blood pressure is lowered with drugs that act on angiotensin.</p>
<table-wrap><label>Table 1</label><caption><p>Stages of albuminuria</p></caption><table><tr><th>Stage</th><th>mg/g</th></tr><tr><td>A1</td><td>under 30</td></tr><tr><td>A2</td><td>30 to 300</td></tr><tr><td>A3</td><td>over 300</td></tr></table></table-wrap></body></book-part></book-body></book>
"""

SPL = """<?xml version="1.0" encoding="UTF-8"?><document xmlns="urn:hl7-org:v3"><id root="0"/><code code="34391-3" codeSystem="2.16.840.1.113883.6.1" displayName="HUMAN PRESCRIPTION DRUG LABEL"/>
<title>SAMPLOXIN (samploxin) tablet<br/>an invented label</title><effectiveTime value="20250301"/><setId root="11111111-2222-3333-4444-555555555555"/><versionNumber value="3"/>
<author><assignedEntity><representedOrganization><name>Sample Pharmaceuticals</name></representedOrganization></assignedEntity></author>
<component><structuredBody><component><section><code code="48780-1" displayName="SPL LISTING DATA ELEMENTS SECTION"/><subject><manufacturedProduct><manufacturedProduct><name>Samploxin</name><formCode displayName="TABLET"/>
<asEntityWithGeneric><genericMedicine><name>samploxin</name></genericMedicine></asEntityWithGeneric><ingredient classCode="ACTIB"><quantity><numerator value="50" unit="mg"/><denominator value="1" unit="1"/></quantity><ingredientSubstance><name>SAMPLOXIN</name></ingredientSubstance></ingredient></manufacturedProduct></manufacturedProduct></subject></section></component>
<component><section><code code="34067-9" displayName="INDICATIONS &amp; USAGE SECTION"/><title>1 INDICATIONS AND USAGE</title><text><paragraph>Samploxin is an invented tablet for pain in adults who cannot take a usual one. It shortens no illness and cures none.</paragraph></text></section></component>
<component><section><code code="34068-7" displayName="DOSAGE &amp; ADMINISTRATION SECTION"/><title>2 DOSAGE AND ADMINISTRATION</title><text><table><caption>Dose by kidney function</caption><tbody><tr><td>Clearance, mL/min</td><td>Dose</td></tr><tr><td>over 60</td><td>50 mg twice a day</td></tr><tr><td>30 to 60</td><td>50 mg once a day</td></tr><tr><td>under 30</td><td>not to be used</td></tr></tbody></table></text></section></component>
<component><section><code code="34070-3" displayName="CONTRAINDICATIONS SECTION"/><title>4 CONTRAINDICATIONS</title><text><list><item>bleeding from the stomach at any time</item><item>the last three months of pregnancy</item></list></text></section></component></structuredBody></component></document>
"""

WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"><siteinfo><sitename>Sample wiki</sitename><base>https://wiki.example.org/wiki/Main_Page</base></siteinfo>
<page><title>Iron deficiency</title><ns>0</ns><id>1</id><revision><id>12</id><timestamp>2025-02-01T10:00:00Z</timestamp><model>wikitext</model><text xml:space="preserve">{{Infobox medical condition|name=Iron deficiency}}
'''Iron deficiency''' is the want of [[iron]] in the body, and the most common cause of [[Anaemia|anaemia]].&lt;ref&gt;A source.&lt;/ref&gt; Ferritin under {{convert|30|ug/L}} shows it where there is no inflammation.
== Causes ==
* loss of blood, by heavy periods or from the bowel
* a need that grows, as in pregnancy
** and in the first two years of life
* food with little iron in it
== Treatment ==
{| class="wikitable"
! Way !! Dose of iron
|-
| by mouth || 60 to 100 mg every other day
|-
| into a vein || 1,000 mg once
|}
The cause is always looked for, and in men and older women the bowel is looked into. Haemoglobin is expected to rise by 20 g/L within a month.
== References ==
{{reflist}}
[[Category:Haematology]]</text></revision></page>
<page><title>Sideropenia</title><ns>0</ns><id>2</id><redirect title="Iron deficiency"/><revision><id>13</id><timestamp>2025-02-01T10:00:00Z</timestamp><text>#REDIRECT [[Iron deficiency]]</text></revision></page></mediawiki>
"""

TEI = """<?xml version="1.0" encoding="UTF-8"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader xml:lang="en"><fileDesc><titleStmt><title level="a" type="main">Walking after a stroke: a sample paper as GROBID reads it</title></titleStmt>
<publicationStmt><publisher>Sample Press</publisher><availability><licence target="https://creativecommons.org/licenses/by/4.0/"><p>CC BY</p></licence></availability><date type="published" when="2024-05-06">6 May 2024</date></publicationStmt>
<sourceDesc><biblStruct><analytic><idno type="DOI">10.9999/sample.walk</idno></analytic><monogr><title level="j">Journal of Samples</title></monogr></biblStruct></sourceDesc></fileDesc>
<profileDesc><abstract><p>Forty people who had had a stroke walked on a treadmill or on a corridor for six weeks. Both groups walked further in the end.</p></abstract></profileDesc></teiHeader>
<text xml:lang="en"><body><div><head n="1">Introduction</head><p>Most people who survive a stroke want to walk first of all <ref type="bibr">[1]</ref>. Whether a machine helps more than a corridor is not known (<ref type="bibr">Doe, 2019</ref>), and corridors are cheap.</p></div>
<div><head n="2">Results</head><p>The distance grew by 48 m on the treadmill and by 45 m on the corridor. Nobody fell.</p>
<figure type="table"><head>Table 1</head><figDesc>Distance walked in six minutes.</figDesc><table><row><cell>Group</cell><cell>before, m</cell><cell>after, m</cell></row><row><cell>treadmill</cell><cell>210</cell><cell>258</cell></row><row><cell>corridor</cell><cell>215</cell><cell>260</cell></row></table></figure></div></body>
<back><div type="references"><listBibl><biblStruct><analytic><title>Hidden reference</title></analytic></biblStruct></listBibl></div></back></text></TEI>
"""

PUBMED = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">99999991</PMID><Article><Journal><ISSN>0000-0000</ISSN><JournalIssue><PubDate><Year>2024</Year><Month>Mar</Month></PubDate></JournalIssue><Title>Journal of Samples</Title></Journal>
<ArticleTitle>Salt in the diet of people with heart failure: an invented trial.</ArticleTitle><Abstract><AbstractText Label="BACKGROUND">Whether less salt helps people with heart failure is not settled, and diets without salt are hard to keep.</AbstractText><AbstractText Label="RESULTS">Of 120 people half ate less than 5 g of salt a day. After a year 14 and 15 had been admitted. Weight, thirst and the need for diuretics were the same in both groups.</AbstractText><AbstractText Label="CONCLUSIONS">In this invented trial less salt changed nothing that patients feel.</AbstractText></Abstract><PublicationTypeList><PublicationType>Randomized Controlled Trial</PublicationType></PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Heart Failure</DescriptorName><QualifierName>diet therapy</QualifierName></MeshHeading></MeshHeadingList></MedlineCitation></PubmedArticle></PubmedArticleSet>
"""

STUDY = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCT99999999",
            "briefTitle": "Light in the Morning for Sleep After Surgery (Invented)",
        },
        "statusModule": {"overallStatus": "COMPLETED", "lastUpdatePostDateStruct": {"date": "2025-01-10"}},
        "conditionsModule": {"conditions": ["Insomnia", "Postoperative Delirium"]},
        "descriptionModule": {
            "briefSummary": "People sleep badly after an operation. This invented study asks whether bright light in the morning "
            "lets them sleep longer at night, and whether fewer become confused."
        },
        "designModule": {"studyType": "INTERVENTIONAL", "phases": ["NA"], "enrollmentInfo": {"count": 60, "type": "ACTUAL"}},
        "armsInterventionsModule": {
            "armGroups": [{"label": "Bright light", "type": "EXPERIMENTAL", "description": "10,000 lux for 30 minutes at 8 in the morning"}],
            "interventions": [{"type": "DEVICE", "name": "Lamp"}],
        },
        "outcomesModule": {"primaryOutcomes": [{"measure": "Hours of sleep", "timeFrame": "five nights"}]},
        "eligibilityModule": {"eligibilityCriteria": "Inclusion Criteria:\n\n* over 60 years\n* an operation of the hip\n\nExclusion Criteria:\n\n* blindness", "sex": "ALL", "minimumAge": "60 Years"},
    }
}  # fmt: skip

GPML = """<?xml version="1.0" encoding="UTF-8"?><Pathway xmlns="http://pathvisio.org/GPML/2013a" Name="Iron uptake in the gut (sample)" Organism="Homo sapiens" Version="WP99999_r7" Last-Modified="20250101000000" Data-Source="Sample">
<Comment Source="WikiPathways-description">Iron of the food is reduced at the surface of the gut cell, carried in, stored or let out into the blood. Hepcidin, made by the liver, closes the gate to the blood when the body has enough, and in inflammation.</Comment>
<DataNode TextLabel="DCYTB" GraphId="a" Type="Protein"/><DataNode TextLabel="DMT1" GraphId="b" Type="Protein"/><DataNode TextLabel="Ferroportin" GraphId="c" Type="Protein"/><DataNode TextLabel="Hepcidin" GraphId="d" Type="Protein"/><DataNode TextLabel="Fe2+" GraphId="e" Type="Metabolite"/>
<Interaction GraphId="i"><Graphics><Point GraphRef="a"/><Point GraphRef="e" ArrowHead="mim-catalysis"/></Graphics></Interaction>
<Interaction GraphId="j"><Graphics><Point GraphRef="d"/><Point GraphRef="c" ArrowHead="mim-inhibition"/></Graphics></Interaction></Pathway>
"""


def files() -> dict[str, str | bytes]:
    """Path in the sample, and content."""
    return {
        "guidelines/anaphylaxis.docx": docx(),
        "guidelines/asthma-zh.odt": odt(),
        "pathways/hip-fracture.rtf": RTF,
        "textbooks/fluids.pptx": pptx(),
        "textbooks/kidney.xml": BITS,
        "labels/samploxin.xml": SPL,
        "encyclopedia/wiki.xml": WIKI,
        "literature/walking.tei.xml": TEI,
        "literature/pubmed.xml.gz": gzip.compress(PUBMED.encode(), mtime=0),
        "knowledge/light.json": json.dumps(STUDY, indent=1),
        "knowledge/iron.gpml": GPML,
    }
