"""Addresses and postcodes, Chinese, American and British."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.finder import Finder, each_match
from filters.privacy.spans import Span

HAN: Final = r"\u4e00-\u9fff"
LABEL_ZH: Final = r"(?:现|家庭|户籍|户口|通讯|通信|联系|常住|工作|单位|收货|邮寄|居住|详细|出生)?(?:住\s?址|地\s?址|住所|所在地)|居住地|工作单位(?:及地址)?|籍贯|户籍|出生地"
LIVES_ZH: Final = re.compile(
    rf"(?:家住|现住|居住[于在]|住在)\s?(?P<place>[{HAN}\dA-Za-z#()-]{{4,40}}?)(?=[,，。;；、\s]|$|邮编|电话|联系)"
)
LABELLED_ZH: Final = re.compile(
    rf"(?:{LABEL_ZH})\s?[:是于在]\s{{0,2}}(?P<place>[{HAN}\dA-Za-z#()-]{{2,40}}?)(?=[,，。;；、\s]|$|邮编|电话|联系)"
)
# A chain from province, city or county down to a number; a road or village with its number is enough.
REGION: Final = rf"[{HAN}]{{2,7}}?(?:特别行政区|自治区|自治州|自治县|省|市|区|县|旗|盟)"
STREET: Final = rf"[{HAN}\dA-Za-z]{{1,12}}?(?:大道|大街|街道|公路|路|街|巷|弄|胡同|里|村|镇|乡|屯|小区|花园|公寓|大厦|广场|家园|新村|社区|苑|庄)"
NUMBER: Final = r"[\dA-Za-z一二三四五六七八九十甲乙丙丁-]{1,6}(?:号院|号楼|号|弄|栋|幢|座|单元|楼|层|室|户|组|队)"
NUMBERED_ZH: Final = re.compile(rf"(?:{REGION}){{0,3}}(?:{STREET}){{1,3}}(?:{NUMBER}){{1,5}}(?:\d{{2,4}})?")
CHAIN_ZH: Final = re.compile(
    rf"(?:{REGION}){{2,3}}(?:{STREET}){{1,3}}|(?:{REGION}){{2,3}}[{HAN}]{{2,4}}(?:村|镇|乡|街道)"
)
NOT_PLACE: Final = re.compile(
    r"小区别|通路|途径|径路|[思心头气血]路|代谢|信号|道路|[经络穴]|病区|区域|地区|疫区|街道办|[这那该各]|一[里路]"
)

SUFFIX_EN: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Ter|Close|Crescent|Square|Sq|"
    r"Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Mews|Gardens|Plaza|Turnpike|Alley)"
)
STATES: Final = r"(?:A[AELKPRZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
UNIT: Final = r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|Studio|Room|Rm|#)\.?\s?#?\w{1,6})?"
ROAD: Final = rf"\d{{1,5}}[A-Za-z]?,?\s(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?\s)?(?:[A-Z][\w'’-]*\s){{1,4}}{SUFFIX_EN}\b\.?{UNIT}"
TOWN: Final = rf"(?:,?\s{{1,2}}(?:[A-Z][A-Za-z'’-]+\s?){{1,3}},?\s(?:{STATES}\b(?:,?\s\d{{5}}(?:-\d{{4}})?)?|[A-Z]{{1,2}}\d[A-Z\d]?\s?\d[A-Z]{{2}}\b))?"
ADDRESS_EN: Final = re.compile(rf"(?<![\w.])(?:(?:Flat|Studio|Apt|Unit)\s\w{{1,5}},?\s)?{ROAD}{TOWN}")
# Any road's name, where town, state and code follow.
WITH_TOWN: Final = re.compile(
    rf"(?<![\w.])\d{{1,5}}[A-Za-z]?,?\s(?:[A-Z][\w'’.-]*\s?){{1,5}}{UNIT},\s(?:[A-Z][A-Za-z'’-]+\s?){{1,3}},\s(?:{STATES}\s\d{{5}}(?:-\d{{4}})?)"
)
BOX: Final = re.compile(rf"\bP\.?\s?O\.?\sBox\s\d{{1,6}}{TOWN}")
LABELLED_EN: Final = re.compile(
    r"(?i:\b(?:home |mailing |street |postal |residential |current |permanent )?address|\bresidence|\blives at|\bresides at|\bresiding at)\s?[:=]?\s{1,2}"
    r"(?P<place>(?:Flat |Studio |Apt\.? |Unit )?\d{1,5}[A-Za-z]?[\w\s,.'’#-]{5,90}?)(?=\s{2,}|[;|]|\.(?:\s|$)|$|\s(?:Tel|Phone|Email|DOB|MRN|Date)\b)"
)
UK_POSTCODE: Final = re.compile(
    r"(?<![\w-])(?:GIR\s0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y])\s\d[ABD-HJLNP-UW-Z]{2})(?![\w-])"
)
ZIP: Final = re.compile(rf"\b{STATES}\s{{1,2}}(?P<value>\d{{5}}(?:-\d{{4}})?)(?!\d)")
POSTCODE: Final = re.compile(
    r"(?i)(?:邮\s?编|邮政编码|\bzip(?: ?code)?|\bpost(?:al)? ?code)\s?[:#是为]?\s{0,2}(?P<value>\d{5,6}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2})(?![\w-])"
)


PLACE_WORD: Final = re.compile(r"[省市区县镇乡村路街号旗州]")


def _called(text: str, low: int, high: int) -> Iterator[Span]:
    for match in LABELLED_ZH.finditer(text, low, high):
        place = match.group("place")
        if PLACE_WORD.search(place) or (match.group().startswith(("籍贯", "出生地")) and len(place) <= 8):
            yield Span(match.start("place"), match.end("place"), "ADDRESS")


def _is_place(value: str) -> bool:
    return NOT_PLACE.search(value) is None


CHAIN_HINT: Final = r"[省市区县旗州盟路街道巷弄村镇乡屯园厦场区苑庄里同寓]"
FINDERS: Final = (
    Finder(r"(?:址|住所|所在地|居住地|工作单位|籍贯|户籍|出生地)\s?[:是于在]", _called),
    Finder(r"家住|现住|居住|住在", each_match("ADDRESS", LIVES_ZH, "place", PLACE_WORD.search), "personal"),
    Finder(
        rf"{CHAIN_HINT}[\dA-Za-z一二三四五六七八九十甲乙丙丁-]{{1,6}}[号弄栋幢座单楼层室户组队]",
        each_match("ADDRESS", NUMBERED_ZH, valid=_is_place),
    ),
    Finder(
        r"[省市区县旗州盟].{1,7}[市区县旗州盟].{1,12}[路街道巷村镇乡屯区苑庄]",
        each_match("ADDRESS", CHAIN_ZH, valid=_is_place),
        "personal",
    ),
    Finder(r"\d[A-Za-z]?,?\s(?:[A-Z][\w'’.-]*\s){1,5}" + SUFFIX_EN, each_match("ADDRESS", ADDRESS_EN)),
    Finder(r",\s[A-Z]{2}\s\d{5}", each_match("ADDRESS", WITH_TOWN)),
    Finder(r"P\.?\s?O\.?\sBox\s\d", each_match("ADDRESS", BOX)),
    Finder(
        r"(?i)(?:address|residence|lives at|resid(?:es|ing) at).{0,20}\d",
        each_match("ADDRESS", LABELLED_EN, "place"),
        "personal",
    ),
    Finder(r"[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}", each_match("POSTCODE", UK_POSTCODE), "public"),
    Finder(r"[A-Z]{2}\s{1,2}\d{5}", each_match("POSTCODE", ZIP, "value"), "public"),
    Finder(r"(?i)邮\s?编|邮政编码|zip|post", each_match("POSTCODE", POSTCODE, "value"), "public"),
)
