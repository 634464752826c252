"""Every way of writing an identifier is one."""

from __future__ import annotations

import pytest

from schemas.identifiers import doi_of, identifier_of, pmcid_of, pmid_of


@pytest.mark.parametrize(
    "text",
    [
        "10.1000/AbC", "doi:10.1000/abc", "DOI: 10.1000/abc.", "https://doi.org/10.1000/ABC", "http://dx.doi.org/10.1000/abc",
        "(doi:10.1000/abc)", "<https://doi.org/10.1000/abc>", "https://doi.org/10.1000%2Fabc", " 10.1000/abc ;",
    ],
)  # fmt: skip
def test_a_doi_is_one(text: str) -> None:
    assert doi_of(text) == "10.1000/abc"


def test_brackets_of_a_doi_stay() -> None:
    assert doi_of("(10.1016/S0140-6736(20)30183-5)") == "10.1016/s0140-6736(20)30183-5"
    assert doi_of("unavailable") is None
    assert doi_of(None) is None


@pytest.mark.parametrize(
    "text", ["123", "PMID: 123", "pmid123", "https://pubmed.ncbi.nlm.nih.gov/123/", "00123", "123.0"]
)
def test_a_number_of_pubmed_is_one(text: str) -> None:
    assert pmid_of(text) == "pmid:123"


@pytest.mark.parametrize("text", ["PMC77", "pmcid: PMC77", "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC77/", "77"])
def test_a_number_of_pmc_is_one(text: str) -> None:
    assert pmcid_of(text) == "pmcid:pmc77"


def test_a_bare_number_says_nothing_by_itself() -> None:
    assert identifier_of("123") is None
    assert identifier_of("PMID 123") == "pmid:123"
    assert identifier_of("PMC77") == "pmcid:pmc77"
    assert identifier_of("see doi:10.1000/x") == "10.1000/x"
