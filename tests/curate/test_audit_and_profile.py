"""No identifier is left anywhere in a run's folder; the audit page and the profile say what they should."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from curate.audit_command import audit_sample
from curate.profile import profile_of
from schemas.errors import WrongCall
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate

pytestmark = pytest.mark.slow
# Invented; the step must leave none of them.
SECRETS = (
    "王小虚",
    "Zebulon Quackenbush",
    "Quackenbush",
    "13812345678",
    "zeb.q@example.com",
    "11010519491231002X",
    "ZY00998877",
)
LETTER = (
    "Patient name: Zebulon Quackenbush\nPhone: 13812345678, zeb.q@example.com\nMRN: ZY00998877\n\n"
    "Mr Quackenbush has had chest pain for three weeks. " + "The heart was normal and the lungs were clear. " * 30
)
RECIPE = """
name: secret
sources:
  - {name: letters, files: "letters/*.txt", source_type: record}
  - {name: rows, files: "rows/*", source_type: record, text: "{text}", title: "{name}"}
steps: [normalise, phi, {length: {min_characters: 300, unspaced_min_characters: 100}}]
tokenizer: {train: {vocab_size: 400}}
mixtures: {pretrain: {components: [{name: all}]}}
max_quarantined: 1.0
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "letters").mkdir()
    (folder / "rows").mkdir()
    (folder / "letters" / "long.txt").write_text(LETTER)
    (folder / "letters" / "Zebulon_Quackenbush.txt").write_text(
        "Patient name: Zebulon Quackenbush, MRN: ZY00998877."
    )  # dropped by length
    row = {
        "name": "患者王小虚，男",
        "text": "姓名：王小虚，身份证号：11010519491231002X，因胸痛入院。" + "心电图正常，予阿司匹林。" * 20,
    }
    lines = [
        json.dumps(row, ensure_ascii=False),
        '{"name": "王小虚", "text": broken 13812345678',
        json.dumps({"name": "王小虚"}),
    ]
    (folder / "rows" / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "rows" / "b.csv").write_text(
        'name,text\n王小虚,"电话13812345678\n', encoding="utf-8"
    )  # a quote never closed
    curate("run", write_recipe(folder, RECIPE), "--run-dir", folder / "run", "--workers", 1, "--profile", status=(0, 3))
    return folder / "run"


def everything(folder: Path) -> str:
    """All that a run's folder holds, as text; tables cell by cell."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            held = pl.read_parquet(path)
            binary = held.select(pl.col(pl.Binary))
            parts.append(held.drop(binary.columns).write_ndjson())
            parts += [(cell or b"").decode("utf-8", "ignore") for column in binary for cell in column]
        elif path.suffix == ".arrow":
            with pa.OSFile(str(path)) as source:
                parts.append(str(pa.ipc.open_file(source).read_all().to_pydict()))
        elif path.is_file():
            parts.append(path.read_bytes().decode("utf-8", "ignore"))
    return "\n".join(parts)


def test_no_identifier_is_left_anywhere(run: Path) -> None:
    held = everything(run)
    assert "[NAME]" in held
    for secret in SECRETS:
        assert secret not in held, secret
    dropped = pl.read_parquet(run / "dropped" / "*.parquet")
    assert dropped.height >= 1
    assert dropped["text"].str.contains("[NAME]", literal=True).any()
    assert pl.read_parquet(run / "quarantined" / "*.parquet").height >= 2


def test_the_audit_shows_marks_in_context(run: Path) -> None:
    marks, suspects = audit_sample(run, 50, 17)
    assert {"NAME", "PHONE", "MRN", "EMAIL", "ID"} <= {one["class"] for one in marks}
    assert all(one["class"] == "left standing" for one in suspects)
    page = Path(curate("audit", "privacy", run).stdout.strip())
    text = page.read_text(encoding="utf-8")
    assert "<mark>[NAME]</mark>" in text
    rows = curate("audit", "privacy", run, "--json").stdout.splitlines()
    assert json.loads(rows[0])["mark"].startswith("[")
    with pytest.raises(WrongCall, match="holds no documents"):
        audit_sample(run / "stages", 5, 1)


def test_words_that_were_taken_out_often_are_shown_with_their_phrases(run: Path, tmp_path: Path) -> None:
    rows = [
        json.loads(line)
        for line in curate("audit", "privacy", run, "--words", "--more-than", 1, "--json").stdout.splitlines()
    ]
    told = {one["word"]: one for one in rows}
    assert (told["Zebulon Quackenbush"]["times"], told["Zebulon Quackenbush"]["documents"]) == (4, 2)  # in titles too
    assert any("Patient name: ⟦Zebulon Quackenbush⟧" in phrase for phrase in told["Zebulon Quackenbush"]["phrases"])
    assert [one["times"] for one in rows] == sorted((one["times"] for one in rows), reverse=True)
    assert "[NAME].txt" in (run / "plan.json").read_text()  # the file is found again by its key
    assert "⟦" in curate("audit", "privacy", run, "--words", "--more-than", 0).stdout
    quiet = curate("audit", "privacy", run, "--words", "--more-than", 99)
    assert (quiet.stdout, "more than 99 times" in quiet.stderr) == ("", True)
    assert "Quackenbush" not in everything(run), "what is printed is kept nowhere"
    assert "--to is for the page" in curate("audit", "privacy", run, "--words", "--to", tmp_path / "x", status=2).stderr
    assert "no folder of a run" in curate("audit", "privacy", tmp_path, "--words", status=2).stderr


def test_the_profile_counts_every_part(run: Path) -> None:
    rows = {row["part"]: row for row in profile_of(run)}
    assert {"read letters", "step phi", "step length", "fingerprints", "write corpus", "tokenize"} <= set(rows)
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1.0, abs=0.01)
    assert all(row["MB/s"] is None or row["MB/s"] >= 0 for row in rows.values())


def test_the_report_shows_redactions_and_grades(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Identifiers of persons taken out" in text
    assert "Authority" in text
