"""Benchmark items planted in texts: found whole, shuffled, without spaces, in part; clean text is left."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.contamination_index import build_index, load_index, save_index
from dedup.decontamination import SENTENCE_END, cut_spans, find_items, flagged_only
from schemas.benchmark import BenchmarkItem
from schemas.errors import WrongCall
from sources.benchmark_items import read_items

LONG = BenchmarkItem(
    benchmark="b",
    id="long",
    question="A 58-year-old man has crushing chest pain for one hour and his blood pressure falls after nitroglycerin "
    "is given by the ambulance crew. Which of the following is the most appropriate next step in management?",
    options=("Intravenous fluid", "Oral beta blocker", "Immediate discharge", "Repeat nitroglycerin"),
)
SHORT = BenchmarkItem(
    benchmark="b",
    id="short",
    question="Antidote for heparin?",
    options=("Protamine", "Vitamin K", "Naloxone", "Glucagon"),
)
CHINESE = BenchmarkItem(
    benchmark="b",
    id="zh",
    question="下列哪一项不是急性左心衰竭的典型表现",
    options=("端坐呼吸", "咳粉红色泡沫痰", "双肺湿啰音", "肝颈静脉回流征阳性"),
)
CLEAN = "Acute heart failure is treated with oxygen, nitrates and diuretics. 急性左心衰竭的患者常有端坐呼吸，双肺可闻及湿啰音。"


def found(*texts: str) -> list[set[str]]:
    """Items found in each text."""
    ids = pl.Series([str(number) for number in range(len(texts))])
    hits = find_items(ids, pl.Series(list(texts)), build_index([LONG, SHORT, CHINESE]))
    hits = hits.filter(~flagged_only(hits))
    return [set(hits.filter(pl.col("id") == one)["item"]) for one in ids]


def test_whole_items_are_found_in_any_order_and_without_spaces() -> None:
    shuffled = f"Before. {SHORT.question} {' '.join(reversed(SHORT.options))} After."
    squeezed = "".join((LONG.question + "".join(LONG.options)).split()).upper()
    spaced = " ".join(CHINESE.question) + "\n" + "\n".join(CHINESE.options[::-1])
    assert found(shuffled, squeezed, spaced) == [{"short"}, {"long"}, {"zh"}]


def test_most_of_a_long_question_is_found_and_a_passage_that_it_quotes_is_not() -> None:
    words = LONG.question.split()
    assert found("He wrote: " + " ".join(words[3:]) + " and so on.") == [{"long"}]
    assert found("He wrote: " + " ".join(words[3:18]) + " and so on.") == [set()]


def test_clean_text_and_bare_short_questions_are_left() -> None:
    told = "The antidote for heparin is protamine, which binds it within minutes of being given."
    assert found(CLEAN, told, "", "下列哪一项不是") == [set()] * 4


def test_a_short_question_counts_where_it_is_a_sentence_of_its_own() -> None:
    assert found("Review.\nAntidote for heparin?\nThink before you turn the page.") == [set()]
    assert found("Review.\nAntidote for heparin?\nProtamine, or vitamin K?") == [{"short"}]
    assert found(f"Antidote for heparin?\n{LONG.question}") == [{"short", "long"}]
    assert found("We looked for an antidote for heparin, in vain.") == [set()]


def test_noise_and_page_breaks_do_not_hide_an_item() -> None:
    noisy = LONG.question.replace("chest", "che5t").replace("blood", "bl0od").replace("management", "managernent")
    words = CHINESE.question
    broken = f"{words[:9]}\n\n137\n\n内科学 第三卷\n\n{words[9:]}\n" + "\n".join(CHINESE.options)
    assert found(f"{noisy} {' '.join(LONG.options)}", broken) == [{"long"}, {"zh"}]


def test_a_vignette_with_other_numbers_and_words_is_noted_not_dropped() -> None:
    changed = (
        "A 61-year-old woman has crushing chest pain for two hours and her pulse falls after morphine is given by "
        "the ambulance crew. Which of the following is the best next step?"
    )
    hits = find_items(pl.Series(["a"]), pl.Series([changed]), build_index([LONG, SHORT, CHINESE]))
    assert hits["kind"].to_list() in (["near-copy"], [])
    assert flagged_only(hits).all()


def test_boilerplate_shared_by_many_items_is_no_hit() -> None:
    tail = " which one of the following statements about the management of this patient is most likely to be correct"
    items = [BenchmarkItem(benchmark="b", id=str(n), question=f"Item number {n} of the set:" + tail) for n in range(6)]
    text = "In practice we ask" + tail + " in every round."
    assert find_items(pl.Series(["a"]), pl.Series([text]), build_index(items)).is_empty()


def test_spans_are_cut_at_sentences() -> None:
    text = f"First sentence stays. {LONG.question} Last sentence stays."
    hits = find_items(pl.Series(["a"]), pl.Series([text]), build_index([LONG]))
    cut = cut_spans(text, list(hits.select("start", "end").iter_rows()))
    assert cut.startswith("First sentence stays.")
    assert cut.endswith("Last sentence stays.")
    assert "nitroglycerin" not in cut


@given(
    st.lists(st.sampled_from(["word", " ", ". ", "3.5", "? ", "。", "心", "\n"]), min_size=1, max_size=30).map("".join),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 12)), max_size=5),
)
def test_every_sentence_that_a_span_touches_goes_and_no_other(text: str, places: list[tuple[int, int]]) -> None:
    data = text.encode()
    spans = [(start % len(data), min(start % len(data) + length, len(data))) for start, length in places]
    ends = [0, *(match.end() for match in SENTENCE_END.finditer(data)), len(data)]
    sentences = [(low, high) for low, high in itertools.pairwise(ends) if low < high]
    kept = [data[a:b] for a, b in sentences if not any(start < b and a < end for start, end in spans)]
    assert cut_spans(text, spans) == b"".join(kept).decode().strip()


def test_an_index_survives_saving(tmp_path: Path) -> None:
    index = build_index([LONG, SHORT, CHINESE])
    save_index(index, tmp_path / "index.npz")
    texts = pl.Series([LONG.question, CLEAN])
    ids = pl.Series(["a", "b"])
    assert find_items(ids, texts, load_index(tmp_path / "index.npz")).equals(find_items(ids, texts, index))


@pytest.mark.parametrize(
    ("name", "items", "options"),
    [
        ("cmexam_val.xlsx", 6811, 5),
        ("medbullets_op4.csv", 308, 4),
        ("medmcqa_input.jsonl", 4183, 4),
        ("medqa_input.jsonl", 1273, 4),
        ("medxpertqa_sampled_text_input.jsonl", 244, 10),
        ("mmlu_medical_input.jsonl", 1089, 4),
        ("pubmedqa_ori_pqal.json", 1000, 0),
        ("pubmedqa_test_ground_truth.json", 0, 0),
    ],
)
def test_every_real_benchmark_is_read(shared: Path, name: str, items: int, options: int) -> None:
    read = list(read_items("x", shared / "benchmarks" / name))
    assert len(read) == items
    if read:
        counts = sorted(len(item.options) for item in read)
        assert counts[len(counts) // 2] == options
        assert all(item.question for item in read)


def test_real_items_planted_in_real_text_are_found(shared: Path) -> None:
    items = [
        item
        for name in ("medqa_input.jsonl", "cmexam_val.xlsx", "medmcqa_input.jsonl")
        for item in list(read_items(name, shared / "benchmarks" / name))[:300]
    ]
    index = build_index(items)
    texts = [f"{CLEAN}\n{item.question}\n{' '.join(sorted(item.options))}\n{CLEAN}" for item in items]
    hits = find_items(pl.Series([str(n) for n in range(len(items))]), pl.Series(texts), index)
    expected = {(str(n), item.benchmark, item.id) for n, item in enumerate(items)}
    got = set(hits.select("id", "benchmark", "item").iter_rows())
    checkable = index.items["checkable"].to_list()
    wanted = {one for one, good in zip(sorted(expected, key=lambda e: int(e[0])), checkable, strict=True) if good}
    assert len(wanted & got) >= 0.99 * len(wanted)


def test_unknown_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"frage": "was"}\n')
    with pytest.raises(WrongCall, match="say which with `columns`"):
        list(read_items("b", path))
    assert next(iter(read_items("b", path, {"question": "frage"}))).question == "was"
    path.write_text("{broken\n")
    with pytest.raises(WrongCall, match="line 1"):
        list(read_items("b", path))
    with pytest.raises(WrongCall, match="no reader"):
        list(read_items("b", tmp_path / "b.doc"))


@given(
    st.lists(
        st.tuples(st.text("aB ?症。1", max_size=8), st.lists(st.text("aB 症。", max_size=3), max_size=3)), max_size=3
    ),
    st.text("aB ?症。1", max_size=30),
)
def test_benchmarks_of_hardly_any_letters_are_held_against_like_others(asked: list, text: str) -> None:
    items = [
        BenchmarkItem(benchmark="b", id=str(number), question=question, options=tuple(options))
        for number, (question, options) in enumerate(asked)
    ]
    hits = find_items(pl.Series(["x", "y"]), pl.Series([text, CLEAN]), build_index(items))
    assert set(hits["item"]) <= {one.id for one in items}
    assert not (set(hits.filter(~flagged_only(hits))["id"]) - {"x"})
