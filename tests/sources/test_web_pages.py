"""Pages of hospitals, encyclopedias and papers, invented: what is kept, what is left out, what the page says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from sources.draft import Draft
from sources.pages.boilerplate import without_boilerplate
from sources.readers.html import page_draft

PAGES = Path(__file__).parent / "pages"
URL = "https://www.example.org/kepu/page.html"
KEPT = {
    "hospital": [
        "痛风是尿酸盐结晶沉积在关节引起的炎症，急性期以止痛为主",  # the lead
        "第一跖趾关节红、肿、热、痛，数小时内达到高峰",
        "## 如何诊断",
        "- 缓解期：别嘌醇从100 mg/d开始，目标血尿酸低于360 μmol/L。",
        "别嘌醇 | 100 mg/d | 用药前查HLA-B*5801",
    ],
    "encyclopedia": [
        "别名 | 皮肤黏膜淋巴结综合征",
        "约四分之一出现冠状动脉瘤",
        "舌乳头充血突起，如草莓样。",
        "静脉注射免疫球蛋白2 g/kg，一次输入。",
        "## 相关疾病",
        "猩红热、多系统炎症综合征（MIS-C）与川崎病的表现部分重叠",
    ],
    "clinic": [
        "Gout attacks settle within two weeks",
        "crystals of monosodium urate",
        "## Related disorders",
        "- Colchicine 1 mg, then 0.5 mg after one hour.",
        "Recommended dose: allopurinol begins at 100 mg",
        "Febuxostat | 40 mg",
        "Never miss a dose because an attack begins",
    ],
    "scripted": [
        "confirmed eleven cases of measles",
        "two hours after a patient has left it. Two doses",
        "Parents are asked to look",
    ],
}
LEFT_OUT = {
    "hospital": [
        "首页",
        "预约挂号",
        "分享到",
        "相关阅读",
        "十个误区",
        "上一篇",
        "新增三台",
        "现在好多了",
        "版权所有",
        "王小编",
    ],
    "encyclopedia": ["随机条目", "Cookie", "流行性腮腺炎", "不能代替医生", "[1]"],
    "clinic": [
        "cookies",
        "Find a doctor",
        "Read more",
        "after midnight",
        "cherry juice",
        "newsletter",
        "All rights reserved",
    ],
    "scripted": ["<p>", "&lt;", "Imprint"],
}


def page(name: str) -> Draft:
    return page_draft((PAGES / f"{name}.html").read_bytes(), URL)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_page_keeps_its_text_and_leaves_out_its_furniture(name: str) -> None:
    text = page(name).text
    assert [one for one in KEPT[name] if one not in text] == []
    assert [one for one in LEFT_OUT[name] if one in text] == []


@pytest.mark.parametrize("name", sorted(KEPT))
def test_nothing_of_a_page_stands_twice(name: str) -> None:
    blocks = page(name).text.split("\n\n")
    assert len(blocks) == len(set(blocks))


@pytest.mark.parametrize(
    ("name", "title", "published", "canonical", "licence"),
    [
        ("hospital", "痛风的诊断与治疗", "2023-04-18", "https://www.example.org/kepu/tongfeng.html", None),
        ("encyclopedia", "川崎病", None, "https://baike.example/川崎病", None),
        ("clinic", "Gout: attacks and long-term treatment", "2022-09-05", "https://library.riverside.example/gout", "CC-BY-4.0"),
        ("scripted", "Measles returns to three counties", "2024-02-11", None, None),
    ],
)  # fmt: skip
def test_a_page_says_its_heading_date_address_and_licence(
    name: str, title: str, published: str | None, canonical: str | None, licence: str | None
) -> None:
    draft = page(name)
    assert (draft.title, draft.published, draft.canonical, draft.licence) == (title, published, canonical, licence)


@pytest.mark.parametrize(
    "block",
    [
        "## Related disorders",
        "Recommended dose: 300 mg.",
        "Never miss a dose of your medicine.",
        "## Loading dose",
        "Register for antenatal care before the twelfth week.",
        "Updated guidelines 2020",
        "More on average than in the control group.",
        "Image: axial CT of the chest.",
        "See also Chapter 3 for doses in children.",
        "相关疾病",
        "更多的患者需要透析",
    ],
)
def test_medicine_is_no_pointer_and_no_furniture(block: str) -> None:
    blocks = ["# Heading", "A paragraph of the page.", block, "Another one."]
    assert without_boilerplate(blocks, frozenset()) == blocks


def test_a_pointer_in_the_middle_goes_alone_and_one_at_the_end_with_what_follows() -> None:
    long = "A sentence of the article. " * 40
    blocks = ["# Heading", long, "Read more: Another article", long, "相关阅读", "- 别的文章", "更多"]
    assert without_boilerplate(blocks, frozenset()) == ["# Heading", long, long]


def test_a_block_that_is_one_link_goes_and_a_heading_stays() -> None:
    links = frozenset({"ten foods that nobody should eat", "gout in the elderly"})
    blocks = ["# Gout in the elderly", "Ten foods that nobody should eat", "Text."]
    assert without_boilerplate(blocks, links) == ["# Gout in the elderly", "Text."]


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ("武汉的声音：有英勇的你！-新华网", "武汉的声音：有英勇的你！"),
        ("高血压的用药 - 江城第二医院", "高血压的用药"),
        ("手足口病_中国医学百科", "手足口病"),
        ("糖尿病与网膜病变", "糖尿病与网膜病变"),
    ],
)
def test_a_heading_has_no_name_of_the_site(told: str, title: str) -> None:
    page = f"<html><head><title>{told}</title></head><body><nav>x</nav><article>{'<p>' + 'A word of text. ' * 20 + '</p>'}</article></body></html>"
    assert page_draft(page.encode(), "http://www.example.com/a").title == title


@pytest.mark.parametrize("url", ["http://[unfinished", "", "urn:uuid:1", "https://例え.jp/頁"])
def test_an_odd_address_costs_no_page(url: str) -> None:
    broken = (
        b"<link rel='canonical' href='http://[::1'><script type='application/ld+json'>" + b"[" * 5000 + b"</script>"
    )
    data = (PAGES / "clinic.html").read_bytes().replace(b"<head>", b"<head>" + broken)
    draft = page_draft(data, url)
    assert "monosodium urate" in draft.text
    assert draft.canonical == "https://library.riverside.example/gout"
