"""Numbers that are known by what they are called: record, insurance, bed, device, account, plate, chat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.finder import Finder, each_match
from filters.privacy.spans import Span

# Between a label and its value: colon, number sign, "is", blanks.
TO: Final = r"\.?(?:\s*(?:no\.?|number|num\.?|id|#|号码?|编号)(?![A-Za-z]))?(?:\s*\([^()]{0,20}\))?\s*(?::|#|=|是|为|\bis\b|-)?\s*"
VALUE: Final = r"(?P<value>[A-Za-z]{0,5}[-/]?\d(?:[A-Za-z\d]|[-/.]{1}(?=[A-Za-z\d])| (?=\d{3,})){3,27})"
VIN: Final = r"(?P<value>[A-HJ-NPR-Z\d]{11,17})"
SHORT: Final = r"(?P<value>[A-Za-z]?\d{1,4}[A-Za-z]?(?:-\d{1,3})?)"

LABELS: Final[dict[str, tuple[str, str]]] = {
    "MRN": (
        r"住\s?院\s?号|病\s?历\s?号|病\s?案\s?号|门\s?诊\s?号|急诊号|登记号|就诊(?:卡)?号|病人号|患者(?:编号|ID|号)|检查号|检验号|标本号|条码号|影像号|放射号|"
        r"超声号|心电图号|病理号|申请单号|诊疗卡号|档案号|(?:体检|检验|检查|样本|标本|影像|病案|住院|门诊|挂号|预约|就诊|患者|受检者|报告)编号|"
        r"\bMRN\b|\bmedical record|\bhosp(?:ital|\.)? (?:no|number|id)|\baccession(?: no| number| #)?(?=\s*[:#])|\blab (?:no|number|id)\b|\bchart (?:no|number)|\badmission (?:no|number|id)|"
        r"\bpatient (?:id|no|number)|\bcase (?:no|number)|\bencounter (?:id|no|number)|\bvisit (?:id|no|number)|"
        r"\bspecimen (?:id|no|number)",
        VALUE,
    ),
    "INSURANCE": (
        r"医\s?保(?:卡|证|账|帐)?(?:号|编号)|医疗保险(?:卡|证)?号|社\s?保(?:卡)?号|社会保障(?:卡)?号|保险(?:单|卡)?号|保单号|新农合(?:证|卡)?号|"
        r"\binsurance (?:id|no|number|policy|card)|\bpolicy (?:no|number|id)|\bmember (?:id|no|number)|"
        r"\bbeneficiary (?:id|no|number)|\bmedicare\b|\bmedicaid\b|\bhealth plan|\bsubscriber (?:id|no|number)",
        VALUE,
    ),
    "ID": (
        r"身\s?份\s?证(?:件)?(?:号码?)?|公民身份号码|护照(?:号码?)?|军官证(?:号码?)?|港澳通行证(?:号码?)?|社会保障号码?|"
        r"\bpassport|\bsocial security|\bSSN\b|\bNHS (?:no|number)|\bnational (?:id|insurance)|\bidentity card|\btax(?:payer)? id",
        VALUE,
    ),
    "DEVICE": (
        r"设备(?:序列号|编号)|器械(?:序列号|编号)|序列号|产品编号|植入物编号|起搏器(?:编号|序列号)|机身号|"
        r"\bserial (?:no|number)|\bS/N\b|\bdevice (?:id|identifier|no|number|serial)|\bUDI\b|\bimplant (?:id|no|number|serial)",
        VALUE,
    ),
    "LICENCE": (
        r"执业(?:医师)?(?:证(?:书)?)?(?:编号|号码?)|医师资格证(?:书)?(?:编号|号码?)|驾驶证(?:号码?)?|驾照号|资格证号|"
        r"\b(?:driver'?s |medical |professional )?licen[cs]e (?:no|number|id)|\bDEA\b|\bNPI\b|\bGMC (?:no|number)|\bcertificate (?:no|number)",
        VALUE,
    ),
    "ACCOUNT": (
        r"银行(?:卡|账|帐)(?:号码?|户)|银行卡|账\s?号|帐\s?号|卡\s?号|账户|支付宝(?:账号|号)?|"
        r"\b(?:bank )?account (?:no|number|id)|\bacct\b|\bIBAN\b|\b(?:credit |debit )?card (?:no|number)|\brouting (?:no|number)|\bsort code",
        VALUE,
    ),
    "VEHICLE": (
        r"车架号|车辆识别代?[号码]|发动机号|\bVIN\b|\bvehicle (?:id|identification)|\bchassis (?:no|number)",
        VIN,
    ),
    "BIOMETRIC": (
        r"指纹(?:编号|ID|号|模板|特征码?)|虹膜(?:编号|ID|模板|码)|声纹(?:编号|ID|模板)|人脸(?:识别)?(?:编号|ID|模板|特征码?)|掌纹(?:编号|ID)|"
        r"\b(?:finger\s?print|iris|retina(?:l)?|voice\s?print|face|facial|palm)(?: scan| template| recognition)? (?:id|no|number|code|hash|template)",
        VALUE,
    ),
    "BED": (r"床\s?号|床位号|病床号|\bbed(?: (?:no|number))?(?=[ ]*[:#]?[ ]*[A-Za-z]?\d)", SHORT),
}
_LABELLED: Final = {
    kind: re.compile(rf"(?i)(?:{label}){TO}{value}(?![A-Za-z\d])") for kind, (label, value) in LABELS.items()
}
PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
CN_PLATE: Final = re.compile(
    rf"(?<![\u4e00-\u9fff])?[{PROVINCES}]\s?[A-HJ-NP-Z]\s?[·•.\s-]?\s?(?=[A-Z\d]*\d)[A-HJ-NP-Z\d]{{5,6}}(?:[学警港澳]|(?![A-Za-z\d]))"
)
PLATE: Final = re.compile(
    r"(?i)(?:\blicen[cs]e plate|\bnumber plate|\bplate(?: no| number)?(?=[\s:#])|\bregistration (?:no|number)|\bvehicle registration|车牌号?码?)(?:\s?(?:no|number))?[\s.:#是为]{0,4}"
    r"(?P<value>[A-Z\d]{1,4}[\s-]?[A-Z\d]{2,6})(?![A-Za-z\d])"
)
BED: Final = re.compile(
    r"(?<![\d.、张共约])(?P<value>(?:加)?\d{1,3})\s?号?\s?床(?![位旁边上头单垫铺褥前尾面下架数以周的]|共|均)"
)
WECHAT: Final = re.compile(
    r"(?i)(?:微\s?信(?:号|公众号)?|威信|薇信|v信|\bwe\s?chat|\bvx|\bwx|加v)(?:\s?id)?[\s:是为()号]{0,4}(?P<value>[A-Za-z][A-Za-z0-9_-]{4,29}|\d{5,11})(?![A-Za-z0-9_-])"
)
QQ: Final = re.compile(
    r"(?i)(?<![A-Za-z])(?:QQ|扣扣|企鹅号)(?:号码?|群号?)?[\s:是为()加]{0,4}(?P<value>\d{5,12})(?!\d)"
)
AGE: Final = re.compile(
    r"(?<![\d.~≥>-])(?P<value>9\d|1[0-2]\d)(?=\s?(?:周?岁(?!以上|及以上|或以上|以下)|[- ]?years?[- ]?old|[- ]?yrs?\b[- ]?(?:old)?|\s?y/?o\b|[- ]year[- ]old))|"
    r"(?i:\baged?[\s:]{1,2}|年龄[\s:]{0,2})(?P<after>9\d|1[0-2]\d)(?!\d|[.]\d|[%+-]|\s?(?:m?g\b|mcg|[µμ]g|m?[lL]\b|kg|IU\b|months?|weeks?|days?|hours?|个?月|天|周(?!岁)))"
)

AGE_WORDS: Final = re.compile(
    r"(?i)(?P<value>\bninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|\b(?:a|one) hundred(?:(?: and)?[- ]\w+)?|九十[一二三四五六七八九]?|一百[零〇一二三四五六七八九十]{0,3})"
    r"(?=[- ]?(?:years?[- ]?old|year[- ]old|years? of age)|周?岁(?!以上|及以上|以下))|(?i:\baged?[ ]|年龄[: ]{0,2})(?P<after>ninety(?:[- ]\w+)?|九十[一二三四五六七八九]?)"
)


def _has_digit(value: str) -> bool:
    return any(char.isdigit() for char in value)


def _ages(text: str, low: int, high: int) -> Iterator[Span]:
    for pattern in (AGE, AGE_WORDS):
        for match in pattern.finditer(text, low, high):
            which = "value" if match.group("value") else "after"
            yield Span(match.start(which), match.end(which), "AGE", "[AGE]")


def _plain(label: str) -> str:
    """The label as a hint: no look-around, and no word boundaries, on which Rust's fast engine gives up."""
    return "(?i)" + re.sub(r"\\b|\(\?[=!<][^()]*(?:\([^()]*\)[^()]*)*\)", "", label)


FINDERS: Final = (
    *(
        Finder(_plain(label), each_match(kind, _LABELLED[kind], "value"), "personal" if kind == "BED" else "published")
        for kind, (label, _) in LABELS.items()
    ),
    Finder(rf"[{PROVINCES}]\s?[A-HJ-NP-Z]\s?[·•.\s-]?\s?[A-HJ-NP-Z\d]{{5}}", each_match("PLATE", CN_PLATE)),
    Finder(r"(?i)plate|vehicle registration|车牌", each_match("PLATE", PLATE, "value", _has_digit)),
    Finder(r"\d\s?号?\s?床", each_match("BED", BED, "value"), "personal"),
    Finder(r"(?i)[微威薇]\s?信|v信|we\s?chat|vx|wx|加v", each_match("CHAT", WECHAT, "value")),
    Finder(r"(?i)QQ|扣扣|企鹅号", each_match("CHAT", QQ, "value")),
    Finder(
        r"(?i)(?:9\d|1[0-2]\d)\s?-?\s?(?:周?岁|y)|(?:aged?|年龄).{0,4}(?:9\d|1[0-2]\d)|ninety|hundred|九十|一百", _ages
    ),
)
