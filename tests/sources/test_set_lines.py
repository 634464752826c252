"""Plain text as lines and blanks set it: paragraphs joined, lists and aligned tables kept."""

from __future__ import annotations

from sources.markup.set_lines import unset

WRAPPED = """\
The patient was seen in the clinic on two occasions and
complained of pain in the chest, which was worse when she
climbed stairs and better at rest. An electrocardiogram
was normal, and troponin was not raised. She was told to
come back if the pain returned, and to take one tablet of
aspirin each day. Her general practitioner was told about
the visit, and asked to look at her blood pressure again
after two weeks.
"""
DRUGS = """\
Aspirin 81 mg by mouth every day
Metoprolol 25 mg by mouth twice a day
Atorvastatin 40 mg by mouth at night
Lisinopril 5 mg by mouth every day
Furosemide 20 mg in the morning
"""
ZH = "阿司匹林肠溶片100毫克口服每日一次早餐后\n阿托伐他汀钙片20毫克口服每晚一次睡前用\n美托洛尔缓释片47.5毫克口服每日一次晨\n氨氯地平片5毫克口服每日一次早上服用好\n"


def test_only_the_lines_of_a_wrapped_paragraph_are_joined() -> None:
    told = unset(f"{WRAPPED}\n{DRUGS}\n{WRAPPED}")
    assert "two occasions and complained of pain in the chest, which was worse when she climbed" in told
    assert DRUGS in told
    assert told.count("after two weeks.") == 2


def test_a_list_of_doses_in_chinese_stays_a_list() -> None:
    assert ZH.strip() in unset(f"出院带药\n\n{ZH}\n{ZH}\n{ZH}")


def test_a_script_without_capitals_is_joined_as_before() -> None:
    lines = ["凡人之病各有所因或因于风或因于寒或因于暑或因于湿", "不可不辨也故治病必求其本本于阴阳阴阳者天地之道也"] * 6
    assert unset("\n".join(lines)).count("\n") < 2


def test_values_stand_under_their_headings() -> None:
    table = (
        "Test          Mon      Tue      Wed\n"
        "Sodium        140               138\n"
        "Potassium              3.1      4.0\n"
        "Creatinine    88       92\n"
    )
    assert unset(f"Results\n\n{table}\nEnd.").split("\n")[2:6] == [
        "Test | Mon | Tue | Wed",
        "Sodium | 140 |  | 138",
        "Potassium |  | 3.1 | 4.0",
        "Creatinine | 88 | 92 | ",
    ]


def test_tabs_and_wide_characters_align_too() -> None:
    assert unset("项目\t周一\t周二\n钠\t140\t\n钾\t\t3.1").split("\n") == [
        "项目 | 周一 | 周二",
        "钠 | 140 | ",
        "钾 |  | 3.1",
    ]
    wide = "项目    周一  周二\n血红蛋白 120   118\n钾             3.1\n"
    assert unset(wide.replace("血红蛋白 ", "钠      ")).split("\n")[1] == "钠 | 120 | 118"


def test_two_columns_of_prose_are_no_table() -> None:
    left = [
        "The patient was seen in the clinic on",
        "two occasions and complained of pain",
        "in the chest, worse on the stairs",
    ]
    prose = "\n".join(f"{one:<42}{one}" for one in left)
    assert unset(prose) == prose
