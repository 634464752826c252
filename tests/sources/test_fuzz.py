"""Files of all formats that were cut, flipped and spliced: never nothing, never an error that ends a run.

What goes in comes out as documents or in quarantine, and a good neighbour in the same archive comes through.
"""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import polars as pl
import pytest

from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames
from tests.conftest import SAMPLE

# One file of each format; PDF and pictures take a second each and are mutated less.
FILES = {
    "guidelines/sepsis.html": 76, "guidelines/hypertension-2024.md": 76, "guidelines/anaphylaxis.docx": 76,
    "guidelines/asthma-zh.odt": 76, "pathways/hip-fracture.rtf": 76, "textbooks/fluids.pptx": 40,
    "textbooks/kidney.xml": 76, "textbooks/s00001.cnxml": 76, "textbooks/symptoms-zh.epub": 76,
    "literature/trial.xml": 76, "literature/walking.tei.xml": 76, "literature/pubmed.xml.gz": 76,
    "literature/cases.tar.zst": 76, "literature/chest-pain-zh.zip": 76, "literature/migraine-two-columns.pdf": 6,
    "labels/labels-en.jsonl": 76, "labels/labels-zh.jsonl.gz": 76, "labels/samploxin.xml": 76,
    "encyclopedia/terms.xlsx": 76, "encyclopedia/terms.parquet": 76, "encyclopedia/terms.arrow": 76,
    "encyclopedia/terms-zh.json": 76, "encyclopedia/terms-zh.tsv": 76, "encyclopedia/wiki.xml": 76,
    "dialogues/consultations.csv": 76, "knowledge/light.json": 76, "knowledge/iron.gpml": 76,
    "records/admission-zh.txt": 76, "web/pages.warc.gz": 30,
}  # fmt: skip
GOOD = "Aspirin relieves pain and lowers fever, and in low doses it keeps platelets from clotting together."
TEMPLATES = {"encyclopedia": "{term}: {article}", "labels": "{title}\n{label}", "dialogues": "{title}{ask}{answer}"}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file cut short, with bytes flipped, with a part doubled, left out, overwritten or moved."""
    at, to = sorted(chance.randrange(len(data)) for _ in range(2))
    kind = chance.choice(("cut", "flip", "double", "leave", "zero", "splice", "head"))
    if kind == "cut":
        return data[: at + 1]
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(chance.choice((1, 4, 40))):
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    if kind == "double":
        return data[:to] + data[at:]
    if kind == "leave":
        return (data[:at] + data[to:]) or data[:1]
    if kind == "zero":
        return data[:at] + bytes(to - at) + data[to:]
    if kind == "splice":
        return data[to:] + data[at:to] + data[:at] or data
    return data[at:]


def archived(name: str, data: bytes) -> bytes:
    """A zip with the file between two good neighbours."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in (("a.txt", GOOD.encode()), (name, data), ("z.txt", GOOD.encode())):
            archive.writestr(member, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_what_goes_in_comes_out(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    whole = (SAMPLE / name).read_bytes()
    folder, _, own = name.partition("/")
    settings = {"text": TEMPLATES[folder]} if folder in TEMPLATES and "xml" not in own else {}
    plain = Source(name="s", files=["**/*"], source_type="literature", **settings)  # type: ignore[arg-type]
    for number in range(FILES[name]):
        data = mutated(whole, chance)
        inside = number % 10 == 9 and not settings
        path = tmp_path / ("neighbours.zip" if inside else own)
        path.write_bytes(archived(own, data) if inside else data)
        frames = [pair for file in find_inputs(plain, tmp_path) for pair in read_frames(file, plain)]
        documents = pl.concat([one for one, _ in frames]) if frames else pl.DataFrame()
        broken = sum(one.height for _, one in frames)
        assert documents.height + broken > 0, f"mutation {number} of {name} vanished without a trace"
        if inside:
            assert documents["text"].to_list().count(GOOD) == 2
            assert documents.height + broken >= 3
        path.unlink()
