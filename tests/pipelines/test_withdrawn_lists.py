"""Lists of withdrawn documents, as people and Retraction Watch write them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.withdrawn import read_withdrawn, together, withdrawn_why
from schemas.errors import WrongCall

HEAD = "Record ID,Title,Reason,OriginalPaperDOI,OriginalPaperPubMedID,RetractionNature,RetractionDate\n"


def read(folder: Path, text: str) -> tuple[list[str], int, dict[str, int]]:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    told = read_withdrawn(folder / "list.csv", "list.csv")
    return sorted(told.names["name"]), told.unnamed, dict(told.spared)


def test_retraction_watch_is_read_as_it_comes(tmp_path: Path) -> None:
    rows = [
        '1,"A, ""quoted""",x,10.1000/1,0,Retraction,5/1/2020 0:00',
        "2,B,y,unavailable,0,Retraction,5/1/2020 0:00",
        "3,C,z,,77,Retraction,5/1/2020 0:00",
        '4,"D\nover two lines",z,10.1000/4,0,Retraction,5/1/2020 0:00',
        "5,E,z,10.1000/5,0,Correction,5/1/2020 0:00",
        "6,F,z,10.1000/6,0,Expression of concern,5/1/2020 0:00",
        "7,G,z,10.1000/7,0,Retraction,5/1/2010 0:00",
        "8,G,z,10.1000/7,0,Reinstatement,5/1/2015 0:00",
        "9,H,z,10.1000/8,0,Reinstatement,5/1/2010 0:00",
        "10,H,z,10.1000/8,0,Retraction,5/1/2015 0:00",
    ]
    names, unnamed, spared = read(tmp_path, "\ufeff" + HEAD + "\n".join(rows) + "\n")
    assert names == ["10.1000/1", "10.1000/4", "10.1000/8", "pmid:77"]
    assert unnamed == 1
    assert spared == {"correction": 1, "expression of concern": 1, "reinstatement": 2}


def test_lines_may_name_a_document_twice_and_in_any_form(tmp_path: Path) -> None:
    own = "0123456789abcdef0123456789abcdef"
    names, _, _ = read(
        tmp_path, f"# ours\n{own}\nhttps://doi.org/10.1000/X\ndoi:10.1000/x\nPMID 5\nPMC6\n{own.upper()}\n"
    )
    assert names == [own, "10.1000/x", "pmcid:pmc6", "pmid:5"]
    with pytest.raises(WrongCall, match="neither a DOI"):
        read(tmp_path, "10.1000/x\nsomething else\n")


def test_what_they_name_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("10.1000/x\nPMC6\n")
    (tmp_path / "b.txt").write_text("PMID 5\n10.1000/X\n")
    told = together([read_withdrawn(tmp_path / name, name) for name in ("a.txt", "b.txt")])
    documents = pl.DataFrame(
        {
            "id": ["1", "2", "3", "4", "5"],
            "doi": ["10.1000/x", None, None, None, "10.1000/y"],
            "identifiers": [["pmid:5"], ["pmid:5", "pmcid:pmc6"], None, [], ["pmid:7"]],
            "licence": [None, None, "CC-BY-NC-4.0", None, "CC0-1.0"],
        }
    )
    assert withdrawn_why(documents, told.names, ["CC-BY-NC-4.0"]).to_list() == [
        "doi 10.1000/x is on the list a.txt",
        "pmid:5 is on the list b.txt",
        "licence CC-BY-NC-4.0 was withdrawn",
        None,
        None,
    ]
