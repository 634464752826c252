"""Records cut out of XML as bytes: the same as a parser of the whole finds, wherever pieces end; a fault stays where it is."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import Unreadable
from sources.draft import Broken, Draft, open_blob
from sources.markup import records as module
from sources.markup.records import Records
from sources.readers.medline import read_medline

NAMES = ("Rec", "RecBook")
ASIDES = st.sampled_from(["", "<!-- </Rec> <Rec> -->", "<?pi </Rec>?>", "<!---->"])
INSIDE = st.sampled_from(
    ["", "x", "é中", "<i>a</i>", "<![CDATA[</Rec><Rec>]]>", "<RecSet/>", "<RecBook>b</RecBook>", "! ? &lt;!", "y" * 300]
)
RECORD = st.builds(
    lambda name, attribute, parts, space: f"<{name}{attribute}>{''.join(parts)}</{name}{space}>",
    st.just("Rec"),
    st.sampled_from(["", " a='1'", '\n b="2" ']),
    st.lists(st.one_of(ASIDES, INSIDE), max_size=4),
    st.sampled_from(["", " ", "\n"]),
)


@given(
    st.lists(st.one_of(RECORD, ASIDES, st.sampled_from(["\n", "<Other>t</Other>", "<Rec/>"])), max_size=6), st.data()
)
def test_records_are_what_a_parser_of_the_whole_finds(parts: list[str], data: st.DataObject) -> None:
    whole = f"<?xml version='1.0'?>\n<!DOCTYPE RecSet>\n<RecSet>{''.join(parts)}</RecSet>\n".encode()
    known = etree.fromstring(whole).findall("Rec")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", data.draw(st.integers(1, 400)))
        patch.setattr(module, "LONGEST_TAG", 12)
        found = Records(io.BytesIO(whole), NAMES)
        cut = [raw for _, raw in found]
    assert found.fault is None
    assert [etree.tostring(etree.fromstring(raw)) for raw in cut] == [
        etree.tostring(one, with_tail=False) for one in known
    ]


def citation(pmid: int, title: str = "A title", more: str = "") -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><Journal/>'
        f"<ArticleTitle>{title}</ArticleTitle>{more}</Article></MedlineCitation></PubmedArticle>"
    )


def read(data: bytes) -> Iterator[Draft | Broken]:
    return read_medline(open_blob("x.xml", io.BytesIO(data)), None)  # type: ignore[arg-type]


def told(data: bytes) -> list[str]:
    return [one.title or "" if isinstance(one, Draft) else f"! {one.error}" for one in read(data)]


def wrapped(*citations: str, head: str = "", root: str = "PubmedArticleSet", encoding: str = "utf-8") -> bytes:
    return f"{head}<{root}>{''.join(citations)}</{root.split()[0]}>".encode(encoding)


def test_a_broken_citation_costs_no_other() -> None:
    one, two, three = told(wrapped(citation(1), citation(2, "<b>never closed"), citation(3, "Third")))
    assert (one, three) == ("A title", "Third")
    assert two.startswith("! not well-formed XML: ")


@pytest.mark.parametrize("cut", [1, 12, 40, 120])
def test_a_file_that_ends_too_early_says_so_after_what_it_gave(cut: int) -> None:
    whole = wrapped(citation(1), citation(2, "Second"), citation(3))
    titles = told(whole[:-cut])
    assert titles[:2] == ["A title", "Second"]
    assert titles[-1].startswith("! not well-formed XML after ")


def test_what_is_no_xml_between_citations_is_said() -> None:
    assert told(wrapped(citation(1), "</x>", citation(2)))[-1].startswith("! not well-formed XML after ")
    with pytest.raises(Unreadable, match="after 0 citations"):
        told(b"<PubmedArticleSet>")
    with pytest.raises(Unreadable, match="no citation"):
        told(b"<PubmedArticleSet></PubmedArticleSet>")


def test_other_encodings_and_prefixes_of_the_root_are_read() -> None:
    head = "<?xml version='1.0' encoding='iso-8859-1'?>"
    assert told(wrapped(citation(1, "Müller"), head=head, encoding="iso-8859-1")) == ["Müller"]
    assert told(wrapped(citation(1), head="<?xml version='1.0' encoding='utf-16le'?>", encoding="utf-8")) == ["A title"]
    root = 'PubmedArticleSet xmlns:mml="http://www.w3.org/1998/Math/MathML"'
    formula = "Dose <mml:math><mml:mi>x</mml:mi></mml:math> of it"
    assert told(wrapped(citation(1, formula), root=root)) == ["Dose x of it"]
    assert told(wrapped(citation(1, formula)))[0].startswith("! not well-formed XML")


def test_authors_and_references_are_cut_out_and_nothing_else() -> None:
    people = "<AuthorList><Author><LastName>Roe</LastName></Author></AuthorList>"
    abstract = "<Abstract><AbstractText>Words &lt;AuthorList&gt; stay.</AbstractText></Abstract>"
    (draft,) = read(wrapped(citation(1, more=people + abstract)))
    assert isinstance(draft, Draft)
    assert draft.text == "# A title\n\n## Abstract\n\nWords <AuthorList> stay."
    comment = "<!-- <AuthorList> -->" + abstract + "<!-- </AuthorList> -->"
    (kept,) = read(wrapped(citation(1, more=comment)))
    assert isinstance(kept, Draft)
    assert kept.text == draft.text


def test_a_record_without_end_is_refused_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 1 << 16)
    monkeypatch.setattr(module, "PIECE", 1 << 12)
    long = citation(2, "x" * (1 << 18))
    assert told(wrapped(citation(1), long, citation(3)))[1].startswith(
        "! not well-formed XML after 1 citations: a record larger"
    )
