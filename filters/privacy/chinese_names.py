"""Chinese names of persons, in the places where records, letters and consultations put them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.chinese_words import COUNTED, GRAMMAR, HAN, Words, name_length, runs, surname_of, words_at
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
# Whoever is called so and has a colon behind it: 受检者, 一助, 参加讨论人员, 接种人员, 户主, 发件人.
ROLE_ZH: Final = re.compile(
    rf"(?:者|人|人员|员|医?师|医?士|医生|大夫|护士长?|主任|教授|助|助手|主|主刀|刀|友|童|儿|偶|属|方|代表|对象|客户|会员|学[生员]|职工|员工|考生|长|父|母|夫|妻|子|女|兄|弟|姐|妹|亲|老公|老婆|签名|签字|姓名)"
    rf"(?:\([^()]{{0,8}}\))?[ ]?[:/][ ]{{0,4}}(?=[{HAN}])"
)
# Who is named right behind the word: 患者林桂香神志清, 兹证明乔宁, 其子李刚, 我是赵桂香.
BEFORE_ZH: Final = re.compile(
    "患者|病人|病员|产妇|患儿|死者|伤者|逝者|家属|亲属|用户|客户|同学|同事|邻居|护工|保姆|室友|病友|证者|鉴定人|陪同人|代理人|申请人|委托人|经办人|负责人|联系人|监护人|责任人|投诉人|护理员|原告|被告|律师|受检者|被保险人|当事人|"
    "证明|兹有|我是|我叫|名叫|本人|这是|联系|转告|通知|随车医生|医生|医师|大夫|护士|药师|技师|营养师|咨询师|治疗师|主任|教授|院长|"
    "其[父母子女妻夫兄弟姐妹姨叔舅姑儿]|父亲|母亲|爸爸|妈妈|丈夫|妻子|爱人|老公|老婆|老伴|儿子|女儿|女婿|儿媳|媳妇|哥哥|弟弟|姐姐|妹妹|奶奶|爷爷|外公|外婆|"
    "孙子|孙女|外甥女|外甥(?!女)|侄子|侄女|姨妈|叔叔|舅舅|姑姑|阿姨|先生|女士|老师|周[一二三四五六日]|星期[一二三四五六日]|床的|号[床机椅台]"
)
# What a note says of a person right behind the name, at the beginning of a clause: 谢浩由心内科转入, 黄东请假.
AFTER_ZH: Final = re.compile(
    "由.{2,6}(?:转入|转来|送入|收治)|因.{2,12}(?:入院|住院|就诊|来诊|收治)|仍?诉|自诉|主诉|仍有|请假|负责|值班|陪同|在场|昨[日晚夜]|今[日晨早天]|入院|出院|说"
)
# Whatever calls a person, where nothing but a name follows up to the next mark or blank: 评定人邹芳。 受种者 任辉  监护人.
CALLED_ZH: Final = re.compile(
    "(?:者|人|员|代表|对象|家长|学生|会诊|随访|回访|探视|看望|护送|抢救|陪同|联系|转告|通知|医[师生士]|护士长?|主任|教授|院长)"
)
APART_ZH: Final = re.compile(
    rf"(?:{BEFORE_ZH.pattern}|{CALLED_ZH.pattern})[ ]{{1,3}}(?=[{HAN}]{{2,5}}(?:[ ,，、。;；()（）\n]|$))"
)
LEAST_CLASSICAL: Final = 3  # a form that says 受种者 is none
AROUND: Final = 2_000  # characters on either side that tell whether a stretch stands in a classic
LISTED: Final = re.compile(r"[ ]?[、,/和及与][ ]?|[ ]{1,3}")
CLASSICAL: Final = 0.015  # of the characters that classics and prescriptions are full of; the real classics have 2 to 8%, consultations 0.2%
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
            if length:
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


def _roles_zh(lexicon: Lexicon, called: re.Pattern[str]) -> Search:
    """Whoever stands behind what calls a person and a colon or a blank, and those who are listed with the first."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        if called is APART_ZH and _amid_classics(text, low, high):
            return
        for match in called.finditer(text, low, high):
            yield from _listed(text, match.end(), lexicon)

    return find


def _listed(text: str, at: int, lexicon: Lexicon) -> Iterator[Span]:
    while length := name_length(words_at(text, at), 0, lexicon, told=True):
        yield Span(at, at + length, "NAME")
        mark = LISTED.match(text, at + length)
        if mark is None:
            return
        at = mark.end()


def _is_classical(text: str) -> bool:
    """Whether a stretch is a classic's or a list of herbs, where any two characters may be words of their own."""
    found = sum(text.count(one) for one in "之曰也者乃矣钱两汤散丸炙煎痹疝")
    return found >= LEAST_CLASSICAL and found > CLASSICAL * len(text)


def _amid_classics(text: str, low: int, high: int) -> bool:
    """The same of what stands around a stretch."""
    return _is_classical(text[max(0, low - AROUND) : high + AROUND])


def _running_zh(lexicon: Lexicon) -> Search:
    """Names that stand anywhere: behind a word that calls a person any name, else those that are made as names are."""
    first = frozenset(surname[0] for surname in lexicon.surnames)
    either = first | {surname[0] for surname in lexicon.rare_surnames}

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        classical = _is_classical(text[low:high])
        around = classical or _amid_classics(text, low, high)
        for words in runs(text, low, high, either):
            begins = sorted(at for at in words.edges if words.text[at : at + 1] in either)
            told = {match.end() for match in BEFORE_ZH.finditer(words.text)}
            for at in sorted(told - set(begins)):
                # Cut from there on: what calls the person ends a word, whatever the dictionary makes of both.
                if length := name_length(words_at(text, words.start + at), 0, lexicon, told=True):
                    yield Span(words.start + at, words.start + at + length, "NAME")
            if not around:
                yield from _called(words, text, told, lexicon)
            for at in begins:
                if at not in told and words.text[at] not in first:
                    continue
                counted = at == 0 and words.text[0] in COUNTED and text[words.start - 1 : words.start].isdigit()
                called = at in told or (not classical and _is_told_of(words, at, lexicon))
                length = 0 if counted or (classical and not called) else name_length(words, at, lexicon, called)
                if length:
                    yield Span(words.start + at, words.start + at + length, "NAME")

    return find


def _called(words: Words, text: str, told: set[int], lexicon: Lexicon) -> Iterator[Span]:
    """The name that is all that is left of a run of ideographs behind what calls a person."""
    length = len(words.text)
    for match in CALLED_ZH.finditer(words.text, max(0, length - 9)):
        at = match.end()
        if at not in told and 2 <= length - at <= 5:
            found = name_length(words_at(text, words.start + at), 0, lexicon, told=True)
            if found == length - at:
                yield Span(words.start + at, words.start + length, "NAME")


def _is_told_of(words: Words, at: int, lexicon: Lexicon) -> bool:
    """Whether what reads as a name opens a clause, and what a note says of a person stands behind it."""
    if at and words.text[at - 1] not in "由和跟与说":
        return False
    length = name_length(words, at, lexicon, told=True)
    return length > 0 and AFTER_ZH.match(words.text, at + length) is not None


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
        Finder("·", each_match("NAME", MINORITY, "name", lambda name: not is_medical(name)), "personal"),
        Finder("我叫|名叫|姓名是|名字|本人|署名|此致|敬礼|叫做", _told_zh(SAID_ZH, lexicon), "personal"),
        Finder("患者|病人|病员|产妇|患儿|死者|伤者|家属", _told_zh(PATIENT_ZH, lexicon), "personal"),
        Finder(TITLES_ZH, _titled_zh(lexicon), "public"),
        Finder(rf"[{HAN}]\)?[ ]?[:/][ ]{{0,4}}[{HAN}]", _roles_zh(lexicon, ROLE_ZH), "personal"),
        Finder(rf"[{HAN}] {{1,2}}[{HAN}]", _roles_zh(lexicon, APART_ZH), "personal"),
        Finder(rf"[{HAN}]{{2}}", _running_zh(lexicon), "personal"),
    )
