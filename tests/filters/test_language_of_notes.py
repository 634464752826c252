"""Short clinical texts: notes without verbs are English by their words, other languages stay other languages."""

from __future__ import annotations

import pytest

from filters.language import english_share, language
from tests.conftest import batch


def kept(texts: list[str]) -> list[str | None]:
    """Language of each text that the step keeps."""
    outcome = language(batch(texts), keep=["en", "zh"], min_score=0.5)
    assert outcome.reasons is not None
    found = outcome.columns["language"]
    return [name if reason is None else None for name, reason in zip(found, outcome.reasons, strict=True)]


ENGLISH = [
    "rales bil bases, no S3. BP 148/92 HR 76 RR 18 SpO2 94% RA. d/c home w/ GP f/u 1/52",
    "PMH: paroxysmal AF, Hashimoto thyroiditis. Meds: apixaban 5 mg bid, levothyroxine 75 mcg.",
    "IMPRESSION: NO ACUTE CARDIOPULMONARY DISEASE.",
    "45 yo woman. BIBA post seizure",
    "09:00 [NAME] - diabetic foot check",
    "s/p CABG 2019. Na 131, K 5.4, Cr 188. continue apixaban 5 mg bid",
]
CHINESE = [
    "乙肝表面抗原阴性.乙肝表面抗体阴性.乙肝e抗原阴性.乙肝e抗体阴性.乙肝核心抗体阳性",
    "血常规：WBC 12.3×10^9/L，CRP 42 mg/L，PLT 210",
]
CHINESE += [
    "发件人：[NAME] <chen@example.net>",
    "心电图：ST-T改变，LVEF 42%，BNP 812 pg/mL",
    "查MRI未见异常，予IVIG 20g ivgtt qd",
]
OTHERS = [
    "Der Patient klagt seit drei Tagen über Brustschmerzen.",
    "Sin fiebre ni disnea, abdomen blando y depresible.",
    "Le scanner ne montre pas d'embolie pulmonaire.",
    "Addome trattabile, non dolente alla palpazione.",
    "Paciente com dor abdominal, sem febre, em uso de metformina.",
    "腹部は柔らかく、圧痛はありません。",
]


@pytest.mark.parametrize("text", ENGLISH)
def test_notes_without_verbs_are_english(text: str) -> None:
    assert kept([text]) == ["en"]


@pytest.mark.parametrize("text", CHINESE)
def test_mixed_scripts_are_chinese(text: str) -> None:
    assert kept([text]) == ["zh"]


@pytest.mark.parametrize("text", OTHERS)
def test_other_languages_stay_out(text: str) -> None:
    assert kept([text]) == [None]


def test_marks_addresses_and_names_tell_of_no_language() -> None:
    assert english_share("[NAME] [PHONE] anna@example.com https://example.com/page") == 0.0
    assert english_share("chest clear, Przybylski") == 1.0  # a capitalised word may be a name
    assert english_share("brzuch miękki, chest clear") == pytest.approx(0.5)
