"""Chinese names of persons, in the places where records, letters and consultations put them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.chinese_told import APART_ZH, ROLE_ZH, amid_classics, roles, running
from filters.privacy.chinese_words import GRAMMAR, HAN, name_length, surname_of, words_at
from filters.privacy.finder import Finder, Search, each_match
from filters.privacy.lexicon import Lexicon, is_medical, ordinary_words
from filters.privacy.spans import Span

# What a form calls the person whose name follows, with a colon.
LABEL_ZH: Final = (
    r"(?:患者|病人|产妇|患儿|家属|联系人|监护人|委托人|授权人|被授权人)?(?:姓\s{0,4}名|签\s{0,2}名|签\s{0,2}字)|联系人|监护人|委托人|患者|病人|病员|产妇|患儿|家属|"
    r"(?:经治|主治|住院|主任|副主任|主管|接诊|管床|首诊|申请|报告|审核|检验|送检|手术|麻醉|值班|上级|签名|责任)?(?:医师|医生|医士|护士)(?:签名|签字)?|"
    r"术者|手术者|主刀|助手|第[一二三]助手|麻醉者|麻醉师|洗手护士|巡回护士|记录者|记录人|报告者|报告人|审核者|审核人|检查者|检验者|操作者|"
    r"病史陈述者|陈述者|供史者|陪护人?|父亲|母亲|丈夫|妻子|配偶|儿子|女儿|爱人|法定代理人|代理人|收件人|寄件人|开单医生|处方医师|药师|调配|核对"
)
LABELLED_ZH: Final = re.compile(
    rf"(?:{LABEL_ZH})\s?(?:\([^()]{{0,8}}\))?[ ]?[:/][ ]{{0,4}}(?P<name>[{HAN}·]{{2,12}}|[{HAN}](?:[ ]{{1,2}})[{HAN}])"
)
SAID_ZH: Final = re.compile(
    rf"(?:我叫|名叫|姓名是|名字是|名字叫|本人叫?|署名|此致|敬礼|叫做)\s?(?P<name>[{HAN}]{{2,4}})"
)
TITLES_ZH: Final = (
    r"主治医[师生]|主任医师|副主任医师|住院医师|副主任|主任|医师|医生|大夫|教授|护士长|护士|院长|副院长|博士|专家|药师|技师|治疗师|营养师|咨询师|律师|老人|校长|"
    r"先生|女士|小姐|太太|阿姨|叔叔|师傅|老师|同志|大爷|大妈|奶奶|爷爷|某某|某"
)
TITLE_ZH: Final = re.compile(rf"(?P<before>[{HAN}]{{0,4}}?)(?P<title>{TITLES_ZH})(?![些个种天日年月段地处类位])")
PATIENT_ZH: Final = re.compile(
    rf"(?:患者|病人|病员|产妇|患儿|死者|伤者|家属)\s?(?P<name>[{HAN}]{{2,4}}?)(?=\s?[,，、。(（;；]|\s?[男女]\s?[,，、\d(（]|因|于\d|\s\d)"
)
# A note begins with its patient: 韩志远，男，56岁.
HEAD_ZH: Final = re.compile(
    rf"(?m)^[ ]{{0,4}}(?P<name>[{HAN}]{{2,4}}|[{HAN}]{{2,6}}·[{HAN}]{{2,8}})[ ]?[,，、 ][ ]?[男女](?:性)?[ ]?[,，、 ][ ]?\d{{1,3}}[ ]?岁"
)
MINORITY: Final = re.compile(
    rf"(?<![第卷])(?![第卷之])(?P<name>[{HAN}]{{2,6}}·[{HAN}]{{2,8}})(?=[ ]?(?:[,，、。(（ ]|因|于|$))"
)
# Surnames that are particles and verbs in classics: 盖先生之学, 闻先生名, 尤敬先生.
PARTICLES: Final = frozenset("盖闻尤咸苟云")
# Words that stand before a name and a title: 请张医生, 谢谢王主任.
BEFORE_NAME: Final = frozenset("请找看挂问谢感跟和与由让给是的了经听让叫被为向从对在及到遵照按约邀随")
# A form's field names, which may follow an empty field: 姓名：性别：男.
FIELD_WORDS: Final = frozenset(
    [
        "性别",
        "年龄",
        "民族",
        "婚姻",
        "职业",
        "籍贯",
        "住址",
        "地址",
        "电话",
        "科室",
        "科别",
        "床号",
        "床位",
        "住院",
        "住院号",
        "门诊",
        "日期",
        "时间",
        "诊断",
        "关系",
        "本人",
        "其他",
        "不详",
        "病史",
        "主诉",
        "无",
        "同上",
        "患者",
        "医师",
        "医生",
        "签名",
        "父亲",
        "母亲",
        "家属",
    ]
)


def _minority_zh(text: str, low: int, high: int) -> Iterator[Span]:
    """Names with a point in them; a book and its chapter have one too: 《灵枢·痈疽》."""
    for match in MINORITY.finditer(text, low, high):
        book = text[max(0, match.start() - 1) : match.start()] in ("《", "〈")
        if not (book or is_medical(match.group("name")) or amid_classics(text, low, high)):
            yield Span(match.start("name"), match.end("name"), "NAME")


def _labelled_zh(lexicon: Lexicon) -> Search:
    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in LABELLED_ZH.finditer(text, low, high):
            name = _cut_name(match.group("name"), lexicon, "名" in match.group().split(match.group("name"))[0])
            if name:
                yield Span(match.start("name"), match.start("name") + len(name), "NAME")

    return find


def _told_zh(pattern: re.Pattern[str], lexicon: Lexicon) -> Search:
    return each_match("NAME", pattern, "name", lambda name: is_chinese_name(name, lexicon))


def _titled_zh(lexicon: Lexicon) -> Search:
    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in TITLE_ZH.finditer(text, low, high):
            before, title, at = match.group("before"), match.group("title"), match.start("title")
            length = _name_before(before, title, text, at, lexicon) or _cut_before(text, at, title, lexicon)
            if length and not (text[at - length] in PARTICLES and amid_classics(text, low, high)):
                yield Span(at - length, match.end("title") if title.startswith("某") else at, "NAME")

    return find


def _cut_before(text: str, at: int, title: str, lexicon: Lexicon) -> int:
    """The same by the edges of words: 遵欧医生医嘱, 预约徐建华教授, 骨科杜丽华主任."""
    if title.startswith("某"):
        return 0
    start = at
    while start > max(0, at - 12) and re.match(f"[{HAN}]", text[start - 1]):
        start -= 1
    words = words_at(text, start, at - start + len(title))
    here = at - start
    for length in (4, 3, 2):
        if length <= here and name_length(words, here - length, lexicon, told=True) == length:
            return length
    surname = words.text[here - 1 : here]
    alone = here - 1 in words.edges and (here in words.edges or here + len(title) in words.edges)
    asked = surname not in lexicon.word_surnames and words.text[here - 2 : here - 1] in BEFORE_NAME
    known = surname in lexicon.surnames and (surname not in lexicon.doubtful_surnames or asked)
    return int(bool(surname) and alone and known)


def _cut_name(value: str, lexicon: Lexicon, named: bool = False) -> str:
    """The name at the head of what follows a label: `张三性别男` is 张三; a field's name is none.

    `named`: the label asks for a name, so that it may be a word (高峰, 安宁).
    """
    squeezed = value.replace(" ", "")
    if is_medical(squeezed):
        return ""
    for length in (2, 3, 4):
        if squeezed[:length] in FIELD_WORDS:
            return ""
    for length in range(2, len(squeezed)):
        rest = squeezed[length:]
        if any(rest.startswith(word) for word in FIELD_WORDS) or rest[0] in "男女":
            return value[:length] if " " not in value else value
    if "·" in value:
        return value
    surname = surname_of(squeezed, lexicon) or (squeezed[:2] if squeezed[:2] in lexicon.rare_surnames else None)
    if surname is None:
        return value if 2 <= len(squeezed) <= 3 and squeezed not in ordinary_words() and not _epithet(squeezed) else ""
    longest = len(surname) + 2
    if len(squeezed) <= longest:
        word = squeezed in ordinary_words() and not named
        return "" if word or squeezed in lexicon.eponyms_zh | lexicon.not_names_zh else value
    return ""


def _epithet(value: str) -> bool:
    """Whether any two characters of it are an ordinary word, so that it is speech and no name."""
    return any(value[at : at + 2] in ordinary_words() for at in range(len(value) - 1))


def is_chinese_name(value: str, lexicon: Lexicon, titled: bool = False) -> bool:
    """Whether two to four characters read as surname and given name, and not as words.

    With a title behind them two given characters may be a word of their own: 魏建军主任.
    """
    surname = surname_of(value, lexicon)
    if surname is None or not len(surname) < len(value) <= len(surname) + 2:
        return False
    if (
        value in lexicon.not_names_zh
        or value in lexicon.eponyms_zh
        or value in ordinary_words()
        or value[:2] in ordinary_words()
    ):
        return False
    given = value[len(surname) :]
    return (titled or given not in ordinary_words()) and not (given[0] in GRAMMAR or given[-1] in GRAMMAR)


def _name_before(before: str, title: str, text: str, at: int, lexicon: Lexicon) -> int:
    """How many characters before a title are a name: 张医生 1, 李小明主任 3, 主治医生 0."""
    if not before:
        return 0
    for length in () if title.startswith("某") else (4, 3, 2):
        candidate = before[-length:]
        if len(candidate) == length and is_chinese_name(candidate, lexicon, titled=length > 2):
            surname = surname_of(candidate, lexicon) or ""
            if surname in lexicon.doubtful_surnames and candidate[len(surname) :] in ordinary_words():
                continue
            previous = text[at - length - 1 : at - length]
            clear = not re.match(f"[{HAN}]", previous) or previous in BEFORE_NAME
            if clear and not (
                surname in lexicon.doubtful_surnames and previous not in BEFORE_NAME and previous.strip()
            ):
                return length
    surname = before[-2:] if before[-2:] in lexicon.surnames else before[-1:]
    if surname not in lexicon.surnames:
        return 0
    previous = text[at - len(surname) - 1 : at - len(surname)]
    joined = (
        before[-2:] in ordinary_words()
        or surname + title[0] in ordinary_words()
        or surname + title[:2] in ordinary_words()
    )
    clear = not re.match(f"[{HAN}]", previous) or (previous in BEFORE_NAME and surname not in lexicon.doubtful_surnames)
    if joined and re.match(f"[{HAN}]", previous):
        return 0
    if not clear or surname in lexicon.word_surnames:
        return 0
    return len(surname)


def chinese_finders(lexicon: Lexicon) -> tuple[Finder, ...]:
    """Finders of Chinese names. A published text names its authors, so only a form's label counts there."""
    return (
        Finder(r"(?:姓\s{0,4}名|签\s{0,2}[名字]|患者|病人|家属|联系人|监护人)\s?[:/]", _labelled_zh(lexicon)),
        Finder(rf"(?:{LABEL_ZH})\s?(?:\([^()]{{0,8}}\))?\s?[:/]", _labelled_zh(lexicon), "public"),
        Finder(r"[男女](?:性)?[ ]?[,，、 ][ ]?\d{1,3}[ ]?岁", each_match("NAME", HEAD_ZH, "name"), "personal"),
        Finder("·", _minority_zh, "personal"),
        Finder("我叫|名叫|姓名是|名字|本人|署名|此致|敬礼|叫做", _told_zh(SAID_ZH, lexicon), "personal"),
        Finder("患者|病人|病员|产妇|患儿|死者|伤者|家属", _told_zh(PATIENT_ZH, lexicon), "personal"),
        Finder(TITLES_ZH, _titled_zh(lexicon), "public"),
        Finder(rf"[{HAN}]\)?[ ]?[:/][ ]{{0,4}}[{HAN}]", roles(lexicon, ROLE_ZH), "personal"),
        Finder(rf"[{HAN}] {{1,2}}[{HAN}]", roles(lexicon, APART_ZH, in_classics=False), "personal"),
        Finder(rf"[{HAN}]{{2}}", running(lexicon), "personal"),
    )
