"""Recall of planted identifiers, and false marks in literature and textbooks, by class and language.

    python benchmarks/privacy.py --data ../shared/data --identifiers 2000

Values come from Faker and python-stdnum, not from the patterns they are found with; they are planted
in phrasings of forms, letters and chat, within real dialogues (Chinese) and invented letters (English).
A value counts as found when every letter and digit of it is covered (addresses: nine in ten).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import polars as pl
from faker import Faker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from filters.privacy.spans import PRIORITY, settled
from filters.privacy.step import find_identifiers
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

FORMED = {
    "EMAIL",
    "URL",
    "ID",
    "MRN",
    "INSURANCE",
    "DEVICE",
    "LICENCE",
    "VEHICLE",
    "PLATE",
    "ACCOUNT",
    "CHAT",
    "IP",
    "DATE",
    "PHONE",
    "POSTCODE",
    "BED",
    "AGE",
    "BIOMETRIC",
}
GOALS = {**dict.fromkeys(FORMED, 0.99), "NAME": 0.95, "ADDRESS": 0.95}

LETTERS = (
    "Thank you for seeing this patient, who has had chest pain on exertion for three weeks. {planted} The pain settles with rest and "
    "nitroglycerin. Blood pressure was 148/92 mmHg and the heart rate 76 per minute. Troponin was 0.01 ng/mL on two occasions, HbA1c "
    "7.9%, LDL 3.4 mmol/L. An ECG showed no new changes. We started aspirin 75 mg and bisoprolol 2.5 mg.",
    "The asthma is not controlled on budesonide 200 micrograms twice a day. {planted} FEV1 was 2.1 L, 68% of predicted, and rose by 14% "
    "after salbutamol. There is Raynaud phenomenon in winter and a family history of Crohn's disease. Follow-up is arranged in six weeks.",
    "Seen in the memory clinic with progressive word finding difficulty. {planted} MMSE 22 of 30. MRI shows hippocampal atrophy, which "
    "fits Alzheimer's disease rather than Parkinson's disease. Vitamin B12 312 pg/mL, TSH 2.1 mIU/L. Donepezil 5 mg at night was begun.",
    "Operation note. {planted} A 3 cm tumour of the sigmoid colon was resected with clear margins, pT3 N0 M0, 0 of 18 nodes. Blood loss "
    "was 150 mL. Recovery was without events and the diet was resumed on the second day.",
)
Make = Callable[[random.Random, Faker], str]


def _digits(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(low, high)))


def _resident_id(rng: random.Random, fake: Faker) -> str:
    return str(fake.ssn())


def _nhs(rng: random.Random, fake: Faker) -> str:
    from stdnum.gb import nhs

    while True:
        number = _digits(rng, 10, 10)
        if nhs.is_valid(number):
            return f"{number[:3]} {number[3:6]} {number[6:]}"


def _card(rng: random.Random, fake: Faker) -> str:
    from stdnum import luhn

    stem = "62" + _digits(rng, 16, 16)
    return stem + luhn.calc_check_digit(stem)


def _plate_zh(rng: random.Random, fake: Faker) -> str:
    return (
        rng.choice("京沪粤浙苏川鄂湘")
        + rng.choice("ABCDEF")
        + rng.choice(["", "·"])
        + _digits(rng, 1, 1)
        + "".join(rng.choice("ABCDEFGH0123456789") for _ in range(4))
    )


def _date_zh(rng: random.Random, fake: Faker) -> str:
    day = fake.date_between("-80y", "-1y")
    return rng.choice(
        [f"{day.year}年{day.month}月{day.day}日", day.isoformat(), day.strftime("%Y.%m.%d"), day.strftime("%Y/%m/%d")]
    )


def _date_en(rng: random.Random, fake: Faker) -> str:
    day = fake.date_between("-80y", "-1y")
    return rng.choice([day.strftime("%m/%d/%Y"), day.strftime("%B %d, %Y"), day.strftime("%d %b %Y"), day.isoformat()])


def _mixed(rng: random.Random, fake: Faker) -> str:
    return rng.choice(["", "A", "ZY", "H-", "P"]) + _digits(rng, 6, 10)


def _phone_zh(rng: random.Random, fake: Faker) -> str:
    mobile = fake.phone_number()
    landline = f"0{rng.randint(20, 29)}-{rng.randint(2, 8)}{_digits(rng, 7, 7)}"
    wide = mobile.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789"})
    return rng.choice(
        [
            mobile,
            f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
            f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}",
            "+86 " + mobile,
            landline,
            wide,
            f"{mobile[:7]}\n{mobile[7:]}",
        ]
    )


def _phone_en(rng: random.Random, fake: Faker) -> str:
    a, b, c = rng.randint(201, 989), rng.randint(200, 999), rng.randint(1000, 9999)
    uk = Faker("en_GB")
    uk.seed_instance(rng.random())
    return rng.choice(
        [
            f"({a}) {b}-{c}",
            f"{a}-{b}-{c}",
            f"{a}.{b}.{c}",
            f"+1 {a} {b} {c}",
            f"+1-{a}-{b}-{c}",
            uk.phone_number(),
            f"({a}) {b}-\n{c}",
        ]
    )


def _vin(rng: random.Random, fake: Faker) -> str:
    return "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(13)) + _digits(rng, 4, 4)


# Class -> phrasings and how a value is made.
PLANTS: dict[str, dict[str, tuple[tuple[str, ...], Make]]] = {
    "zh": {
        "NAME": (
            (
                "姓名：{v}，",
                "患者{v}，男，",
                "联系人：{v}。",
                "{v}医生说再观察。",
                "谢谢{v}主任！",
                "主治医师：{v} ",
                "患者姓名 : {v}\n",
                "我叫{v}，",
                "家属签字：{v}。",
                "挂的{v}教授的号，",
                "记录者：{v}\n",
            ),
            lambda r, f: f.name(),
        ),
        "PHONE": (("电话：{v}。", "我的手机是{v}，", "请打{v}联系我。", "传真 {v}，", "家属电话{v}。"), _phone_zh),
        "EMAIL": (("邮箱{v}，", "报告发到 {v} 就行。", "E-mail：{v}。"), lambda r, f: f.email()),
        "URL": (("我的主页 {v} 上有照片。",), lambda r, f: f"https://weibo.com/u/{_digits(r, 8, 10)}"),
        "ADDRESS": (
            ("住址：{v}。", "家住{v}，", "现住{v}。", "地址：{v}，", "请寄到{v}。"),
            lambda r, f: (
                f"{f.province()}{f.city()}{f.district()}区{f.street_address()}"[:60]
                .replace(" ", "")
                .replace("座", "座")
            ),
        ),
        "POSTCODE": (("邮编：{v}。", "邮政编码{v}，"), lambda r, f: f.postcode()),
        "ID": (("身份证号：{v}。", "身份证{v}，", "本人证件 {v} 已登记。"), _resident_id),
        "MRN": (("住院号：{v}。", "病历号{v}，", "门诊号: {v} ", "病案号 {v}。", "检查号：{v}，"), _mixed),
        "INSURANCE": (("医保卡号：{v}。", "社保号{v}，", "保险单号：{v}。"), _mixed),
        "BED": (("床号：{v}，", "住在{v}床，"), lambda r, f: str(r.randint(1, 99))),
        "DEVICE": (("起搏器序列号：{v}。", "设备编号{v}，"), _mixed),
        "LICENCE": (("执业证书编号：{v}。", "驾驶证号{v}，"), lambda r, f: _digits(r, 12, 15)),
        "ACCOUNT": (("银行卡号：{v}。", "退款到{v}，", "账号 {v}。"), _card),
        "PLATE": (("车牌{v}，", "开的是{v}的车，"), _plate_zh),
        "VEHICLE": (("车架号：{v}。",), _vin),
        "BIOMETRIC": (("指纹编号：{v}。", "人脸识别ID：{v}，"), _mixed),
        "IP": (
            ("登录IP：{v}。", "来自{v}的咨询。"),
            lambda r, f: (
                f.ipv4_private()
                if r.random() < 0.5
                else f"{r.randint(11, 223)}.{r.randint(32, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"
            ),
        ),
        "CHAT": (("微信：{v}，", "加我微信号{v}。", "QQ{v}，", "扣扣：{v}。"), lambda r, f: _digits(r, 6, 10)),
        "DATE": (("出生日期：{v}，", "{v}入院，", "于{v}出院。", "{v}来院就诊，", "手术日期：{v}。"), _date_zh),
        "AGE": (("今年{v}岁，", "年龄：{v}岁，"), lambda r, f: str(r.randint(90, 107))),
    },
    "en": {
        "NAME": (
            (
                "Patient: {v}. ",
                "Patient name: {v}, ",
                "Mr {v} was reviewed. ",
                "I saw Mrs. {v} today. ",
                "Next of kin: {v}. ",
                "Signed by: {v}\n",
                "Referring physician: Dr. {v}. ",
                "{v} is a 54-year-old teacher. ",
                "My name is {v}. ",
                "Sincerely,\n{v}\n",
                "{v}, MD. ",
            ),
            lambda r, f: f"{f.first_name()} {f.last_name()}",
        ),
        "PHONE": (("Phone: {v}. ", "call me at {v} please. ", "Tel {v}, ", "Fax: {v}. ", "Mobile {v}. "), _phone_en),
        "EMAIL": (("email {v}. ", "write to {v}, ", "E-mail: {v} "), lambda r, f: f.email()),
        "URL": (("Photos are at {v} as agreed. ",), lambda r, f: f"https://www.facebook.com/{f.user_name()}"),
        "ADDRESS": (
            ("Address: {v}. ", "She lives at {v}. ", "Home address: {v}; ", "sent to {v}. "),
            lambda r, f: f.street_address() + ", " + f"{f.city()}, {f.state_abbr()} {f.postcode()}",
        ),
        "POSTCODE": (("ZIP {v}. ", "zip code: {v}, "), lambda r, f: f.postcode()),
        "ID": (
            ("SSN: {v}. ", "Social security number {v}, ", "NHS number {v}. "),
            lambda r, f: f.ssn() if r.random() < 0.5 else _nhs(r, f),
        ),
        "MRN": (("MRN: {v}. ", "Medical record number {v}, ", "hospital number {v}. ", "Patient ID: {v} "), _mixed),
        "INSURANCE": (("Insurance ID: {v}. ", "Policy number {v}, ", "Member ID {v}. "), _mixed),
        "BED": (("Bed {v}. ", "bed number: {v}, "), lambda r, f: str(r.randint(1, 60))),
        "DEVICE": (("Pacemaker serial number {v}. ", "Device ID: {v}, ", "S/N {v}. "), _mixed),
        "LICENCE": (("License number: {v}. ", "driver's license no. {v}, "), _mixed),
        "ACCOUNT": (("Account number: {v}. ", "card number {v}, "), _card),
        "PLATE": (("License plate {v}. ", "number plate: {v}, "), lambda r, f: f.license_plate()),
        "VEHICLE": (("VIN {v}. ",), _vin),
        "BIOMETRIC": (("Fingerprint ID: {v}. ", "retina scan code {v}. "), _mixed),
        "IP": (
            ("IP address {v}. ", "logged in from {v}. "),
            lambda r, f: f.ipv4_private() if r.random() < 0.5 else f.ipv6(),
        ),
        "CHAT": (("WeChat: {v}. ", "my wechat id {v}, "), lambda r, f: f.user_name() + _digits(r, 2, 2) + "abc"),
        "DATE": (
            ("Date of birth: {v}. ", "DOB {v}, ", "Admitted on {v}. ", "discharged {v}. ", "She was seen on {v}. "),
            _date_en,
        ),
        "AGE": (("aged {v}, ", "a {v}-year-old woman. ", "{v} years old. "), lambda r, f: str(r.randint(90, 107))),
    },
}


def covered(text: str, start: int, end: int, spans: list) -> float:
    """Share of the letters and digits of `start:end` that the spans cover."""
    wanted = [place for place in range(start, end) if text[place].isalnum()]
    held = {place for span in spans for place in range(span.start, span.end)}
    return sum(place in held for place in wanted) / max(len(wanted), 1)


def recall(data: Path, identifiers: int, seed: int, show: int) -> None:
    """Plant, search, and print recall by class and language."""
    rng = random.Random(seed)
    source = Source(
        name="d", files=["dialogues/zh/*.csv"], source_type="dialogue", text="{title}\n问：{ask}\n答：{answer}"
    )
    dialogues = [
        text for file in find_inputs(source, data) for frame, _ in read_frames(file, source) for text in frame["text"]
    ]
    kinds = [(language, kind) for language, of in PLANTS.items() for kind in of]
    fakes = {"zh": Faker("zh_CN"), "en": Faker("en_US")}
    for fake in fakes.values():
        fake.seed_instance(seed)
    total, found = Counter(), Counter()
    misses = defaultdict(list)
    for number in range(identifiers):
        language, kind = kinds[number % len(kinds)]
        phrasings, make = PLANTS[language][kind]
        value = make(rng, fakes[language])
        phrase = rng.choice(phrasings).replace("{v}", "\x00")
        if language == "zh":
            carrier = rng.choice(dialogues)
            places = [at + 1 for at, char in enumerate(carrier) if char in "。，\n"] or [0]
            at = rng.choice(places)
            text = carrier[:at] + phrase + carrier[at:]
        else:
            text = rng.choice(LETTERS).replace("{planted}", phrase)
        start = text.index("\x00")
        text = text.replace("\x00", value)
        spans = find_identifiers([text], ["planted"], ["personal"])[0]
        total[language, kind] += 1
        if covered(text, start, start + len(value), spans) >= (0.9 if kind == "ADDRESS" else 1.0):
            found[language, kind] += 1
        else:
            misses[language, kind].append(text[max(0, start - 12) : start + len(value) + 6])
    print(f"recall over {identifiers} planted identifiers")
    for kind in PRIORITY:
        row = [f"{language} {found[language, kind]}/{total[language, kind]}" for language in PLANTS]
        whole = sum(total[language, kind] for language in PLANTS)
        share = sum(found[language, kind] for language in PLANTS) / max(whole, 1)
        print(f"  {kind:10} {share:7.1%}  goal {GOALS[kind]:.0%}  {'  '.join(row)}")
        for language in PLANTS:
            for miss in misses[language, kind][:show]:
                print(f"      missed: {miss!r}")
    for name, group in (("with a form", FORMED), ("names and addresses", set(GOALS) - FORMED)):
        whole = sum(count for (_, kind), count in total.items() if kind in group)
        got = sum(count for (_, kind), count in found.items() if kind in group)
        print(f"  {name}: {got / whole:.2%}")


def false_marks(data: Path, show: int) -> None:
    """Marks in literature and textbooks, by class, to 10,000 words (characters of Chinese: two to a word)."""
    sources = [
        Source(name="plos", files=["literature/plos/*.xml"], source_type="literature"),
        Source(name="openstax", files=["textbooks/**/*.cnxml"], source_type="textbook"),
        Source(name="classics", files=["textbooks/**/*.txt"], source_type="textbook"),
        Source(name="chinaxiv", files=["literature/chinaxiv/**/*.md"], source_type="literature"),
    ]
    for source in sources:
        marks, examples, words, size, seconds = Counter(), defaultdict(list), 0.0, 0, 0.0
        for file in find_inputs(source, data):
            for frame, _ in read_frames(file, source):
                started = time.perf_counter()
                found_in = find_identifiers(
                    frame["text"].to_list(), frame["id"].to_list(), ["published"] * frame.height
                )
                seconds += time.perf_counter() - started
                for text, spans in zip(frame["text"], found_in, strict=True):
                    for span in settled(spans):
                        marks[span.kind] += 1
                        examples[span.kind].append(
                            text[max(0, span.start - 15) : span.start]
                            + "⟦"
                            + text[span.start : span.end]
                            + "⟧"
                            + text[span.end : span.end + 10]
                        )
                    han = pl.Series([text]).str.count_matches(r"\p{Han}")[0]
                    words += han / 2 + len(text.split())
                    size += len(text.encode())
        rate = 1e4 * sum(marks.values()) / max(words, 1)
        print(
            f"{source.name}: {rate:.2f} marks in 10,000 words ({words:,.0f} words; {size / 1e6 / max(seconds, 1e-9):.1f} MB/s): {dict(marks)}"
        )
        for kind, found in examples.items():
            for one in found[:: max(1, len(found) // max(show, 1))][:show]:
                print(f"      {kind}: {one!r}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--identifiers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--show", type=int, default=0, help="how many misses and marks of each class to print")
    arguments = parser.parse_args()
    recall(arguments.data, arguments.identifiers, arguments.seed, arguments.show)
    false_marks(arguments.data, arguments.show)


if __name__ == "__main__":
    main()
