"""Hostile and broken inputs: each is one quarantined row with its reason, and all else comes through."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames
from tests.conftest import SAMPLE

GOOD = "Aspirin relieves pain and lowers fever, and in low doses it keeps platelets from clotting together."


def read(folder: Path, pattern: str = "**/*", **settings: object) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Documents and quarantine of all files that match."""
    source = Source(name="s", files=[pattern], source_type="web", **settings)  # type: ignore[arg-type]
    frames = [pair for file in find_inputs(source, folder) for pair in read_frames(file, source)]
    return pl.concat(pair[0] for pair in frames), pl.concat(pair[1] for pair in frames)


def only_error(folder: Path, name: str, content: bytes, **settings: object) -> str:
    """The reason for which a file is quarantined, beside a good file that must come through."""
    (folder / name).write_bytes(content)
    (folder / "zz-good.txt").write_text(GOOD, encoding="utf-8")
    documents, broken = read(folder, **settings)
    assert documents["text"].to_list() == [GOOD], "the good file must come through, and nothing else"
    assert broken.height == 1
    row = broken.row(0, named=True)
    assert row["uri"].startswith(name)
    return str(row["error"])


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt.gz", gzip.compress(GOOD.encode() * 50)[:-20], "gzip stream is truncated or corrupt"),
        ("a.txt.zst", zstandard.compress(os.urandom(9000))[:-500], "zstd stream is truncated or corrupt"),
        ("a.zip", zip_of({"a.txt": GOOD.encode()})[:-30], "zip archive is truncated or corrupt"),
        ("a.html", b"", "empty file"),
        ("a.html.gz", gzip.compress(b"", mtime=0), "empty file"),
        ("a.pdf", b"%PDF-1.4\n1 0 obj<</Type/Catalog", "damaged or cut short"),
        ("a.epub", zip_of({"mimetype": b"application/epub+zip"}, zipfile.ZIP_STORED), "no container"),
        ("a.xml", b"<article><front><article-meta></front></article>", "not well-formed XML"),
        ("a.html", b"<html><body>" + b"<div>" * 100_000 + b"deep</html>", "nested deeper than"),
        ("a.xml", b"<article>" + b"<sec>" * 100_000 + b"</article>", "nested deeper than"),
        ("a.bin", bytes(range(256)) * 40, "unknown format"),
        ("a.txt", bytes(range(1, 9)) * 400, "binary data"),
        ("a.parquet", b"PAR1" + b"\x00" * 100, "Parquet file is truncated or corrupt"),
        ("a.arrow", b"ARROW1\x00\x00" + b"\x01" * 64, "Arrow file is truncated or corrupt"),
        ("a.xlsx", zip_of({"[Content_Types].xml": b"<Types/>", "xl/x": b"1"}), "workbook is truncated or corrupt"),
        ("a.json", b'{"text": "cut', "not valid JSON"),
        ("a.csv", b"name,value\nx,1\n", "no column text"),
        ("a.jsonl", b"\xef\xbb\xbf", "nothing but a byte-order mark"),
        ("a.jsonl", b" \n\n  ", "blanks"),
        ("a.html", bytes(4096), "zero bytes"),
        ("a.html", bytes(range(1, 9)) * 2000, "control characters"),
        ("a.warc.gz", b"", "empty file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",  # archives hold the time: workers must agree on ids
)  # fmt: skip
def test_broken_files(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    assert reason in only_error(tmp_path, name, content)


def test_a_truncated_warc_gives_its_whole_records_and_one_row_for_the_rest(tmp_path: Path) -> None:
    whole = (SAMPLE / "web" / "pages.warc.gz").read_bytes()
    (tmp_path / "whole.warc.gz").write_bytes(whole)
    documents, broken = read(tmp_path)
    records = documents.height + broken.height
    for name, content in (
        ("whole.warc.gz", whole[:-200]),
        ("whole.warc.gz", b""),
        ("cut.warc", gzip.decompress(whole)[:-700]),
    ):
        (tmp_path / "whole.warc.gz").unlink(missing_ok=True)
        if not content:
            continue
        (tmp_path / name).write_bytes(content)
        fewer, rest = read(tmp_path)
        assert records - 2 <= fewer.height + broken.height < records
        assert any("cut short" in error or "truncated" in error for error in rest["error"])
        (tmp_path / name).unlink()


def test_entity_expansion_and_external_entities_are_refused(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE a [<!ENTITY l "ha">' + "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "&l;"}">' for n in range(9)
    )
    bomb = f"<?xml version='1.0'?>{laughs}]><article><body><p>&l8;</p></body></article>"
    assert "declares entities" in only_error(tmp_path, "bomb.xml", bomb.encode())
    external = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><article><body><p>&x;</p></body></article>"
    folder = tmp_path / "two"
    folder.mkdir()
    assert "declares entities" in only_error(folder, "external.xml", external.encode())


def test_zip_bomb_and_leaving_names_and_encryption(tmp_path: Path) -> None:
    inner = zip_of(
        {"good.txt": GOOD.encode(), "bomb.txt": b"\0" * (200 << 20), "../../leaves.txt": b"x", "/etc/absolute": b"x"}
    )
    (tmp_path / "a.zip").write_bytes(inner)
    documents, broken = read(tmp_path)
    assert documents["uri"].to_list() == ["a.zip!/good.txt"]
    reasons = dict(broken.select("uri", "error").iter_rows())
    assert "decompression bomb" in reasons["a.zip!/bomb.txt"]
    assert reasons["a.zip!/../../leaves.txt"] == "member name leaves the archive"
    assert broken.height == 3
    assert not (tmp_path.parent / "leaves.txt").exists()


def test_gzip_bomb_is_stopped_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b"\0" * (400 << 20)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, broken = read(tmp_path)
    assert any("bomb" in error or "longer than" in error for error in broken["error"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KiB


def test_tar_names_and_nesting(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("ok.txt", "../up.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(GOOD)
            archive.addfile(info, io.BytesIO(GOOD.encode()))
    (tmp_path / "a.tar.gz").write_bytes(buffer.getvalue())
    nested = GOOD.encode()
    for _ in range(5):
        nested = gzip.compress(nested)
    (tmp_path / "deep.gz").write_bytes(nested)
    documents, broken = read(tmp_path)
    assert documents["uri"].to_list() == ["a.tar.gz!/ok.txt"]
    assert sorted(broken["error"]) == ["archives nested deeper than 3", "member name leaves the archive"]


def test_a_broken_line_is_quarantined_alone(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": GOOD}),
        '{"text": "cut',
        "[1, 2]",
        json.dumps({"other": 1}),
        '{"text": "lone \\ud800 surrogate and \\u0000 NUL"}',
        json.dumps({"text": GOOD}),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    documents, broken = read(tmp_path)
    assert documents.height == 3
    assert broken["uri"].to_list() == ["a.jsonl#2", "a.jsonl#3", "a.jsonl#4"]
    assert "\ufffd" in documents["text"][1]
    assert {"step": "read", "what": "lone surrogates replaced", "count": 1} in documents["edits"][1].to_list()


def test_lone_surrogates_are_replaced_in_every_column_and_said(tmp_path: Path) -> None:
    rows = [{"text": GOOD}, {"text": GOOD, "publisher": "a\ud800", "title": "b\udfff", "licence": "c", "n": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    documents, broken = read(tmp_path)
    assert broken.is_empty()
    assert documents.select("publisher", "title", "licence").row(1) == ("a\ufffd", "b\ufffd", "c")
    assert documents["edits"][1].to_list() == [{"step": "read", "what": "lone surrogates replaced", "count": 2}]


def test_a_huge_line_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.jsonl").open("wb") as handle:
        handle.write(json.dumps({"text": GOOD}).encode() + b"\n" + b'{"text": "')
        for _ in range(300):
            handle.write(b"x" * (1 << 20))
        handle.write(b'"}\n' + json.dumps({"text": GOOD}).encode() + b"\n")
    with (tmp_path / "b.txt").open("wb") as handle:
        for _ in range(300):
            handle.write(b"y" * (1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    documents, broken = read(tmp_path)
    assert documents.height == 2
    assert broken["error"].to_list() == ["line longer than 64 MiB", "larger than 64 MiB as one document; split it"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000  # KiB


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "big5", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    texts = {
        "gb18030": "高血压患者应当限制食盐摄入，每日不超过五克，并且坚持规律服药，不可以自行停药或者减量。" * 3,
        "big5": "高血壓患者應當限制食鹽攝入，每日不超過五克，並且堅持規律服藥，不可以自行停藥或者減量。" * 3,
        "cp1252": "Le malade présente une fièvre élevée à 39 °C – sans dyspnée – depuis l’été dernier. Café, œdème, naïve.",
    }
    text = texts.get(encoding, "Fever of 39 °C, 发热三天。")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    documents, broken = read(tmp_path)
    assert broken.is_empty()
    assert documents["text"].to_list() == [text]
    noted = [edit["what"] for edit in documents["edits"][0] if edit["what"].startswith("decoded")]
    assert bool(noted) == (encoding not in ("utf-8", "utf-8-sig"))


def test_mixed_encodings_and_nul_bytes(tmp_path: Path) -> None:
    text = "患者发热三天，体温三十九度，伴有咳嗽和咽痛。" * 40
    (tmp_path / "a.txt").write_bytes(text.encode() + b"\xff\xfe broken " + text.encode() + b"\x00end")
    documents, _ = read(tmp_path)
    assert documents.height == 1
    assert documents["text"][0].count("患者") == 80
    assert any(edit["what"] == "undecodable bytes replaced" for edit in documents["edits"][0])


def test_parquet_without_the_named_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body_text": ["x"]}), tmp_path / "a.parquet")
    _, broken = read(tmp_path, text="{abstract}")
    assert broken["error"].to_list() == ["no column 'abstract', which `text` names; columns: body_text"]


def test_links_that_loop_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    documents, broken = read(tmp_path)
    assert documents["uri"].to_list() == ["good.txt"]
    errors = dict(broken.select("uri", "error").iter_rows())
    assert errors == {
        "loop": "cannot be opened: symbolic link loop",
        "gone.txt": "cannot be opened: No such file or directory",
    }
    if os.getuid() != 0:
        (tmp_path / "good.txt").chmod(0)
        assert "Permission denied" in read(tmp_path)[1]["error"].to_list()


def test_an_encrypted_pdf_and_one_without_text(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes((SAMPLE / "literature" / "scanned.pdf").read_bytes())
    _, broken = read(tmp_path)
    assert broken["error"].to_list() == ["no text layer (1 of 1 pages: 1)"]
    encrypted = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        b"3 0 obj<</Filter/Standard/V 1/R 2/O<" + b"28" * 32 + b">/U<" + b"29" * 32 + b">/P -4>>endobj\n"
        b"trailer<</Size 4/Root 1 0 R/Encrypt 3 0 R/ID[<01><01>]>>\n%%EOF"
    )
    (tmp_path / "scan.pdf").write_bytes(encrypted)
    assert "PDF is encrypted" in read(tmp_path)[1]["error"][0]


def test_a_suffix_that_lies_is_read_by_content(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(f"<!doctype html><html><body><h1>Aspirin</h1><p>{GOOD}</p></body></html>")
    (tmp_path / "book.pdf").write_bytes(gzip.compress(GOOD.encode()))
    documents, broken = read(tmp_path)
    assert broken["error"].to_list() == ["the content is not what the suffix '.pdf' says"]
    assert documents["text"].to_list() == [f"# Aspirin\n\n{GOOD}"]
