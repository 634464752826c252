"""Drugs in text: generic and brand names, salts, combinations; doses, routes and frequencies as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from verifiers.tables import american, table

_SALTS: Final = re.compile(
    r"\b(?:hydrochloride|hcl|sodium|potassium|calcium|bisulfate|sulfate|sulphate|besylate|besilate|maleate|mesylate|tartrate|succinate|fumarate|phosphate|acetate|citrate|bromide|dihydrate|trihydrate|monohydrate|medoxomil|cilexetil|axetil|proxetil|hyclate|disoproxil|magnesium|etexilate|xinafoate|propionate|furoate|dipropionate|er|xr|sr|cr|xl|dr|mr|tablets?|capsules?|injection|extended[- ]release|enteric[- ]coated|oral)\b"
)
_SALTS_ZH: Final = re.compile(
    r"^(?:盐酸|硫酸氢|硫酸|马来酸|苯磺酸|甲磺酸|酒石酸|琥珀酸|富马酸|磷酸|枸橼酸|醋酸|丙酸|糠酸|重酒石酸|氢溴酸|注射用|复方(?=对)|门冬氨酸)|(?:钠|钾|钙|镁)?(?:肠溶片|缓释片|控释片|分散片|咀嚼片|片|胶囊|注射液|颗粒|口服液|缓释胶囊|滴丸|软膏|乳膏|气雾剂|粉针|针)$|(?<=.{2})(?:钠|钾|钙|镁|酯)$"
)
_NOT_SALTS: Final = frozenset(
    {
        "potassium chloride",
        "magnesium sulfate",
        "ferrous sulfate",
        "calcium gluconate",
        "sodium bicarbonate",
        "lithium carbonate",
        "iron sulfate",
    }
)
_UNITS: Final = {
    "g": ("mg", 1000.0), "gm": ("mg", 1000.0), "gram": ("mg", 1000.0), "grams": ("mg", 1000.0), "克": ("mg", 1000.0), "mg": ("mg", 1.0), "milligram": ("mg", 1.0), "milligrams": ("mg", 1.0), "毫克": ("mg", 1.0),
    "mcg": ("mg", 1e-3), "ug": ("mg", 1e-3), "µg": ("mg", 1e-3), "μg": ("mg", 1e-3), "microgram": ("mg", 1e-3), "micrograms": ("mg", 1e-3), "微克": ("mg", 1e-3), "ng": ("mg", 1e-6), "nanogram": ("mg", 1e-6), "nanograms": ("mg", 1e-6), "kg": ("mg", 1e6),
    "unit": ("unit", 1.0), "units": ("unit", 1.0), "iu": ("unit", 1.0), "u": ("unit", 1.0), "单位": ("unit", 1.0), "国际单位": ("unit", 1.0), "万单位": ("unit", 1e4), "mu": ("unit", 1e6),
    "ml": ("mL", 1.0), "millilitre": ("mL", 1.0), "milliliter": ("mL", 1.0), "毫升": ("mL", 1.0), "cc": ("mL", 1.0), "l": ("mL", 1000.0), "升": ("mL", 1000.0), "mmol": ("mmol", 1.0), "meq": ("meq", 1.0), "%": ("%", 1.0),
    "tablet": ("piece", 1.0), "tablets": ("piece", 1.0), "tab": ("piece", 1.0), "tabs": ("piece", 1.0), "capsule": ("piece", 1.0), "capsules": ("piece", 1.0), "片": ("piece", 1.0), "粒": ("piece", 1.0), "puff": ("puff", 1.0), "puffs": ("puff", 1.0), "吸": ("puff", 1.0), "喷": ("puff", 1.0), "drop": ("drop", 1.0), "drops": ("drop", 1.0), "滴": ("drop", 1.0),
}  # fmt: skip
_UNIT: Final = "|".join(sorted((re.escape(one) for one in _UNITS), key=len, reverse=True))
DOSE: Final = re.compile(
    rf"(?<![\d.,])(\d{{1,3}}(?:,\d{{3}})+|\d+(?:\.\d+)?|\.\d+)(?:\s*(?:-|–|to|~|至)\s*(\d+(?:\.\d+)?))?\s*({_UNIT})(?![a-zA-Z])((?:\s*/\s*|\s+per\s+|每)(?:kg|kilogram|公斤|千克|m2|m²|ml|h|hr|hour|min|minute|day|d|小时|分钟|天|日)(?![a-z]))*",
    re.IGNORECASE,
)
_ROUTES: Final = {
    "oral": r"\b(?:oral(?:ly)?|po|p\.o\.?|by\s+mouth|per\s+os|per\s+oral)\b|口服|吞服|含服(?<!舌下含服)|嚼服",
    "intravenous": r"\b(?:intravenous(?:ly)?|iv|i\.v\.?|ivgtt|ivp|iv\s+(?:infusion|drip|push|bolus))\b|静脉|静滴|静推|静注",
    "intramuscular": r"\b(?:intramuscular(?:ly)?|im|i\.m\.?)\b|肌肉|肌注|肌内",
    "subcutaneous": r"\b(?:subcutaneous(?:ly)?|subcut|sub-?q|sc|s\.c\.?|sq|under\s+the\s+skin|ih)\b|皮下",
    "sublingual": r"\b(?:sublingual(?:ly)?|sl|under\s+the\s+tongue)\b|舌下",
    "inhaled": r"\b(?:inhal\w*|nebuli[sz]\w*|neb|mdi)\b|吸入|雾化",
    "topical": r"\b(?:topical(?:ly)?|apply|applied\s+to\s+the\s+skin)\b|外用|涂抹|外涂",
    "rectal": r"\b(?:rectal(?:ly)?|pr|per\s+rectum|suppository)\b|直肠|纳肛|灌肠",
    "transdermal": r"\b(?:transdermal|patch)\b|透皮|贴剂|贴片",
    "intranasal": r"\b(?:intranasal(?:ly)?|nasal(?:ly)?)\b|鼻喷|鼻内|滴鼻",
    "ophthalmic": r"\b(?:ophthalmic|eye\s+drops?)\b|滴眼|点眼|眼用",
    "vaginal": r"\b(?:vaginal(?:ly)?|pv)\b|阴道",
}  # fmt: skip
_COUNT: Final = {
    "once": 1,
    "one": 1,
    "twice": 2,
    "two": 2,
    "three": 3,
    "thrice": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
}
_FREQUENCIES: Final = (
    (re.compile(r"\b(?:every\s+other\s+day|alternate\s+days?|qod|q\.o\.d\.?)\b|隔日|隔天", re.IGNORECASE), 0.5),
    (re.compile(r"\b(?:twice\s+(?:a\s+|per\s+)?week(?:ly)?|2\s*(?:times|x)\s*(?:a|per)\s*week|biw)\b|每周(?:两|二|2)次", re.IGNORECASE), 2 / 7),
    (re.compile(r"\b(?:three\s+times\s+(?:a\s+|per\s+)?week(?:ly)?|tiw)\b|每周(?:三|3)次", re.IGNORECASE), 3 / 7),
    (re.compile(r"\b(?:once\s+(?:a\s+|per\s+)?week(?:ly)?|weekly|every\s+week|qw|q\s*week)\b|每周(?:一次|1次)?|一周一次", re.IGNORECASE), 1 / 7),
    (re.compile(r"\b(?:once\s+(?:a\s+|per\s+)?month(?:ly)?|monthly|every\s+(?:month|4\s+weeks|28\s+days))\b|每月(?:一次|1次)?", re.IGNORECASE), 1 / 30),
    (re.compile(r"\b(?:q\s*i\s*d|q\.i\.d\.?|qds)\b", re.IGNORECASE), 4),
    (re.compile(r"\b(?:t\s*i\s*d|t\.i\.d\.?|tds)\b", re.IGNORECASE), 3),
    (re.compile(r"\b(?:b\s*i\s*d|b\.i\.d\.?|bd|b\.d\.?)\b", re.IGNORECASE), 2),
    (re.compile(r"\b(?:stat|single\s+dose|one[- ]time|as\s+a\s+single|once\s+only|immediately)\b|单次|顿服|即刻|立即", re.IGNORECASE), 0.001),
)  # fmt: skip
_EVERY_HOURS: Final = re.compile(
    r"\b(?:q\s*(\d{1,2})\s*h(?:rs?|ours?)?|every\s+(\d{1,2}|six|eight|four|twelve|twenty-four)\s*(?:-\s*)?h(?:ou)?rs?(?:ly)?)\b|(\d{1,2})[- ]?hourly|每(?:隔)?\s*(\d{1,2}|[一二三四六八]|十二)\s*(?:个)?小时",
    re.IGNORECASE,
)
_TIMES: Final = re.compile(
    r"\b(once|twice|thrice|one|two|three|four|five|six|\d{1,2})\s*(?:times?|x|×)?\s*(?:a\s+day|per\s+day|/\s*day|daily|each\s+day|every\s+day|in\s+24\s+hours|/\s*d\b|nightly)|(?:每日|每天|一日|一天|1日|日)\s*(\d{1,2}|[一两二三四五六])\s*次|(\d{1,2}|[一两二三四五六])\s*次\s*/\s*(?:日|天|d)",
    re.IGNORECASE,
)
_ONCE: Final = re.compile(
    r"\b(?:q\s*d|q\.d\.?|od|o\.d\.?|daily|every\s+day|each\s+day|every\s+24\s+hours|qn|q\.n\.?|qhs|hs|nocte|nightly|every\s+(?:night|evening|morning)|at\s+(?:bedtime|night)|bedtime|qam|qpm|mane|in\s+the\s+(?:morning|evening))\b|每日(?!\s*[\d一两二三四五六]\s*次)|每天(?!\s*[\d一两二三四五六]\s*次)|每晚|睡前|每早|每晨|晨起",
    re.IGNORECASE,
)
_NIGHT: Final = re.compile(
    r"\b(?:qn|q\.n\.?|qhs|hs|nocte|nightly|every\s+(?:night|evening)|at\s+(?:bedtime|night)|bedtime|before\s+bed|qpm|in\s+the\s+evening)\b|每晚|睡前|晚上|晚间",
    re.IGNORECASE,
)
_MORNING: Final = re.compile(r"\b(?:qam|mane|in\s+the\s+morning|every\s+morning)\b|每早|每晨|晨起|早上", re.IGNORECASE)
_AS_NEEDED: Final = re.compile(
    r"\b(?:prn|p\.r\.n\.?|as\s+needed|as\s+required|when\s+required|if\s+needed)\b|必要时|按需|需要时", re.IGNORECASE
)
_HOURS: Final = {
    "six": 6,
    "eight": 8,
    "four": 4,
    "twelve": 12,
    "twenty-four": 24,
    "一": 1,
    "二": 2,
    "三": 3,
    "四": 4,
    "六": 6,
    "八": 8,
    "十二": 12,
}


@dataclass(frozen=True)
class Amount:
    """A dose in one unit of its kind, and what it is per ("kg", "day"); `high` where it is a range."""

    value: float
    unit: str
    per: tuple[str, ...] = ()
    high: float | None = None


@dataclass(frozen=True)
class Frequency:
    """Times a day, the time of day, and whether only when needed."""

    times: float
    when: str = ""
    as_needed: bool = False


def _plain(name: str) -> str:
    told = re.sub(r"[（(\[][^)）\]]*[)）\]]", " ", american(name))
    return re.sub(r"\s+", " ", re.sub(r"[®™*_\"'`“”]", "", told)).strip(" .,;:，。；")


@lru_cache(maxsize=1)
def lexicon() -> dict[str, str]:
    """Every name to its generic one; a combination is its parts in order, joined by +."""
    names: dict[str, str] = {}
    for generic, told in table("drugs").items():
        whole = "+".join(sorted(_plain(one) for one in str(generic).split("+")))
        for one in [str(generic), *map(str, told)]:
            names[_plain(one)] = whole
            names[_plain(one).replace("-", " ")] = whole
    return names


def generic(name: str) -> str:
    """The generic name, a combination with its parts sorted; a name that no table has as it stands, without its salt."""
    names, plain = lexicon(), _plain(name)
    for one in (plain, plain.replace("-", " "), _without_salt(plain)):
        if one in names:
            return names[one]
    parts = [part for part in re.split(r"\s*(?:/|\+|-(?=[a-z\u3400-\u9fff]{4})|\band\b|和|与|、)\s*", plain) if part]
    if len(parts) > 1:
        told = [names.get(part) or names.get(_without_salt(part)) for part in parts]
        if all(told):
            return "+".join(sorted(set("+".join(map(str, told)).split("+"))))
    return _without_salt(plain)


def _without_salt(name: str) -> str:
    if name in _NOT_SALTS:
        return name
    told = re.sub(r"\s+", " ", _SALTS.sub(" ", name)).strip(" -/")
    for _ in range(3):
        told = _SALTS_ZH.sub("", told)
        if told in lexicon():
            break
    return told or name


@lru_cache(maxsize=1)
def _scanner() -> re.Pattern[str]:
    names = sorted((one for one in lexicon() if len(one) > 2), key=len, reverse=True)
    latin = "|".join(re.escape(one) for one in names if one.isascii())
    others = "|".join(re.escape(one) for one in names if not one.isascii())
    return re.compile(rf"(?<![a-z0-9])(?:{latin})(?![a-z0-9])|(?:{others})")


def drugs_in(text: str, known: tuple[str, ...] = ()) -> list[tuple[int, int, str]]:
    """Drugs of a text as (start, end, generic name), the longest at each place; `known` are further names."""
    low = american(text) if len(american(text)) == len(text) else text.casefold()
    found = [(one.start(), one.end(), generic(one[0])) for one in _scanner().finditer(low)]
    for name in known:
        plain = _plain(name)
        if plain and plain not in lexicon():
            bound = r"(?<![a-z0-9])" if plain.isascii() else ""
            for one in re.finditer(bound + re.escape(plain) + (r"(?![a-z0-9])" if plain.isascii() else ""), low):
                if all(one.end() <= start or one.start() >= end for start, end, _ in found):
                    found.append((one.start(), one.end(), generic(name)))
    return sorted(found)


def amounts(text: str) -> list[Amount]:
    """Doses of a text in their order."""
    told = []
    for one in DOSE.finditer(text.replace("，", ",")):
        unit, factor = _UNITS[one[3].casefold()]
        per = tuple(
            _per(each)
            for each in re.findall(
                r"(?:/\s*|per\s+|每)\s*([a-z0-9²]+|公斤|千克|小时|分钟|天|日)",
                one[0][one.end(3) - one.start() :],
                re.IGNORECASE,
            )
        )
        high = float(one[2]) * factor if one[2] else None
        told.append(Amount(float(one[1].replace(",", "")) * factor, unit, per, high))
    return told


def _per(word: str) -> str:
    told = word.casefold()
    return {
        "kilogram": "kg",
        "公斤": "kg",
        "千克": "kg",
        "hr": "h",
        "hour": "h",
        "小时": "h",
        "minute": "min",
        "分钟": "min",
        "d": "day",
        "天": "day",
        "日": "day",
        "m²": "m2",
    }.get(told, told)


def same_amount(one: Amount, other: Amount) -> bool:
    """Whether two doses are one."""
    if one.unit != other.unit or [p for p in one.per if p != "day"] != [p for p in other.per if p != "day"]:
        return False
    if (one.high is None) != (other.high is None):
        return False
    near = abs(one.value - other.value) <= 1e-6 * max(abs(one.value), abs(other.value))
    return near and (one.high is None or other.high is None or abs(one.high - other.high) <= 1e-6 * one.high)


def route(text: str) -> str | None:
    """The route that a text names; None where it names none or several."""
    found = [name for name, form in _ROUTES.items() if re.search(form, text, re.IGNORECASE)]
    if "sublingual" in found and "oral" in found:
        found.remove("oral")
    return found[0] if len(found) == 1 else None


def frequency(text: str) -> Frequency | None:
    """How often, by what a text says; None where it says nothing."""
    when = "night" if _NIGHT.search(text) else "morning" if _MORNING.search(text) else ""
    needed = bool(_AS_NEEDED.search(text))
    hours = _EVERY_HOURS.search(text)
    if hours:
        told = next(one for one in hours.groups() if one)
        number = int(told) if told.isdigit() else _HOURS.get(told.casefold(), 0)
        return Frequency(24 / number, when, needed) if number else None
    for form, times in _FREQUENCIES[:6]:
        if form.search(text):
            return Frequency(float(times), when, needed)
    counted = _TIMES.search(text)
    if counted:
        told = next(one for one in counted.groups() if one)
        return Frequency(float(told) if told.isdigit() else float(_COUNT[told.casefold()]), when, needed)
    for form, times in _FREQUENCIES[6:]:
        if form.search(text):
            return Frequency(float(times), when, needed)
    if _ONCE.search(text):
        return Frequency(1.0, when, needed)
    return Frequency(0.0, when, needed) if needed else None


def same_frequency(one: Frequency, wanted: Frequency) -> bool:
    """Whether a drug is given as often, and at the time that the reference names."""
    if abs(one.times - wanted.times) > 1e-6 or one.as_needed != wanted.as_needed:
        return False
    return not wanted.when or one.when == wanted.when
