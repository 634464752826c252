"""Each step on small texts in both languages: what it drops, what it says, what it leaves alone."""

from __future__ import annotations

import pytest

from filters.authority import authority
from filters.c4 import c4
from filters.gopher_quality import gopher_quality
from filters.gopher_repetition import gopher_repetition
from filters.language import language
from filters.length import length
from filters.medical_terms import medical_terms
from filters.normalise import normalise
from filters.step import STEPS
from pipelines.steps import BoundStep, run_steps
from schemas.errors import WrongCall
from tests.conftest import batch, documents

ENGLISH = (
    "The patient was treated with amoxicillin for seven days and recovered. Fever had been present for two days, "
    "and there was pain on swallowing. The throat was red, and the tonsils were covered with exudate. "
    "A rapid test for group A streptococcus was positive. The doctor advised rest and plenty of fluids to drink. "
    "After two days the fever was gone. The full course was completed to prevent complications such as rheumatic fever."
)
CHINESE = (
    "患者男性，五十八岁，因胸痛两小时入院。疼痛位于胸骨后，为压榨样，伴有大汗和恶心，休息后不能缓解。"
    "心电图提示下壁导联ST段抬高，肌钙蛋白升高，诊断为急性下壁心肌梗死。立即给予阿司匹林和替格瑞洛，"
    "并且行急诊冠状动脉造影，右冠状动脉近段闭塞，植入支架一枚。术后胸痛消失，生命体征平稳，七天后出院。"
)


def test_normalise_keeps_meaning() -> None:
    text = "x²  ½ ㎎ µg\u00a0m²\r\nCO₂\x00\u200b end\n\n\n\nnext ............ 12"
    outcome = normalise(batch([text, "  \n "]))
    assert outcome.columns["text"][0] == "x² ½ ㎎ µg m²\nCO₂ end\n\nnext ... 12"
    assert outcome.reasons is not None
    assert outcome.reasons[0] is None
    assert outcome.reasons[1] == "no text: 0 characters after normalisation"
    composed = normalise(batch(["Cafe\u0301"])).columns["text"][0]
    assert composed == "Café"


def test_language_tells_and_drops() -> None:
    german = "Der Patient wurde wegen Fieber und Husten in das Krankenhaus aufgenommen und mit Antibiotika behandelt."
    classical = (
        "望而知之谓之神。望者，观其神色形态也。神者，一身之主宰，得神者昌，失神者亡。目光精彩，言语清亮，此得神也。"
    )
    outcome = language(batch([ENGLISH, CHINESE, german, classical]), keep=["en", "zh"])
    assert outcome.columns["language"].to_list() == ["en", "zh", "de", "zh"]
    assert outcome.reasons is not None
    assert [reason is None for reason in outcome.reasons] == [True, True, False, True]
    assert outcome.reasons[2].startswith("language=de (score")
    with pytest.raises(WrongCall, match="does not exist"):
        language(batch([ENGLISH]), model="/nowhere/lid.bin")


def test_length_counts_ideographs_for_more() -> None:
    outcome = length(batch([ENGLISH[:150], CHINESE[:80], ENGLISH]), min_characters=200)
    assert outcome.reasons is not None
    assert outcome.reasons.to_list() == ["length=150 < min_characters=200", None, None]


def test_quality_keeps_prose_of_both_scripts_and_drops_noise() -> None:
    noise = " ".join(["###", "12", "%%", "34"] * 60)
    listing = "\n".join("- some item of a list" for _ in range(60))
    outcome = gopher_quality(batch([ENGLISH, CHINESE, noise, listing]))
    assert outcome.reasons is not None
    assert outcome.reasons[0] is None
    assert outcome.reasons[1] is None
    assert (
        "alphabetic_words" in outcome.reasons[2]
        or "hash_ratio" in outcome.reasons[2]
        or "mean_word" in outcome.reasons[2]
    )
    assert outcome.reasons[3] == "bullet_lines=1 > max_bullet_lines=0.9"


def test_repetition_is_found_in_both_scripts() -> None:
    spam = "buy cheap pills online now " * 40
    chinese_spam = "本院专治各种疑难杂症欢迎来电咨询。" * 12
    outcome = gopher_repetition(batch([ENGLISH, CHINESE, spam, chinese_spam]))
    assert outcome.reasons is not None
    assert [reason is None for reason in outcome.reasons] == [True, True, False, False]


def test_c4_takes_out_lines_and_counts_them() -> None:
    text = ENGLISH.replace(". ", ".\n") + "\nPlease accept our cookie policy to go on.\nHome\n"
    outcome = c4(batch([text]), min_sentences=3)
    assert "cookie" not in outcome.columns["text"][0]
    assert "Home" not in outcome.columns["text"][0]
    assert outcome.edits["lines removed"][0] == 2
    dropped = c4(batch(["{ curly } and more words here. " * 6, "Lorem ipsum dolor sit amet. " * 6]))
    assert dropped.reasons is not None
    assert dropped.reasons.to_list() == ["contains a curly bracket", "contains 'lorem ipsum'"]


def test_medical_terms_tell_medicine_from_the_rest() -> None:
    football = (
        "The team scored twice in the second half, and the crowd sang until the last whistle of the referee. " * 4
    )
    chinese = "球队在下半场连进两球，全场观众欢呼雀跃，直到主裁判吹响终场哨声，比赛才宣告结束。" * 4
    outcome = medical_terms(batch([ENGLISH, CHINESE, football, chinese]))
    assert outcome.reasons is not None
    assert [reason is None for reason in outcome.reasons] == [True, True, False, False]
    assert "min_terms=2" in outcome.reasons[2]


def test_authority_follows_the_table_and_retraction_wins() -> None:
    guideline = authority(batch(["x"], source_type="guideline")).columns["authority"][0]
    given = authority(batch(["x"], source_type="web", authority="B")).columns["authority"][0]
    retracted = authority(batch(["x"], source_type="guideline", authority="A", retracted=True)).columns["authority"][0]
    review = authority(batch(["x"], source_type="literature", article_type="systematic-review")).columns["authority"][0]
    assert (guideline, given, retracted, review) == ("A", "B", "E", "A")
    kept = authority(batch(["x"], source_type="web"), keep=["A", "B"])
    assert kept.reasons is not None
    assert kept.reasons[0] == "authority=E (web page) not in A, B"


def bound(name: str, where: str | None = None, **parameters: object) -> BoundStep:
    kind = STEPS.get(name)
    return BoundStep(kind, kind.parameters(parameters), where)


def test_a_chain_loses_no_row_and_keeps_order() -> None:
    frame = documents([ENGLISH, "short", CHINESE, "", ENGLISH])
    out = run_steps(frame, [bound("normalise"), bound("length"), bound("gopher_quality")])
    assert out["id"].to_list() == frame["id"].to_list()
    assert out["dropped_by"].to_list() == [None, "length", None, "normalise", None]
    assert out["scores"].struct.field("words")[1] is None
    assert out["scores"].struct.field("length")[1] == 5


def test_where_limits_a_step() -> None:
    frame = documents(["short", "brief"])
    out = run_steps(frame, [bound("length", where="text = 'short'")])
    assert out["dropped_by"].to_list() == ["length", None]
    assert bound("normalise").scores == ("characters",)


def test_unknown_parameters_and_types_are_refused() -> None:
    with pytest.raises(WrongCall, match="did you mean 'min_characters'"):
        STEPS.get("length").parameters({"min_character": 3})
    with pytest.raises(WrongCall, match="step 'length', parameter 'min_characters'"):
        STEPS.get("length").parameters({"min_characters": "many"})
    with pytest.raises(WrongCall, match="did you mean 'gopher_quality'"):
        STEPS.get("gopher_qualty")
