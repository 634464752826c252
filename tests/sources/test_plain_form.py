"""Raised figures, tables, cut words, titles: the models that all readers of markup and pages share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.markup.characters import plain_characters
from sources.markup.html_text import body_text, parse_html
from sources.markup.hyphens import joined, words_of
from sources.markup.raised import raised
from sources.markup.tables import MOST_CELLS, Cell, laid_out, table_text
from sources.markup.titles import first_title


@pytest.mark.parametrize(
    ("before", "text", "after", "linked", "told"),
    [
        ("12%", "3,4", " of", False, ""), ("in patients", "5–7", " of", True, ""), ("for 24 h.", "12–14", "", False, ""),
        ("7.5", "8", " per", True, ""), ("fell in 9%", "[6]", "", False, ""), ("patients ", "5", " were", False, ""),
        ("40 × 10", "9", "/L", False, "^9"), ("30 kg/m", "2", ",", False, "^2"), ("10", "6–8", " CFU", False, "^(6–8)"),
        ("s", "−1", "", False, "^−1"), ("χ", "2", " test", False, "^2"), ("25 mg/m", "2", " daily", False, "^2"),
        ("Ca", "2+", " was", False, "2+"), ("HCO3", "−", "", False, "−"), ("CD4", "+", " cells", False, "+"),
        ("and ", "18", "F-FDG", False, "18"), ("[", "99m", "Tc]", False, "99m"), ("1", "st", " day", False, "st"),
        ("8.3", "a", "", False, " [a]"), ("7.9", "*", "", False, " [*]"), ("Age", "b", "", True, " [b]"),
        ("state M", "s", ", and", False, "^s"), ("p", "a", "", False, " [a]"), ("(HMMER3) ", "b", "independent", False, "[b] "),
        ("IL-2", "4", " is", False, ""), ("mice", "−/−", "", False, "−/−"), ("Brand", "®", "", False, "®"),
    ],
)  # fmt: skip
def test_a_raised_figure_keeps_its_meaning_or_goes(before: str, text: str, after: str, linked: bool, told: str) -> None:
    assert raised(before, text, after, linked) == told


def test_values_stand_under_their_headings() -> None:
    rows = [
        [Cell("Drug", rows=2), Cell("Dose", columns=2)],
        [Cell("Adults"), Cell("Children")],
        [Cell("Amoxicillin", rows=2), Cell("500 mg"), Cell("")],
        [Cell("1 g"), Cell("375 mg")],
        [Cell("In pregnancy", columns=3)],
    ]
    assert table_text(rows, "Table 1", ["[a] a note"]).split("\n") == [
        "Table 1",
        "Drug | Dose | Dose",
        "Drug | Adults | Children",
        "Amoxicillin | 500 mg | ",
        "Amoxicillin | 1 g | 375 mg",
        "In pregnancy",
        "[a] a note",
    ]


@given(
    st.lists(
        st.lists(st.builds(Cell, st.text(max_size=3), st.integers(0, 9), st.integers(0, 9)), max_size=5), max_size=6
    )
)
def test_any_spans_lay_out_to_rows_of_one_width(rows: list[list[Cell]]) -> None:
    grid = laid_out(rows)
    assert len(grid) == len(rows)
    assert len({len(line) for line in grid}) <= 1
    for row, line in zip(rows, grid, strict=True):
        assert {cell.text for cell in row} <= set(line)


def test_a_span_of_a_billion_costs_no_more_than_its_table() -> None:
    page = "<table><tr><td rowspan='1000000000' colspan='1000000000'>x</td><td>y</td></tr>" + "<tr><td>z</td></tr>" * 50
    text = body_text(parse_html(f"<html><body><p>Before.</p>{page}</table><p>After.</p></body></html>"))
    assert len(text) < 10 * MOST_CELLS
    assert "y" in text
    assert "After." in text


def test_pages_say_formulas_readings_and_lists_in_cells_once() -> None:
    page = """<html><body><h1>Doses</h1><p>The ratio <span class="katex"><span class="katex-mathml"><math><mfrac><mi>D</mi>
    <mi>V</mi></mfrac></math></span><span class="katex-html">D V</span></span> and <ruby>疟<rp>(</rp><rt>nüè</rt><rp>)</rp></ruby>疾，每四小时
    测量一次。</p><table><tr><th>Drug</th><th>Checks</th></tr><tr><td>Lithium</td><td>Before: <ul><li>level</li><li>thyroid
    </li></ul></td></tr></table><table><tr><td><h2>A part of the page</h2><p>In a table that only places it.</p></td></tr></table></body></html>"""
    text = body_text(parse_html(page))
    assert "The ratio D/V and 疟(nüè)疾，每四小时测量一次。" in text
    assert "Drug | Checks\nLithium | Before: level; thyroid" in text
    assert "## A part of the page\n\nIn a table that only places it." in text


def test_names_that_no_xml_may_have_are_read() -> None:
    page = '<html><body><p>Before <o:p>inside</o:p> <a"b>odd</a"b> <x@y>more</x@y> after<sup>2</sup>.</p></body></html>'
    text = body_text(parse_html(page))
    assert "Before" in text
    assert "inside" in text
    assert "after." in text


@pytest.mark.parametrize(
    ("before", "after", "text", "told"),
    [
        ("has en-", "tered the wound", "", "has entered the wound"),
        ("A long-", "standing ulcer", "", "A long-standing ulcer"),
        ("the beta-", "blocker", "", "the beta-blocker"),
        ("an anti-", "body", "The anti-body was weak.", "an anti-body"),
        ("an anti-", "body", "", "an antibody"),
        ("of Ultra\u00ad", "sound", "", "of Ultrasound"),
        ("Rocky Mountain-", "Smith", "", "Rocky Mountain-Smith"),
        ("from 5-", "10 days", "", None),
        ("the end.", "Next", "", None),
    ],
)
def test_words_cut_at_a_lines_end(before: str, after: str, text: str, told: str | None) -> None:
    assert joined(before, after, words_of(text)) == told


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# 某某预印本平台\n\n收稿日期：2021-03-04\n\n# 老年患者夜间跌倒的预防\n\n正文。", "老年患者夜间跌倒的预防"),
        (
            "RESEARCH ARTICLE\n\nDOI: 10.1/x\n\n# Night splints for contractures\n\nText.",
            "Night splints for contractures",
        ),
        ("# Journal of Invented Medicine\n\n# Volume 3, Issue 2\n\n# A trial of rest\n\nText.", "A trial of rest"),
        ("1\n\nOriginal Article\n\nWalking after hip surgery\n\nAbstract\n\nText.", "Walking after hip surgery"),
        ("# Reviews of falls in hospital\n\nText.", "Reviews of falls in hospital"),
        ("# 第十二章 肾脏疾病的诊断\n\n正文。", "第十二章 肾脏疾病的诊断"),
    ],
)
def test_a_title_is_no_banner_rubric_or_volume(text: str, title: str) -> None:
    assert first_title(text) == title


def test_radicals_become_the_ideographs_that_they_stand_for() -> None:
    assert plain_characters("⾼⾎压⼈⺠，ﬁrst") == "高血压人民，first"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (
            "不同品种对蜜蜂归巢能力的影响李明华² 王 芳1*张建国」赵敏1（1.某某大学动物科技学院，某市 100000）\n\n摘要：正文。",
            "不同品种对蜜蜂归巢能力的影响",
        ),
        ("# 蜜蜂归巢能力的光变分析李明，王建国，赵敏\n\n正文。", "蜜蜂归巢能力的光变分析"),
        ("李明华1,² 王建国1* 张芳」 赵敏（1.某某大学）\n\n摘要：正文。", ""),
        (
            "# 智库建设\n\n# 蜜蜂归巢能力与城市环境关系的研究\n\n# 李明 王建国\n\n正文。",
            "蜜蜂归巢能力与城市环境关系的研究",
        ),
        (
            "# 西北干旱荒漠绿洲区葡萄园水热特征及其\n\n# 主要影响因素\n\n李明1，王芳2\n\n正文。",
            "西北干旱荒漠绿洲区葡萄园水热特征及其主要影响因素",
        ),
        (
            "1 蜜蜂归巢能力及其影响因素的研究进展\n\n2 李明 王建国\n\n3 （某某大学）\n\n4 摘要：正文。",
            "蜜蜂归巢能力及其影响因素的研究进展",
        ),
        ("# 临床研究\n\n# 40岁以上妇女跌倒的结局分析\n\n# Falls of women\n\n正文。", "40岁以上妇女跌倒的结局分析"),
        ("# 1引言\n\n# 蜜蜂归巢能力的研究\n\n正文。", "蜜蜂归巢能力的研究"),
        ("# Graphical Abstract\n\n# Night splints for contractures\n\nText.", "Night splints for contractures"),
        ("# 蜜蜂归巢能力的比较分析1\n\n正文。", "蜜蜂归巢能力的比较分析"),
        ("# 公租房智能锁系统解决方案“\n\n正文。", "公租房智能锁系统解决方案“"),
        ("# 高血压、白内障\n\n正文。", "高血压、白内障"),
        ("# 常见病的防治手册：高血压、白血病\n\n正文。", "常见病的防治手册：高血压、白血病"),
        ("页首的话。\n\n# 痛风\n\n正文。", "痛风"),
        ("# Cell\n\nThe cell is the unit of life.", "Cell"),
        ("李明 王建国\n\n# 韩娥1\n\n（1.某某大学）", ""),
    ],
)
def test_a_title_has_no_authors_numbers_of_lines_or_footnotes_and_is_whole(text: str, title: str) -> None:
    assert first_title(text) == title
