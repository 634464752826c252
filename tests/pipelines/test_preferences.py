"""Pairs of answers through the whole of curation, down to shards of both sides."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from schemas.errors import Unreadable
from schemas.manifest import load_manifest
from schemas.recipe import PreferenceForm
from sources.preference_rows import preferences_from_row
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate
from tokenization.tokenizer import load_tokenizer

RECIPE = """
name: preferred
sources:
  - {name: pairs, files: "*.jsonl", source_type: dialogue, preferences: auto}
  - name: graded
    files: "*.csv"
    source_type: dialogue
    preferences: {user: "{q}", chosen: "{good}", rejected: "{bad}", aspect: honesty, strength: "{by}"}
steps: [normalise, {phi: {}}]
dedup: {exact: true, minhash: null}
decontaminate: {benchmarks: [{name: held_out, files: held_out.json}], action: drop}
tokenizer: {train: {vocab_size: 400}}
conversations: {template: chatml, max_tokens: 120}
mixtures:
  pairs: {kind: preferences, components: [{name: all}]}
  texts: {kind: documents, components: [{name: all}]}
max_quarantined: 0.9
"""
ULTRA = {
    "instruction": "Is it safe to drive after one tablet of diazepam?",
    "completions": [
        {"response": "No: it makes one drowsy.", "annotations": {"helpfulness": {"Rating": "4"}, "honesty": {"Rating": "5"}}},
        {"response": "Surely.", "annotations": {"helpfulness": {"Rating": "2"}, "honesty": {"Rating": "5"}}},
        {"response": "I cannot know.", "annotations": {"helpfulness": {"Rating": "N/A"}, "honesty": {"Rating": "3"}}},
    ],
}  # fmt: skip
HH = {
    "chosen": "\n\nHuman: My foot hurts.\n\nAssistant: Since when?\n\nHuman: Two days.\n\nAssistant: Rest it, and see a doctor.",
    "rejected": "\n\nHuman: My foot hurts.\n\nAssistant: Since when?\n\nHuman: Two days.\n\nAssistant: So what.",
}  # fmt: skip


def test_forms_of_others_become_pairs() -> None:
    (one,) = preferences_from_row(HH, "auto")
    assert [turn.role for turn in one.turns] == ["user", "assistant", "user"]
    assert (one.chosen, one.rejected) == ("Rest it, and see a doctor.", "So what.")
    helpful, honest = preferences_from_row(ULTRA, "auto")
    assert (helpful.aspect, helpful.chosen, helpful.rejected, helpful.strength) == (
        "helpfulness", "No: it makes one drowsy.", "Surely.", 2.0,
    )  # fmt: skip
    assert (honest.aspect, honest.rejected, honest.strength) == ("honesty", "I cannot know.", 2.0)
    said = [{"role": "user", "content": "q"}]
    trl = {"prompt": said, "chosen": [*said, {"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": "b"}]}  # fmt: skip
    (one,) = preferences_from_row({**trl, "score_chosen": 4.5, "score_rejected": 3}, "auto")
    assert ([turn.content for turn in one.turns], one.chosen, one.rejected, one.strength) == (["q"], "a", "b", 1.5)
    implicit = {"chosen": [*said, {"role": "assistant", "content": "a"}], "rejected": [*said, {"role": "assistant", "content": "b"}]}  # fmt: skip
    assert preferences_from_row(implicit, "trl")[0].turns == one.turns
    assert preferences_from_row({"prompt": "q", "chosen": "a", "rejected": "b", "system": "s"}, "auto")[0].turns[0].role == "system"  # fmt: skip
    form = PreferenceForm(user="{q}", chosen="{a}", rejected="{b}", strength="{s}")
    assert preferences_from_row({"q": "?", "a": "1", "b": "2", "s": ""}, form)[0].strength is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "q", "chosen": "same", "rejected": " same "}, "equal"),
        ({"prompt": "q", "chosen": "", "rejected": "b"}, "neither"),
        ({"prompt": "q", "chosen": "a", "rejected": " "}, "rejected answer is empty"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "ends with a user"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 2}, "changed places"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "strength": -1}, "greater than or equal"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "strength": "strong"}, "no number"),
        ({"instruction": "q", "completions": [{"response": "a"}]}, "two or more"),
        ({"instruction": "q", "completions": [{"response": "a"}, {"response": "b"}]}, "no aspect"),
        ({"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: a"}, "not one answer"),
        ({"text": "nothing"}, "no preference in columns"),
    ],
)
def test_what_is_no_pair_is_refused_with_the_reason(row: dict[str, object], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        preferences_from_row(row, "auto")


def test_pairs_are_curated_and_sharded(tmp_path: Path) -> None:
    number = "138 0013 8000"
    rows = [
        {"prompt": f"May I take ibuprofen with warfarin, {n}?", "chosen": f"No, bleeding {n}.", "rejected": f"Yes {n}."}
        for n in range(30)
    ]
    rows += [rows[0], {**rows[1], "rejected": rows[1]["chosen"]}, {**rows[2], "rejected": "long " * 200}, HH, ULTRA]
    rows.append({**rows[3], "rejected": f"Call me: {number}, I am your doctor."})
    rows.append({**rows[4], "rejected": "The vessel that carries blood from the right ventricle to the lungs of a healthy adult person is here"})  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "b.csv").write_text("q,good,bad,by\nHow sure are you?,Not at all.,Wholly.,2\nSame?,Yes,Yes,1\n")
    asked = "The vessel that carries blood from the right ventricle to the lungs of a healthy adult person is"
    (tmp_path / "held_out.json").write_text(
        json.dumps([{"question": asked, "options": ["This", "That"], "answer": "A"}])
    )
    run = tmp_path / "run"
    curate("run", write_recipe(tmp_path, RECIPE), "--run-dir", run, "--workers", 1)
    table = pa.ipc.open_file(next((run / "shards/pairs/all").glob("*.arrow"))).read_all()
    found = table.to_pylist()
    assert len(found) == 30 + 1 + 2 + 1 + 1
    tokenizer = load_tokenizer(run / "tokenizer/tokenizer.json").tokenizer
    for one in found:
        sides = [tokenizer.decode(one[name], skip_special_tokens=False) for name in ("input_ids", "rejected_ids")]
        question = tokenizer.decode(one["input_ids"][: one["prompt_tokens"]], skip_special_tokens=False)
        assert all(side.startswith(question) and side.endswith("<|im_end|>") for side in sides)
        assert question.endswith("<|im_start|>assistant\n")
        assert sides[0] != sides[1]
        assert number not in sides[1]
    told = load_manifest(run).mixtures
    counted = told["pairs"].components["all"]
    assert counted.tokens == sum(len(one["input_ids"]) for one in found)
    assert (
        counted.rejected_tokens == counted.shards[0].rejected_tokens == sum(len(one["rejected_ids"]) for one in found)
    )
    assert "rejected_tokens" not in told["texts"].model_dump()["components"]["all"]
    assert sorted({one["aspect"] for one in found}) == ["helpfulness", "honesty", "overall"]
    graded = next(one for one in found if one["source"] == "graded")
    assert (graded["strength"], graded["aspect"]) == (2.0, "honesty")
    assert pa.ipc.open_file(next((run / "shards/texts/all").glob("*.arrow"))).read_all().num_rows == 0
    assert set(pl.read_parquet(run / "dropped/*.parquet")["dropped_by"]) == {"exact", "decontaminate"}
    quarantined = pl.read_parquet(run / "quarantined/*.parquet")
    assert quarantined["error"].str.contains("equal: neither").sum() == 2
    curate("verify", run)


def test_labelled_packets_come_back_in_three_forms() -> None:
    about = {"prompt": "Is it safe?", "answer_a": "No.", "answer_b": "Yes.", "aspect": "honesty", "pair": "1"}
    (one,) = preferences_from_row({**about, "preferred": "b", "annotator": "ann", "why_chosen": "x"}, "auto")
    assert (one.chosen, one.rejected, one.aspect, one.annotator) == ("Yes.", "No.", "honesty", "ann")
    studio = {
        "id": 1,
        "data": about,
        "annotations": [
            {"completed_by": number, "result": [{"value": {"choices": [choice]}}]}
            for number, choice in ((7, "a"), (8, "tie"), (9, "b"))
        ],
    }
    first, second = preferences_from_row(studio, "auto")
    assert (first.chosen, first.annotator, second.chosen, second.annotator) == ("No.", "7", "Yes.", "9")
    argilla = {
        "fields": {name: about[name] for name in ("prompt", "answer_a", "answer_b")},
        "metadata": {"aspect": "honesty"},
        "responses": {"preferred": [{"value": "a", "user_id": "u1"}]},
    }
    (one,) = preferences_from_row(argilla, "labels")
    assert (one.chosen, one.aspect, one.annotator) == ("No.", "honesty", "u1")
    for preferred, why in (("", "not labelled"), ("tie", "tie"), ("c", "a label is")):
        with pytest.raises(Unreadable, match=why):
            preferences_from_row({**about, "preferred": preferred}, "auto")


def test_one_pair_that_is_judged_in_several_respects_stays_a_pair_in_each(tmp_path: Path) -> None:
    rated = {aspect: {"Rating": "5"} for aspect in ("helpfulness", "honesty", "truthfulness")}
    rows = [
        {
            "instruction": f"How is asthma of grade {grade} treated?",
            "completions": [
                {"response": f"With inhalers of step {grade}.", "annotations": rated},
                {"response": "It is not.", "annotations": {aspect: {"Rating": "1"} for aspect in rated}},
            ],
        }
        for grade in ("one", "two")
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, [*rows, rows[0]])))
    (tmp_path / "b.csv").write_text("q,good,bad,by\n")
    (tmp_path / "held_out.json").write_text(json.dumps([{"question": "Other?", "options": ["x", "y"], "answer": "A"}]))
    run = tmp_path / "run"
    told = curate("run", write_recipe(tmp_path, RECIPE), "--run-dir", run, "--workers", 1).stderr
    assert "1 of 1 questions of benchmark 'held_out' have fewer than 6 letters" in told
    table = pa.ipc.open_file(next((run / "shards/pairs/all").glob("*.arrow"))).read_all()
    assert sorted(table["aspect"].to_pylist()) == sorted([*rated, *rated])
    assert pl.read_parquet(run / "dropped/*.parquet")["dropped_by"].to_list() == ["exact"] * 3
