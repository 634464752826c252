"""Write `examples/sample/`: some sixty documents of our own in every format the readers know.

Run as `python examples/make_sample.py`; what it writes is committed. The PDF is printed by headless
Chromium, and kept as it is where Chromium is absent. Bytes are the same on every run but for that.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import polars as pl
import sample_answers as answers
import sample_conversations as talks
import sample_formats
import sample_texts_en as en
import sample_texts_zh as zh
import zstandard

ROOT = Path(__file__).parent / "sample"
STAMP = (2026, 1, 1, 0, 0, 0)


def put(name: str, content: str | bytes, encoding: str = "utf-8") -> None:
    """Write one file of the sample."""
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def lines_of(rows: list[dict[str, object]]) -> str:
    """Rows as JSON lines."""
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def zipped(members: dict[str, str], stored_first: bool = False) -> bytes:
    """A zip archive with fixed times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, text) in enumerate(members.items()):
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_STORED if stored_first and number == 0 else zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return buffer.getvalue()


def tarred(members: dict[str, str]) -> bytes:
    """A tar archive with fixed times, compressed by zstd."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in members.items():
            data = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return zstandard.ZstdCompressor(level=10).compress(buffer.getvalue())


def epub(title: str, chapters: list[tuple[str, list[str]]]) -> bytes:
    """A small EPUB whose file names do not follow the order of its spine."""
    names = [f"c{len(chapters) - number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in sorted(names))
    spine = "".join(f'<itemref idref="{n}"/>' for n in names)
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title><dc:language>zh</dc:language>'
        "<dc:date>2026-01-01</dc:date><dc:rights>https://creativecommons.org/licenses/by/4.0/</dc:rights></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": package,
    }
    for name, (heading, paragraphs) in zip(names, chapters, strict=True):
        body = "".join(f"<p>{text}</p>" for text in paragraphs)
        members[f"OEBPS/{name}"] = (
            f"<html><head><title>{heading}</title></head><body><h1>{heading}</h1>{body}</body></html>"
        )
    return zipped(members, stored_first=True)


def page(title: str, body: str) -> str:
    """A web page with the furniture of websites around its text."""
    menu = "".join(
        f'<li><a href="/{name.lower()}">{name}</a></li>' for name in ("Home", "News", "Shop", "Videos", "Login")
    )
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head><body><header><nav><ul>{menu}</ul></nav></header>'
        '<div id="cookies">We use cookies to give you the best experience. <button>Accept all</button></div>'
        f"<main><article><h1>{title}</h1>{body}</article></main>"
        '<footer><p>Copyright Sample Site. <a href="/privacy">Privacy policy</a> <a href="/terms">Terms of use</a></p></footer></body></html>'
    )


def paragraphs(*texts: str) -> str:
    """HTML paragraphs."""
    return "".join(f"<p>{text}</p>" for text in texts)


def warc(pages: list[tuple[str, str]]) -> bytes:
    """A WARC file of responses, each record a gzip member of its own."""
    out = b""
    for number, (url, html) in enumerate(pages):
        body = html.encode()
        http = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
            + body
        )
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\n"
            f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: {url}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        ).encode()
        out += gzip.compress(head + http + b"\r\n\r\n", mtime=0)
    return out


def web_pages() -> list[tuple[str, str]]:
    """Good and bad web pages."""
    stem, options = en_item("s1")
    return [
        (
            "https://sample.example/asthma",
            page(
                "Using an inhaler well",
                paragraphs(
                    "Most people with asthma use an inhaler, and many of them use it badly. A good technique brings more of the drug into the lungs and less of it into the mouth, and it is the first thing to check when asthma is not controlled.",
                    "Shake the inhaler, breathe out gently, put the mouthpiece between the teeth and close the lips around it. Begin to breathe in slowly, press once, and go on breathing in slowly and deeply. Hold the breath for ten seconds, or as long as is comfortable. Wait half a minute before the next puff.",
                    "Rinse the mouth and spit after a steroid inhaler; it prevents thrush and hoarseness. With a spacer the timing matters less, which helps children and anybody in an attack. See a doctor when the reliever is needed on more than two days a week.",
                ),
            ),
        ),
        (
            "https://sample.example/exam-forum",
            page(
                "Yesterday's exam: what did you answer?",
                paragraphs(
                    "I remember one question of the examination nearly word for word, and I would like to know what others have answered to it.",
                    stem + " " + " ".join(f"({letter}) {text}" for letter, text in zip("ABCD", options, strict=True)),
                    "I took the first, because an inferior infarction with a fall of pressure after nitroglycerin means that the right ventricle is involved and depends on its filling. Do you agree with that?",
                ),
            ),
        ),
        (
            "https://sample.example/pills",
            page(
                "Cheap pills best pills",
                paragraphs(
                    *[
                        f"{how} cheap pills online best price for {drug} pills buy now best pills cheap price online order {drug} pills now and save on pills with the best price online."
                        for how in ("Buy", "Order", "Get", "Find")
                        for drug in ("weight", "sleep", "pain", "heart", "hair")
                    ]
                ),
            ),
        ),
        (
            "https://sample.example/menu",
            page("Site map", "<ul>" + "".join(f'<li><a href="/p{n}">Page {n}</a></li>' for n in range(40)) + "</ul>"),
        ),
        (
            "https://sample.example/football",
            page(
                "United win in the last minute",
                paragraphs(
                    "A goal in the last minute gave United a victory that few in the stadium had thought possible at half time, when the team was two goals down and had lost its captain to a red card.",
                    "The coach changed three players at once, and the game turned. First the young winger scored from a corner, then a long shot found the net by way of the post. The crowd was on its feet for the whole of the last quarter of an hour.",
                    "With this result the club is third in the table, with two matches left to play. The next one is away on Saturday, and the captain will not be allowed to take part in it.",
                ),
            ),
        ),
        (
            "https://sample.example/grippe",
            page(
                "La grippe saisonnière",
                paragraphs(
                    "La grippe est une infection respiratoire aiguë causée par les virus influenza. Elle survient chaque hiver sous forme d'épidémies et se manifeste par une fièvre élevée, des courbatures, des maux de tête et une toux sèche.",
                    "La vaccination annuelle est recommandée aux personnes de plus de soixante-cinq ans, aux femmes enceintes et aux malades chroniques. Le traitement repose sur le repos, l'hydratation et le paracétamol; les antiviraux sont réservés aux formes graves et aux patients à risque.",
                ),
            ),
        ),
    ]


def en_item(number: str) -> tuple[str, list[str]]:
    """Stem and options of a benchmark item."""
    item = next(one for one in zh.EXAM_ITEMS if one[0] == number)
    return item[1], item[2]


def printed_pdf() -> None:
    """A two-column paper, printed by Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return
    text = en.MIGRAINE.split("\n")
    body = "".join(
        f"<h1>{line[2:]}</h1>"
        if line.startswith("# ")
        else f"<h2>{line[3:]}</h2>"
        if line.startswith("## ")
        else f"<p>{line}</p>"
        for line in text
        if line
    )
    style = "@page{size:A4;margin:2cm} body{font:11pt serif} main{columns:2;column-gap:1cm} h1{column-span:all} p{text-align:justify;hyphens:auto}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "paper.html"
        source.write_text(f'<html lang="en"><style>{style}</style><main>{body}</main></html>', encoding="utf-8")
        target = ROOT / "literature" / "migraine-two-columns.pdf"
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True)


def scanned_pdf() -> bytes:
    """A page that is one picture (a grey square): no text layer."""
    image = zlib_grey()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Resources<</XObject<</I 4 0 R>>>>/Contents 5 0 R>>",
        b"<</Type/XObject/Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 8/Length "
        + str(len(image)).encode()
        + b">>stream\n"
        + image
        + b"\nendstream",
        b"<</Length 30>>stream\nq 280 0 0 380 10 10 cm /I Do Q \nendstream",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += str(number).encode() + b" 0 obj" + content + b"endobj\n"
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    return out + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n" + str(start).encode() + b"\n%%EOF\n"


def zlib_grey() -> bytes:
    """Sixty-four grey pixels."""
    return bytes(range(0, 256, 4))


def main() -> None:
    """Write everything."""
    shutil.rmtree(ROOT, ignore_errors=True)
    put(
        "README.md",
        "Documents written for this project. All patients in them are invented. Made by `examples/make_sample.py`.\n",
    )
    # guidelines: two editions of one, an exact copy, HTML, Chinese
    put("guidelines/hypertension-2019.md", en.HYPERTENSION_2019)
    put("guidelines/hypertension-2024.md", en.HYPERTENSION_2024)
    put("guidelines/copy-of-hypertension-2024.md", en.HYPERTENSION_2024)
    put("guidelines/sepsis.html", en.SEPSIS_HTML)
    put("guidelines/diabetes-zh.md", zh.DIABETES)
    put("guidelines/h-pylori-consensus-zh.html", zh.CONSENSUS_HTML)
    # textbooks: CNXML, EPUB, GB18030
    put("textbooks/s00001.cnxml", en.CNXML_PRESSURE)
    put("textbooks/s00002.cnxml", en.CNXML_GLUCOSE)
    put("textbooks/physiology.collection.xml", en.CNXML_COLLECTION)
    put("textbooks/symptoms-zh.epub", epub("症状学基础（样例）", zh.BOOK))
    put("textbooks/four-examinations.txt", zh.CLASSIC, "gb18030")
    for name, content in sample_formats.files().items():
        put(name, content)
    # literature: JATS, archives, PDF
    put("literature/trial.xml", en.TRIAL)
    put("literature/review.nxml", en.REVIEW)
    put("literature/vitamin-x.xml", en.RETRACTED)
    put("literature/vitamin-x-retraction.xml", en.RETRACTION)
    put(
        "literature/cases.tar.zst",
        tarred({"cases/hyponatraemia.xml": en.CASE, "cases/readme.txt": "One invented case report for the sample.\n"}),
    )
    put("literature/chest-pain-zh.zip", zipped({"chest-pain.md": zh.CHEST_PAIN}))
    put("literature/scanned.pdf", scanned_pdf())
    printed_pdf()
    # drug labels: JSON Lines, one of them compressed, with a line that is broken
    lines = [json.dumps(row, ensure_ascii=False) for row in en.LABELS_EN]
    lines.insert(2, '{"title": "A label that was cut')
    put("labels/labels-en.jsonl", "\n".join(lines) + "\n")
    put(
        "labels/labels-zh.jsonl.gz",
        gzip.compress(("\n".join(json.dumps(r, ensure_ascii=False) for r in zh.LABELS_ZH) + "\n").encode(), mtime=0),
    )
    put("labels/truncated.jsonl.gz", gzip.compress("\n".join(lines).encode() * 3, mtime=0)[:700])
    # encyclopedia: XLSX, Parquet, Arrow, TSV, JSON
    frame = pl.DataFrame(en.ENCYCLOPEDIA_EN, schema=["term", "article"], orient="row")
    (ROOT / "encyclopedia").mkdir(parents=True, exist_ok=True)
    workbook(ROOT / "encyclopedia" / "terms.xlsx", frame[:4])
    frame[4:6].write_parquet(ROOT / "encyclopedia" / "terms.parquet")
    frame[6:].write_ipc(ROOT / "encyclopedia" / "terms.arrow")
    put(
        "encyclopedia/terms-zh.tsv",
        "term\tarticle\n" + "".join(f"{term}\t{text}\n" for term, text in zh.ENCYCLOPEDIA_ZH[:4]),
    )
    put(
        "encyclopedia/terms-zh.json",
        json.dumps(
            [dict(zip(("term", "article"), one, strict=True)) for one in zh.ENCYCLOPEDIA_ZH[4:]], ensure_ascii=False
        ),
    )
    # conversations: Alpaca, ShareGPT, OpenAI messages, some of them no conversations
    put("conversations/alpaca.jsonl", lines_of(talks.alpaca()))
    put("conversations/sharegpt-zh.json", json.dumps(talks.sharegpt(), ensure_ascii=False, indent=1) + "\n")
    put("conversations/messages.jsonl", lines_of(talks.messages() + talks.broken()))
    # what later stages learn from: worked examples, prompts with verifiers, pairs of answers
    put("answers/worked.jsonl", lines_of(answers.cold_start()))
    put("answers/prompts.jsonl", lines_of(answers.prompts()))
    put("answers/pairs.jsonl", lines_of(answers.pairs()))
    # dialogues: CSV in GB18030
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["department", "title", "ask", "answer"])
    writer.writerows(zh.DIALOGUES)
    put("dialogues/consultations.csv", table.getvalue(), "gb18030")
    # records, web
    put("records/discharge-letter.txt", en.LETTER)
    put("records/admission-zh.txt", zh.ADMISSION)
    put("records/windows-letter.txt", en.LETTER_WINDOWS.replace("\n", "\r\n"), "cp1252")
    put("web/pages.warc.gz", warc(web_pages()))
    # what is wrong with files
    put("web/empty.html", b"")
    put(
        "web/page-that-lies.txt",
        page(
            "Sleep and the heart",
            paragraphs(
                "Adults who sleep for less than six hours a night have a higher risk of hypertension and of coronary disease than those who sleep for seven or eight. The pressure should fall by more than a tenth at night; in people who sleep badly it often does not.",
                "Sleep apnoea is one of the reasons. The airway collapses again and again, oxygen falls, and the nervous system answers with a surge of adrenaline. Loud snoring, pauses in breathing seen by a partner, and sleepiness by day should lead to a sleep study, and treatment with positive pressure improves sleepiness and lowers blood pressure a little.",
                "Going to bed at the same time each night, a dark and cool room, no alcohol in the evening and no screens in bed help more than most drugs do.",
            ),
        ),
    )
    put(
        "benchmarks/sample_exam.jsonl",
        "".join(
            json.dumps(
                {
                    "id": number,
                    "question": stem
                    + "\nAnswer Choices: "
                    + " ".join(f"({x}) {o}" for x, o in zip("ABCD", options, strict=True)),
                    "label": [answer],
                },
                ensure_ascii=False,
            )
            + "\n"
            for number, stem, options, answer in zh.EXAM_ITEMS
        ),
    )


def workbook(path: Path, frame: pl.DataFrame) -> None:
    """A minimal XLSX with inline strings, written by hand so that its bytes do not change."""

    def cell(text: str) -> str:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        return f'<c t="inlineStr"><is><t>{escaped}</t></is></c>'

    rows = [frame.columns, *frame.rows()]
    sheet = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main_ns = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    path.write_bytes(
        zipped(
            {
                "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
                f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
                "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
                "xl/workbook.xml": f'<workbook xmlns="{main_ns}" xmlns:r="{relations}"><sheets><sheet name="terms" sheetId="1" r:id="r1"/></sheets></workbook>',
                "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
                "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main_ns}"><sheetData>{sheet}</sheetData></worksheet>',
            }
        )
    )


if __name__ == "__main__":
    main()
