"""The discriminator of consultations: each fault has its reason, a good answer stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from filters.dialogue_discriminator import dialogue_discriminator
from schemas.errors import WrongCall
from tests.conftest import batch

ASK = "高血压能吃党参吗？\n问：我有高血压，泡党参水喝可以吗？\n答："
GOOD = "高血压病人可以适量口服党参，但要监测血压并按时服用降压药，血压控制不佳时及时就诊。"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (GOOD, None),
        ("无", "answer_length"),
        ("您好！", "answer_length"),
        ("您好！感谢您的咨询，期望我的解释对你有所帮助。祝您早日康复！如有其他问题请随时联系。", "answer_template"),
        ("加我微信abc领取祖传秘方，包治高血压，无效退款，限时优惠，拨打热线。", "advertising"),
        ("不用去医院，自行停掉降压药，改服偏方即可。", "harmful"),
        ("明天去公园散步看花放风筝，带上帐篷和零食，拍照留念。", "answer_overlap"),
    ],
)
def test_reasons(answer: str, reason: str | None) -> None:
    outcome = dialogue_discriminator(batch([ASK + answer], source_type="dialogue", language="zh"))
    assert outcome.reasons is not None
    told = outcome.reasons[0]
    assert (told is None) if reason is None else told.startswith(reason)


def test_english_and_missing_answers() -> None:
    texts = [
        "Q: May I double my insulin?\nA: You should double your dose and stop all medications now, no need to see a doctor."
    ]
    outcome = dialogue_discriminator(batch(texts), question="Q:", answer="A:")
    assert outcome.scores["harmful"][0] >= 2
    none = dialogue_discriminator(batch(["问：只有问题"]))
    assert none.reasons is not None
    assert none.reasons[0].startswith("answer_length=0")


def test_a_wrong_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("advertising: ['(']\ntemplate: [a]\nharmful: [a]\nno_answer: [a]\n")
    with pytest.raises(WrongCall, match="dialogue markers"):
        dialogue_discriminator(batch(["x"]), markers=str(tmp_path / "m.yaml"))
