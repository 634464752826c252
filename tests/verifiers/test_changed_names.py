"""A disease's name within a longer one is another disease: never right, and nothing where ICD-10 has it elsewhere."""

from __future__ import annotations

import pytest

from verifiers.verifier import VERIFIERS

ASKED = {
    "hypertension": "I10",
    "pneumonia": "J18.9",
    "asthma": "J45.9",
    "depression": "F32.9",
    "type 2 diabetes mellitus": "E11.9",
    "acute appendicitis": "K35.8",
    "acute myocardial infarction": "I21.9",
}


def state(asked: str, answer: str) -> str:
    verifier = VERIFIERS.get("diagnosis")
    return verifier.judge("Diagnosis?", answer, verifier.read({"codes": [ASKED[asked]], "names": [asked]})).state


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("hypertension", "pulmonary hypertension"),
        ("hypertension", "Ocular hypertension."),
        ("hypertension", "妊娠期高血压"),
        ("hypertension", "高血压脑病"),
        ("pneumonia", "aspiration pneumonia"),
        ("pneumonia", "放射性肺炎"),
        ("asthma", "cardiac asthma"),
        ("asthma", "心源性哮喘"),
        ("depression", "ST depression"),
        ("depression", "respiratory depression"),
    ],
)
def test_another_disease_that_holds_the_name_is_wrong(asked: str, answer: str) -> None:
    assert state(asked, answer) == "wrong"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("hypertension", "splenic hypertension"),
        ("pneumonia", "eosinophilic pneumonia"),
        ("pneumonia", "药物性肺炎"),
        ("asthma", "drug-induced asthma"),
        ("asthma", "asthma-like syndrome"),
        ("hypertension", "高血压危象"),
    ],
)
def test_what_no_table_holds_is_at_most_partly_right(asked: str, answer: str) -> None:
    assert state(asked, answer) in ("partly", "wrong", "unparsed")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("hypertension", "severe hypertension"),
        ("hypertension", "stage 2 hypertension"),
        ("hypertension", "高血压病3级，极高危"),
        ("pneumonia", "right lower lobe pneumonia"),
        ("pneumonia", "重症肺炎"),
        ("asthma", "She has asthma."),
        ("asthma", "an exacerbation of asthma"),
        ("type 2 diabetes mellitus", "Diabetes mellitus, type 2"),
        ("acute appendicitis", "appendicitis, acute"),
        ("acute myocardial infarction", "Myocardial infarction (STEMI)"),
    ],
)
def test_severity_place_and_order_leave_it_what_it_is(asked: str, answer: str) -> None:
    assert state(asked, answer) == "right"
