"""Verdicts of every verifier on labelled answers: the bundled ones, and the shared ones where they are."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import main
from schemas.errors import WrongCall
from schemas.verdict import Verdict, failed
from tests.conftest import REPOSITORY
from verifiers.audit import Audit, bundled, read_cases
from verifiers.bounded import Judges, Question, _Process
from verifiers.verifier import VERIFIERS

NAMES = ["calculation", "diagnosis", "exam", "exam_series", "format", "label", "medication", "tests"]
SHARED_CASES = REPOSITORY.parent / "shared" / "cases" / "verifiers"
REFERENCES = {
    "calculation": {"value": 24.2, "unit": "kg/m^2", "kind": "decimal"},
    "diagnosis": {"codes": ["I21.9"], "names": ["acute myocardial infarction"]},
    "exam": {"key": "B", "options": {"A": "Amlodipine", "B": "Metoprolol"}},
    "exam_series": {"keys": {"1": "B", "2": "CD"}, "partial": True},
    "label": {"label": "yes"},
    "format": {"schema": {"type": "object"}, "repetition": True, "language": "prompt", "sections": ["Plan"]},
    "medication": {"drugs": [{"name": "metformin", "dose": "500 mg"}], "contraindicated": ["aspirin"]},
    "tests": {"required": [["ECG", "心电图"]], "forbidden": ["CT"]},
}


def audited(name: str, cases: list) -> tuple[Audit, list[str]]:
    verifier, audit, wrong = VERIFIERS.get(name), Audit(), []
    for case in cases:
        verdict = verifier.judge(case.prompt, case.answer, verifier.read(case.reference))
        if audit.add(case, verdict) != "agree":
            wrong.append(f"{case.id}: {verdict.state} for {case.expected}: {verdict.why}: {case.answer[:80]!r}")
    return audit, wrong


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_answers_get_their_verdicts(name: str) -> None:
    audit, wrong = audited(name, list(bundled(name)))
    assert not wrong
    assert audit.cases >= 12


@pytest.mark.parametrize("name", NAMES)
def test_the_shared_answers_get_their_verdicts(name: str) -> None:
    if not SHARED_CASES.is_dir():
        pytest.skip("../shared/cases is absent: this test reads labelled answers")
    if not (SHARED_CASES / f"{name}.jsonl").exists():
        pytest.skip(f"../shared/cases holds no answers for {name}")
    _, wrong = audited(name, list(read_cases(SHARED_CASES / f"{name}.jsonl")))
    assert not wrong


HOSTILE = [
    "",
    " \n\t",
    "\x00\ud800"[:1],
    "�" * 5000,
    "[" * 100_000,
    '{"a":' * 50_000,
    "<think>" * 50_000,
    "</think>" * 50_000,
    "Answer: " * 50_000,
    "答案：" * 50_000,
    "\\boxed{" * 50_000,
    "A or B " * 30_000,
    "not " * 50_000,
    "9" * 100_000,
    "1," * 50_000,
    "if " * 50_000,
    '"' * 100_000,
    "'" * 100_000,
    "pneumonia, " * 20_000,
    "metformin 50 mg " * 20_000,
    "(" * 100_000,
    " " * 100_000,
    "\n" * 100_000,
    "a" * 100_000,
    "的" * 100_000,
    "1/1/2024 " * 20_000,
    "wait, " * 30_000 + "Answer: B",
]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_model_writes_is_judged_and_soon(name: str) -> None:
    verifier = VERIFIERS.get(name)
    reference = verifier.read(REFERENCES[name])
    verifier.judge("What?", "warm", reference)
    for answer in HOSTILE:
        for _ in range(2):  # a machine that does other work may pause once
            begun = time.monotonic()
            verdict = verifier.judge("What should be done?", answer, reference)
            took = time.monotonic() - begun
            if took < 2.0:
                break
        assert verdict.state != "failed", (answer[:20], verdict.why)
        assert took < 2.0, answer[:20]
        assert 0.0 <= verdict.score <= 1.0
        assert verdict.state != "right" or "Answer: B" in answer


@pytest.mark.parametrize("name", NAMES)
@given(answer=st.text(max_size=300))
def test_no_text_makes_a_verifier_fail(name: str, answer: str) -> None:
    verifier = VERIFIERS.get(name)
    verdict = verifier.judge("What?", answer, verifier.read(REFERENCES[name]))
    assert verdict.state != "failed", verdict.why
    json.dumps(verdict.extracted)


@given(
    letters=st.sets(st.sampled_from("ABCDE"), min_size=1),
    mark=st.sampled_from(
        [
            "Answer: {}",
            "The answer is {}.",
            "答案：{}",
            "故选{}",
            "\\boxed{{{}}}",
            '{{"answer": "{}"}}',
            "<think>A? E?</think>{}",
            "<answer>{}</answer>",
        ]
    ),
    apart=st.sampled_from(["", ", ", "、", " and "]),
)
def test_letters_behind_any_mark_are_read(letters: set[str], mark: str, apart: str) -> None:
    verifier = VERIFIERS.get("exam")
    key = "".join(sorted(letters))
    verdict = verifier.judge("Which?", mark.format(apart.join(sorted(letters))), verifier.read({"key": key}))
    assert verdict.extracted == key


def test_a_reference_that_does_not_fit_is_refused() -> None:
    for name, reference in (
        ("exam", {"key": ""}),
        ("exam", {"answer": "B"}),
        ("calculation", {"value": "soon", "kind": "date"}),
        ("calculation", {"value": 4.5, "kind": "integer"}),
        ("diagnosis", {}),
        ("diagnosis", {"codes": ["I21.9"], "names": ["a", "b"]}),
        ("tests", {"required": [[]]}),
        ("format", {"schema": {"type": 3}}),
    ):
        with pytest.raises(WrongCall, match=name):
            VERIFIERS.get(name).read(reference)
    with pytest.raises(WrongCall, match="did you mean exam|exam"):
        VERIFIERS.get("exams")


def test_a_part_of_the_letters_counts_only_where_the_recipe_says_so() -> None:
    verifier = VERIFIERS.get("exam")
    for partial, state in ((False, "wrong"), (True, "partly")):
        verdict = verifier.judge("", "AC", verifier.read({"key": "ACD", "partial": partial}))
        assert verdict.state == state
    assert verifier.judge("", "ABC", verifier.read({"key": "ACD", "partial": True})).state == "wrong"


def test_what_is_asked_several_times_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []

    def ask(self: _Process, one: Question) -> Verdict:
        asked.append(one)
        return failed(one.answer)

    monkeypatch.setattr(_Process, "ask", ask)
    key, other = {"key": "A"}, {"key": "B"}
    questions = [Question("exam", "Which?", answer, key) for answer in ("A", "B", "A", "A")]
    with Judges(2) as judges:
        told = [one.why for one in judges.judge([*questions, Question("exam", "Which?", "A", other)])]
    assert told == ["A", "B", "A", "A", "A"]
    assert sorted((one.answer, one.reference["key"]) for one in asked) == [("A", "A"), ("A", "B"), ("B", "A")]


def test_what_takes_too_long_has_failed_and_the_next_is_judged() -> None:
    with Judges(seconds=0.0) as judges:
        (late,) = judges.judge([Question("exam", "", "B " * 500_000, {"key": "B"})])
    assert late.state == "failed"
    with Judges(processes=2, seconds=30.0) as judges:
        told = list(judges.judge([Question("exam", "", letter, {"key": "B"}) for letter in "ABCD"]))
    assert [one.state for one in told] == ["wrong", "right", "wrong", "wrong"]


def test_an_audit_tells_counts_and_writes_verdicts_in_order(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    rows = [
        {"id": "1", "class": "a", "prompt": "", "answer": "B", "reference": {"key": "B"}, "expected": "right"},
        {"id": "2", "class": "a", "prompt": "", "answer": "B", "reference": {"key": "B"}, "expected": "wrong"},
        {
            "id": "3",
            "class": "b",
            "prompt": "",
            "answer": "no idea",
            "reference": {"key": "B"},
            "expected": "right",
            "note": "kept",
        },
        {
            "id": "4",
            "class": "b",
            "repeat": {"unit": "B ", "times": 1, "suffix": ""},
            "reference": {"key": "B"},
            "expected": "right",
        },
    ]
    cases.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    told = CliRunner().invoke(
        main, ["verifier", "audit", "exam", "--cases", str(cases), "--out", str(tmp_path / "v.jsonl"), "--json"]
    )
    assert told.exit_code == 0, told.output
    counts = json.loads(told.stdout)
    assert (counts["cases"], counts["false_accept"], counts["false_reject"], counts["failed"]) == (4, 1, 1, 0)
    assert counts["by_class"]["a"]["false_accept"] == 1
    verdicts = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["id"] for one in verdicts] == ["1", "2", "3", "4"]
    assert {"id", "state", "score", "extracted", "why"} <= set(verdicts[0])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 1"),
        ('{"id": "1", "answer": "B"}', "line 1"),
        ('{"id":"1","answer":"B","reference":{"kee":"B"},"expected":"right"}', "case 1"),
        ("[]", "line 1"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_line(tmp_path: Path, line: str, told: str) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(WrongCall, match=told):
        CliRunner().invoke(
            main, ["verifier", "audit", "exam", "--cases", str(cases)], catch_exceptions=False, standalone_mode=False
        )


def test_a_users_table_stands_beside_ours(tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text("drugs:\n  metformin: [sugardown]\ndiagnoses:\n  K81.0: [hot gallbladder]\n", encoding="utf-8")
    drug = Question("medication", "", "sugardown", {"drugs": [{"name": "metformin"}]})
    disease = Question("diagnosis", "", "hot gallbladder", {"codes": ["K81.0"]})
    with Judges(tables=[str(table)]) as judges:
        assert [one.state for one in judges.judge([drug, disease])] == ["right", "right"]
    with Judges() as judges:
        assert all(one.state != "right" for one in judges.judge([drug, disease]))


@pytest.mark.parametrize("name", NAMES)
def test_halves_of_characters_are_judged_like_other_signs(name: str) -> None:
    verifier = VERIFIERS.get(name)
    for answer in ("\ud800", 'x\udfff {"a": "\ud800"} ' * 20):
        verdict = verifier.judge("Q\ud800?", answer, verifier.read(REFERENCES[name]))
        assert verdict.state != "failed", verdict.why
        json.dumps(verdict.extracted, ensure_ascii=False, default=str).encode()


def test_a_half_of_a_character_beside_a_letter_is_left_out() -> None:
    verifier = VERIFIERS.get("exam")
    assert verifier.judge("Q?", "\ud800B", verifier.read(REFERENCES["exam"])).state == "right"
