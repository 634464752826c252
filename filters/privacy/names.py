"""Names of persons, in the places where records, letters and consultations put them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from filters.privacy.finder import Finder, Search, each_match
from filters.privacy.lexicon import Lexicon, is_medical, ordinary_words
from filters.privacy.name_forms import FULL, LAST_FIRST, LOW, TOKEN, UPPER
from filters.privacy.spans import Span
from filters.privacy.tables import HINT as TABLE_HINT
from filters.privacy.tables import find_cells
from filters.privacy.titles import behind_one_title, behind_titles

HAN: Final = r"\u4e00-\u9fff"
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
    r"主治医[师生]|主任医师|副主任医师|住院医师|副主任|主任|医师|医生|大夫|教授|护士长|护士|院长|副院长|博士|专家|药师|"
    r"先生|女士|小姐|太太|阿姨|叔叔|师傅|老师|同志|大爷|大妈|奶奶|爷爷|某某|某"
)
TITLE_ZH: Final = re.compile(rf"(?P<before>[{HAN}]{{0,4}})(?P<title>{TITLES_ZH})(?![些个种天日年月段地处类位])")
PATIENT_ZH: Final = re.compile(
    rf"(?:患者|病人|病员|产妇|患儿|死者|伤者|家属)\s?(?P<name>[{HAN}]{{2,4}}?)(?=\s?[,，、。(（;；]|\s?[男女]\s?[,，、\d(（]|因|于\d|\s\d)"
)
# A note begins with its patient: 韩志远，男，56岁.
HEAD_ZH: Final = re.compile(
    rf"(?m)^[ ]{{0,4}}(?P<name>[{HAN}]{{2,4}}|[{HAN}]{{2,6}}·[{HAN}]{{2,8}})[ ]?[,，、 ][ ]?[男女](?:性)?[ ]?[,，、 ][ ]?\d{{1,3}}[ ]?岁"
)
MINORITY: Final = re.compile(rf"(?P<name>[{HAN}]{{2,6}}·[{HAN}]{{2,8}})(?=[ ]?(?:[,，、。(（ ]|因|于|$))")
# Words that stand before a name and a title: 请张医生, 谢谢王主任.
BEFORE_NAME: Final = frozenset("请找看挂问谢感跟和与由让给是的了经听让叫被为向从对在及到")
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

LABEL_EN: Final = (
    r"(?:[Pp]atient|PATIENT|[Pp]t|[Cc]lient|[Rr]esident)(?:'s)?\s?(?:[Ff]ull\s)?(?:[Nn]ame|NAME)?|(?:[Ff]ull\s|[Ff]irst\s|[Ll]ast\s|[Mm]aiden\s|[Ll]egal\s)?(?:[Nn]ame|NAME)|[Ss]urname|"
    r"[Aa]ttending(?:\s[Pp]hysician)?|[Pp]hysician|[Pp]rovider|[Ss]urgeon|[Aa]naesthetist|[Aa]nesthesiologist|[Nn]urse|[Cc]onsultant|[Rr]eferr(?:ed\sby|ing\s(?:[Pp]hysician|[Dd]octor))|"
    r"[Dd]ictated\sby|[Ss]igned(?:\sby)?|[Ss]ignature|[Ee]lectronically\ssigned\sby|[Rr]eported\sby|[Pp]repared\sby|[Tt]ranscribed\sby|[Rr]eviewed\sby|[Ww]itness|"
    r"[Mm]other|[Ff]ather|[Ww]ife|[Hh]usband|[Ss]pouse|[Ss]on|[Dd]aughter|[Bb]rother|[Ss]ister|[Nn]ext\sof\s[Kk]in|[Ee]mergency\s[Cc]ontact|[Gg]uardian|[Cc]arer|[Cc]aregiver|"
    r"[Cc]ontact(?:\s[Pp]erson)?|[Pp]harmacist|[Rr]adiologist|[Pp]athologist|GP|PCP|RE|Re|cc|CC|ATTN|Attn"
)
# Names of things, whose label is no label of a person: generic name, file name.
OF_THINGS: Final = re.compile(
    r"(?i)(?:generic|brand|trade|drug|product|chemical|common|scientific|proprietary|nonproprietary|latin|file|test|hospital|"
    r"device|company|procedure|journal|study|trial|gene|protein|species|plant|herb|medication|medicine|vaccine|user|domain|"
    r"manufacturer|disease|project|variable|column|field|organism|official|other|short|full|system|model)[ ]*$"
)
LABELLED_EN: Final = re.compile(
    rf"(?<![A-Za-z])(?:{LABEL_EN})[ ]?(?::|#)[ ]{{0,4}}(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.?[ ])?(?P<name>{LAST_FIRST}|{FULL}|{UPPER})"
)
# Titles that are words as well: what follows must read as a name by itself.
WORD_TITLE: Final = re.compile(rf"(?<![A-Za-z])(?:Professor|Doctor|Nurse|Sister|Sir)\s{{1,2}}(?P<name>{FULL})")
# A name in small letters behind a label that asks for one: name: sarah blenkin.
SMALL: Final = re.compile(
    rf"(?i:(?:patient(?:'s)? |pt )?name|patient|pt) ?: {{0,3}}(?P<name>[{LOW}]{{2,}}(?:[-'][{LOW}]+)?(?: [{LOW}]{{2,}}(?:[-'][{LOW}]+)?){{1,2}})(?= *(?:$|\n|[,;(]|\d))",
    re.MULTILINE,
)
# The same behind a phrase or a title, as people write to a doctor: my name is sarah blenkin; mrs. blenkin.
SMALL_SAID: Final = re.compile(
    rf"(?:\bmy name is|\bmy name's|\bi am called) (?P<name>[{LOW}]{{2,}}(?: [{LOW}]{{2,}})?)(?=[ ]*(?:[,.;!]|and\b|$))",
    re.MULTILINE,
)
SMALL_TITLE: Final = re.compile(rf"\b(?:mr\.|mrs\.?|ms\.) (?P<name>[{LOW}]{{3,}})\b")  # not mr imaging, ms lesions
SAID_EN: Final = re.compile(
    rf"(?:[Mm]y\sname\sis|[Nn]ame\sis|(?<![a-z])named|[Ss]incerely,?|[Rr]egards,?|[Cc]heers,?|[Yy]ours\s(?:truly|faithfully|sincerely),?)\s{{1,3}}(?:Dr\.?\s)?(?P<name>{FULL})"
)
CREDENTIAL: Final = re.compile(
    rf"(?P<name>{TOKEN}\s(?:{TOKEN}\s)?{TOKEN}),?\s(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|MBBS|MBChB|FRCP|FRCS|NP|PA-C|APRN|LPN|DNP|CRNA|Ph\.?D\.?)(?![A-Za-z])"
)
# Looked at from every word, so that a word before a name does not hide it.
PAIR: Final = re.compile(
    r"(?<![A-Za-z])(?=(?P<first>[A-Z][a-z]+)\s(?:[A-Z]\.?\s)?(?P<last>(?:Mc|Mac|O'|O’)?[A-Z][a-z]+(?:-[A-Z][a-z]+)?)(?![A-Za-z]))"
)
AFTER_EPONYM: Final = re.compile(
    r"(?:'s|’s|s')?\s(?:disease|syndrome|sign|test|score|scale|law|method|reflex|cell|phenomenon|palsy|lymphoma|chorea|procedure|index|criteria|"
    r"stage|staging|grading|grade|classification|murmur|nodule|node|triad|tetrad|position|man(?:o)?euv(?:re|er)|technique|operation|repair|catheter|"
    r"tube|bandage|splint|fracture|tumou?r|an(?:a)?emia|duct|space|line|tract|bod(?:y|ies)|ring|plaque|rash|spots?|gland|equation|formula|curve|"
    r"stain|agar|medium|antigen|factor|receptor|protocol|regimen|hypothesis|principle|ligament|foramen|canal|valve|fever|oedema|edema|"
    r"[Gg]rass|[Ff]ir|[Tt]ree|[Pp]ine|[Hh]ospital|[Uu]niversity|College|Clinic|Institute|Foundation|Press|Today|Journal|Review|Award|Prize|Lecture|"
    r"Study|Trial|Inc|Ltd|Pharma\w*|Laborator\w+|Company|Corporation|Infirmary|Hospice|"
    r"(?:(?:General|Memorial|Community|County|City|Regional|District|Royal|National|Central|Children['’]s|Women['’]s|Veterans|Medical|Health|"
    r"Cancer|Heart|Eye|Research|Teaching|University|Public)\s){1,2}(?:Hospital|Clinic|Cent(?:er|re)|Infirmary|Institute|School|System|College)"
    r")(?![a-z])"
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
            length = _name_before(match.group("before"), match.group("title"), text, match.start("title"), lexicon)
            if length:
                end = match.end("title") if match.group("title").startswith("某") else match.start("title")
                yield Span(match.start("title") - length, end, "NAME")

    return find


def _told_en(pattern: re.Pattern[str], lexicon: Lexicon) -> Search:
    """Names that a label, a title that is a word as well, or a phrase announces."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            start = match.start("name")
            if OF_THINGS.search(text, max(0, match.start() - 24), match.start()):
                continue
            length = _english_length(match.group("name"), lexicon)
            if length and is_medical(text[start : start + length]):
                continue
            if length and not AFTER_EPONYM.match(text, start + length):
                yield Span(start, start + length, "NAME")

    return find


def _titled_en(find_all: Callable[[str, int, int], Iterator[tuple[int, str]]], lexicon: Lexicon) -> Search:
    """Names behind titles, whatever the name is."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for start, name in find_all(text, low, high):
            length = _english_length(name, lexicon, titled=True)
            if length and not AFTER_EPONYM.match(text, start + length):
                yield Span(start, start + length, "NAME")

    return find


def _small_en(pattern: re.Pattern[str], lexicon: Lexicon, titled: bool = False) -> Search:
    """Names in small letters; without a title the first word must be a first name: my name is not important."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            name = match.group("name")
            known = titled or name.split()[0].title() in lexicon.first_names
            length = _english_length(name, lexicon, titled) if known and not is_medical(name) else 0
            if length:
                yield Span(match.start("name"), match.start("name") + length, "NAME")

    return find


def _pairs(lexicon: Lexicon) -> Search:
    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in PAIR.finditer(text, low, high):
            first, last = match.group("first"), match.group("last")
            plain = last in lexicon.not_names or last in lexicon.eponyms_en
            if first in lexicon.first_names and not plain and not AFTER_EPONYM.match(text, match.end("last")):
                yield Span(match.start(), match.end("last"), "NAME")

    return find


@lru_cache(maxsize=4)
def name_finders(lexicon: Lexicon) -> tuple[Finder, ...]:
    """Finders of names. A published text names its authors, so only a form's label counts there."""
    return (
        Finder(r"(?:姓\s{0,4}名|签\s{0,2}[名字]|患者|病人|家属|联系人|监护人)\s?[:/]", _labelled_zh(lexicon)),
        Finder(rf"(?:{LABEL_ZH})\s?(?:\([^()]{{0,8}}\))?\s?[:/]", _labelled_zh(lexicon), "public"),
        Finder(r"[男女](?:性)?[ ]?[,，、 ][ ]?\d{1,3}[ ]?岁", each_match("NAME", HEAD_ZH, "name"), "personal"),
        Finder("·", each_match("NAME", MINORITY, "name", lambda name: not is_medical(name)), "personal"),
        Finder("我叫|名叫|姓名是|名字|本人|署名|此致|敬礼|叫做", _told_zh(SAID_ZH, lexicon), "personal"),
        Finder("患者|病人|病员|产妇|患儿|死者|伤者|家属", _told_zh(PATIENT_ZH, lexicon), "personal"),
        Finder(TITLES_ZH, _titled_zh(lexicon), "public"),
        Finder(
            r"(?i)patient(?:'s)?\s?(?:full\s)?name\s?[:#]|next of kin\s?:|emergency contact\s?:",
            _told_en(LABELLED_EN, lexicon),
        ),
        Finder(rf"(?:{LABEL_EN})\s?[:#]", _told_en(LABELLED_EN, lexicon), "public"),
        Finder(r"(?i)(?:Mr|Mrs|Ms|Mx|Miss|Dr|Drs|Prof)\.?\s", _titled_en(behind_titles, lexicon), "public"),
        Finder(r"(?:Drs|Profs|Messrs|Doctors|Professors)\.?\s", _titled_en(behind_one_title, lexicon), "public"),
        Finder(r"(?:Professor|Doctor|Nurse|Sister|Sir)\s", _told_en(WORD_TITLE, lexicon), "public"),
        Finder(TABLE_HINT, find_cells, "public"),
        Finder(
            r"(?i)(?:patient|name|pt)\s?:",
            each_match("NAME", SMALL, "name", lambda name: not is_medical(name)),
            "personal",
        ),
        Finder(r"my name|i am called", _small_en(SMALL_SAID, lexicon), "personal"),
        Finder(r"mrs?\.?\s|ms\.\s", _small_en(SMALL_TITLE, lexicon, titled=True), "personal"),
        Finder(r"(?i)name is|named|sincerely|regards|cheers|yours", _told_en(SAID_EN, lexicon), "personal"),
        Finder(
            r"[a-z.],?\s(?:M\.?D|D\.?O|R\.?N|MB|FRC|NP|PA-C|APRN|LPN|DNP|CRNA|Ph\.?D)",
            _told_en(CREDENTIAL, lexicon),
            "personal",
        ),
        Finder(r"[A-Z][a-z]+\s(?:[A-Z]\.?\s)?(?:Mc|Mac|O'|O’)?[A-Z][a-z]", _pairs(lexicon), "personal"),
    )


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
    surname = _surname(squeezed, lexicon)
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


def _surname(value: str, lexicon: Lexicon) -> str | None:
    for length in (2, 1):
        if value[:length] in lexicon.surnames:
            return value[:length]
    return None


def is_chinese_name(value: str, lexicon: Lexicon, titled: bool = False) -> bool:
    """Whether two to four characters read as surname and given name, and not as words.

    With a title behind them two given characters may be a word of their own: 魏建军主任.
    """
    surname = _surname(value, lexicon)
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
    return (titled or given not in ordinary_words()) and not (given[0] in _GRAMMAR or given[-1] in _GRAMMAR)


_GRAMMAR: Final = frozenset(
    "的了是在有不我你他她它们这那就也还都很要会能可以个和与及对从把被让给向为着过吗呢吧啊什么怎样时候说做去来没多少大病症痛炎热血您床谢祝"
)


def _name_before(before: str, title: str, text: str, at: int, lexicon: Lexicon) -> int:
    """How many characters before a title are a name: 张医生 1, 李小明主任 3, 主治医生 0."""
    if not before:
        return 0
    for length in () if title.startswith("某") else (4, 3, 2):
        candidate = before[-length:]
        if len(candidate) == length and is_chinese_name(candidate, lexicon, titled=length > 2):
            surname = _surname(candidate, lexicon) or ""
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


# Words that are names of persons as well, behind a title or a label.
NAME_WORDS: Final = frozenset(
    [
        "April",
        "May",
        "June",
        "August",
        "Will",
        "Said",
        "Mark",
        "Grace",
        "Hope",
        "Joy",
        "Faith",
        "Summer",
        "Autumn",
        "Rose",
        "Ivy",
        "Dawn",
        "Bill",
        "Rich",
        "Frank",
        "Art",
        "Long",
        "Young",
        "Page",
        "Price",
        "Day",
        "Best",
        "Love",
        "Power",
        "Bond",
        "Rush",
        "Pain",
        "Field",
        "Street",
        "Ward",
        "Chambers",
        "Gray",
        "Grey",
        "White",
        "Black",
        "Brown",
        "Green",
    ]
)


def _english_length(name: str, lexicon: Lexicon, titled: bool = False) -> int:
    """Characters of the words at the head of a match that may be a name."""
    end = 0
    for word in re.finditer(r"\S+", name):
        bare = word.group().strip(",.")
        if (bare in lexicon.not_names or bare.title() in lexicon.not_names) and bare.title() not in NAME_WORDS:
            break
        end = word.end()
    found = name[:end].rstrip(", ")
    words = found.split()
    if not words or (len(words) == 1 and len(words[0].strip(".")) < 2):
        return 0
    if len(words) == 1 and not titled and words[0].strip(".") in lexicon.eponyms_en:
        return 0
    return len(found)


@lru_cache(maxsize=4096)
def _whole_word(value: str) -> re.Pattern[str]:
    escaped = r"\s{1,2}".join(re.escape(part) for part in value.split())
    return re.compile(rf"(?<![A-Za-z]){escaped}(?![A-Za-z])" if value[0].isascii() else escaped)


def again(text: str, values: set[str], lexicon: Lexicon) -> Iterator[Span]:
    """Other places of names already found, and of their surnames (first names with one) alone."""
    wanted: set[str] = set()
    for value in sorted(values):
        if not value[0].isascii():
            if len(value) >= 2 and not value.endswith("某"):
                wanted.add(value)
            continue
        wanted.add(value)
        words = [word.strip(",.") for word in value.split()]
        if len(words) > 1:
            wanted.update(word for word in words if len(word) > 2 and _proper(word, lexicon))
    for value in sorted(wanted):
        for match in _whole_word(value).finditer(text):
            if not AFTER_EPONYM.match(text, match.end()):
                yield Span(match.start(), match.end(), "NAME")


def _proper(word: str, lexicon: Lexicon) -> bool:
    return word not in lexicon.not_names and word not in lexicon.eponyms_en and word[0].isupper()
