"""Identifiers that are known by their form or checksum: mail, links, telephones, national numbers, IP.

Checksums come from python-stdnum, telephone plans from phonenumbers.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.us import itin, ssn

from filters.privacy.finder import Finder, Search, each_match
from filters.privacy.spans import Span

S: Final = r"[\s-]{0,2}"  # what may stand between groups, a line break among it

EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9.+-])[A-Za-z0-9][A-Za-z0-9_.+%-]{0,63}\s?@\s?(?:[A-Za-z0-9-]{1,63}\s?\.\s?){1,4}[A-Za-z]{2,12}(?![A-Za-z0-9-])"
)
URL: Final = re.compile(r"(?:https?|ftp)://[^\s\u3000-\u9fff<>\"']+|www\.[^\s\u3000-\u9fff<>\"']+")
# A link names a person by user information, a profile's path, or an account in its query.
ACCOUNT_URL: Final = re.compile(
    r"(?i)//[^/\s]+@|/(?:users?|u|people|profiles?|members?|in|home|space|patients?|account)/[\w.%-]+|/[~@][\w.-]+|"
    r"[?&](?:uid|user|userid|user_id|account|patient|openid|mrn|id)=(?!10\.\d{4})[\w.%-]+|"
    r"(?<![\w-])(?:facebook|twitter|x|weibo|instagram|linkedin|tiktok|douyin|t\.me)\.(?:com|cn|me)/[\w.%-]{3,}"
)
IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
IPV6: Final = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{1,4}(?![\w:])")
IP_LABEL: Final = re.compile(r"(?i)\bIP\b|网络地址")

CN_RESIDENT: Final = re.compile(rf"(?<![\dA-Za-z])\d{{6}}{S}\d{{4}}{S}\d{{4}}{S}\d{{3}}[\dXx](?![\dA-Za-z])")
CN_RESIDENT_OLD: Final = re.compile(r"(?<![\d.])[1-6]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![\d.])")
CN_PASSPORT: Final = re.compile(
    r"(?<![A-Za-z\d])(?:[EeGg]\d{8}|[Ee][A-HJ-NP-Za-hj-np-z]\d{7}|[DSPdsp][Ee]?\d{7})(?!\w)"
)
HK_ID: Final = re.compile(r"(?<![A-Za-z])[A-Z]{1,2}\d{6}\s?\([\dA]\)")
TW_ID: Final = re.compile(r"(?<![A-Za-z\d])[A-Z][12]\d{8}(?!\w)")
SSN: Final = re.compile(r"(?<![\d-])\d{3}\s?-\s?\d{2}\s?-\s?\d{4}(?![\d-])")
NHS: Final = re.compile(r"(?<![\d-])\d{3}[\s-]\d{3}[\s-]\d{4}(?![\d-])")
CPF: Final = re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)")
NIR: Final = re.compile(r"(?<!\d)[12]\s?\d{2}\s?(?:0[1-9]|1[0-2])\s?\d[\dAB]\s?\d{3}\s?\d{3}\s?\d{2}(?!\d)")
AADHAAR: Final = re.compile(r"(?<!\d)[2-9]\d{3}\s\d{4}\s\d{4}(?!\s?\d)")
RRN: Final = re.compile(r"(?<!\d)\d{6}-[1-8]\d{6}(?!\d)")
CODICE: Final = re.compile(r"(?<![A-Z\d])[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?![A-Z\d])")
DNI: Final = re.compile(r"(?<![A-Z\d])\d{8}-?[A-HJ-NP-TV-Z](?![A-Z\d])")
CARD: Final = re.compile(
    r"(?<![\d.])(?:3[47]|4\d|5[1-5]|62|2[2-7]|35|6[045])\d{2}(?:[\s-]?\d{4}){2}[\s-]?\d{1,4}(?:[\s-]?\d{1,3})?(?![\d.]*\d)"
)
IBAN: Final = re.compile(r"(?<![A-Z\d])[A-Z]{2}\d{2}(?:\s?[A-Z\d]{4}){3,7}(?:\s?[A-Z\d]{1,3})?(?![A-Z\d])")

PHONE: Final = re.compile(
    rf"(?<![\d.A-Za-z/-])(?:"
    rf"(?:\(?(?:\+|00){S}86\)?{S})?1[3-9]\d{S}\d{{4}}{S}\d{{4}}"
    r"|\(?(?:(?:\+|00)86[\s-]?)?\(?0\d{2,3}\)?[\s-]{0,2}[2-9]\d{2,3}[\s-]?\d{4}(?:(?:转|-|\s?ext\.?\s?)\d{1,6})?"
    r"|[48]00[\s-]\d{3}[\s-]?\d{4}|[48]00[\s-]\d{4}[\s-]\d{3}"
    r"|(?:\+?1[\s.-]{0,2})?\(?[2-9]\d{2}\)?[\s.-]{1,2}[2-9]\d{2}[\s.-]{1,2}\d{4}(?:\s?(?:x|ext\.?|extension)\s?\d{1,6})?"
    r"|\+\d{1,3}[\s.-]?(?:\(0?\d{1,4}\)[\s.-]?)?\d{1,4}(?:[\s.-]?\d{2,4}){1,4}"
    r"|0\d{3,4}\)?[\s-]\d{3}[\s-]?\d{3,4}|\(?0\d{2}\)?[\s-]\d{4}[\s-]\d{4}|07\d{3}[\s-]?\d{6}"
    r")(?![\d%]|\.\d|-\d{5})"
)
# Pages of an article, by volume and issue: Pediatrics. 89(3):495–501. 1992.
CITED: Final = re.compile(r"\d\s?\(\d{1,4}\):\s?$")
PHONE_LABEL: Final = re.compile(
    r"(?i)(?:联系方式|电\s?话(?:号码)?|手机(?:号码?)?|座机|热线|传真|\btel(?:ephone)?\b|\bphone\b|\bmobile\b|\bcell\b|\bfax\b|"
    r"\bpager\b|\bwhats\s?app\b)(?:\s?(?:no|number))?[\s.:是为()#]{0,4}(?P<value>\+?\(?\d[\d\s().-]{5,18}\d)(?!\d)"
)


def _checked(pattern: re.Pattern[str], valid: Callable[[str], object], kind: str) -> Search:
    """A search for numbers whose checksum holds, whatever stands between their groups."""
    return each_match(kind, pattern, valid=lambda value: valid(re.sub(r"[\s-]", "", value)))


def _resident_valid(value: str) -> bool:
    """Date and check digit; the list of birthplaces is never complete."""
    try:
        datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return False
    return bool(ric.calc_check_digit(value.upper()) == value[-1].upper())


def _hk_valid(value: str) -> bool:
    letters = re.sub(r"[()]", "", value)
    padded = letters.rjust(9)
    weights = range(9, 0, -1)
    worth = [36 if char == " " else int(char, 36) for char in padded[:-1]] + [
        10 if letters[-1] == "A" else int(letters[-1])
    ]
    return sum(a * b for a, b in zip(worth, weights, strict=True)) % 11 == 0


def _tw_valid(value: str) -> bool:
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(value[0]) + 10
    digits = [number // 10, number % 10, *map(int, value[1:])]
    return sum(a * b for a, b in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0


def _card_valid(value: str) -> bool:
    return 15 <= len(value) <= 19 and bool(luhn.is_valid(value))


NATIONAL: Final = (
    _checked(CN_RESIDENT, _resident_valid, "ID"),
    _checked(CN_RESIDENT_OLD, lambda value: True, "ID"),
    _checked(HK_ID, _hk_valid, "ID"),
    _checked(TW_ID, _tw_valid, "ID"),
    _checked(SSN, lambda value: ssn.is_valid(value) or itin.is_valid(value), "ID"),
    _checked(NHS, nhs.is_valid, "ID"),
    _checked(CPF, cpf.is_valid, "ID"),
    _checked(NIR, nir.is_valid, "ID"),
    _checked(AADHAAR, aadhaar.is_valid, "ID"),
    _checked(RRN, rrn.is_valid, "ID"),
    _checked(CODICE, codicefiscale.is_valid, "ID"),
    _checked(DNI, dni.is_valid, "ID"),
    _checked(CARD, _card_valid, "ACCOUNT"),
    _checked(IBAN, iban.is_valid, "ACCOUNT"),
)
# Before a number of lots, batches, articles, specimens: those of things have a passport's form too.
OF_THINGS: Final = re.compile(
    r"(?i)(?:lot|batch|article|catalog(?:ue)?|cat|ref|item|order|model|specimen|sample|part|version|doi|pmid|批号|批次|货号|型号|标本|样本|编号|文号|序号)"
    r"[ .:#]*(?:no|number|编号|号)?[ .:#是为]*$"
)


def _passports(text: str, low: int, high: int) -> Iterator[Span]:
    for match in CN_PASSPORT.finditer(text, low, high):
        if not OF_THINGS.search(text, max(0, match.start() - 24), match.start()):
            yield Span(match.start(), match.end(), "ID")


def _mistyped(text: str, low: int, high: int) -> Iterator[Span]:
    """Numbers of a resident's form and a true date of birth whose check digit does not hold."""
    for match in CN_RESIDENT.finditer(text, low, high):
        value = re.sub(r"[\s-]", "", match.group())
        try:
            born = datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
        except ValueError:
            continue
        if 1900 <= born.year <= 2100:
            yield Span(match.start(), match.end(), "ID")


# Mail as people break it, so that no program reads it; telephones spelled out.
BROKEN_EMAIL: Final = re.compile(
    r"(?i)(?<![\w.])[A-Za-z0-9][\w.+-]{1,40}\s?(?:\(at\)|\[at\]|\{at\}|\bat\b|艾特|@)\s?[A-Za-z0-9-]{1,40}"
    r"(?:\s?(?:\(dot\)|\[dot\]|\bdot\b|点|\.)\s?[A-Za-z]{2,12}){1,3}(?![\w])"
)
SPELLED_PHONE: Final = re.compile(
    r"(?<![零一二三四五六七八九〇幺两])(?:[一幺][三四五六七八九](?:\s?[零一二三四五六七八九〇幺两]){9})(?![零一二三四五六七八九〇幺两])"
)
REGIONS: Final = ("CN", "US", "GB")


def _national(text: str, low: int, high: int) -> Iterator[Span]:
    for find in NATIONAL:
        yield from find(text, low, high)


def _links(text: str, low: int, high: int) -> Iterator[Span]:
    for match in URL.finditer(text, low, high):
        if ACCOUNT_URL.search(match.group()):
            yield Span(match.start(), match.start() + len(match.group().rstrip(".,;:)")), "URL")


def _addresses(text: str, low: int, high: int) -> Iterator[Span]:
    for match in IPV4.finditer(text, low, high):
        octets = [int(part) for part in match.group().split(".")]
        told = IP_LABEL.search(text, max(0, match.start() - 24), match.start()) is not None
        # Sections are numbered 4.2.1.1 as well: an address begins higher, or is called one.
        if max(octets) <= 255 and (told or (octets[0] >= 10 and max(octets[1:]) > 31)):
            yield Span(match.start(), match.end(), "IP")
    for match in IPV6.finditer(text, low, high):
        if "::" in match.group() or match.group().count(":") == 7:
            try:
                ipaddress.IPv6Address(match.group())
            except ValueError:
                continue
            yield Span(match.start(), match.end(), "IP")


def _is_called_phone(value: str) -> bool:
    return 7 <= sum(char.isdigit() for char in value) <= 15


def _is_phone(value: str) -> bool:
    number = re.split(r"(?i)转|x|ext", value)[0]
    number = re.sub(r"^00", "+", " ".join(number.split()))  # a line's end is no end of a number
    for region in (None,) if number.startswith("+") else REGIONS:
        try:
            if phonenumbers.is_possible_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


MANY_DIGITS: Final = r"(?:\d[\s().-]{0,3}){9}"


NUMBERS: Final = each_match("PHONE", PHONE, valid=_is_phone)


def _phones(text: str, low: int, high: int) -> Iterator[Span]:
    for span in NUMBERS(text, low, high):
        if not CITED.search(text, max(0, span.start - 12), span.start):
            yield span


FINDERS: Final = (
    Finder("@", each_match("EMAIL", EMAIL)),
    Finder(r"(?i)[(\[{]at[)\]}]|艾特|\bat\b.{1,40}(?:dot|点)", each_match("EMAIL", BROKEN_EMAIL)),
    Finder(r"[一幺][三四五六七八九]\s?[零一二三四五六七八九〇幺两]{4}", each_match("PHONE", SPELLED_PHONE)),
    Finder(r"[A-Za-z]\d{7}", _passports),
    Finder(MANY_DIGITS, _mistyped, "personal"),
    Finder(r"://|www\.", _links),
    Finder(r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f]?:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:", _addresses),
    Finder(rf"{MANY_DIGITS}|[A-Za-z]\d{{6,9}}|\d{{8}}|[A-Z]{{6}}\d{{2}}|[A-Z]{{2}}\d{{2}}\s?[A-Z\d]{{4}}", _national),
    Finder(rf"{MANY_DIGITS}|\d{{3,4}}[-\s]\d{{3,4}}[-\s]?\d{{3,4}}|\+\d", _phones),
    Finder(
        r"(?i)(?:方式|话|码|机|热线|传真|tel|phone|mobile|cell|fax|pager|whats\s?app).{0,12}\d",
        each_match("PHONE", PHONE_LABEL, "value", _is_called_phone),
    ),
)
