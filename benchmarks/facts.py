"""Near duplicates that say something else: pairs made from real labels and guidelines, and what `keep_facts` decides.

    python benchmarks/facts.py ../shared/data

Each pair is a real passage and a changed one: another dose, drug, negation or age group (must stay), or other words
for the same, another layout, other boilerplate (must go). Prints the share decided rightly by kind and language.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dedup.facts import facts_of, others
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

SOURCES = {
    "labels": ("drug_label", ["collect/dailymed-spl/*.xml"], None),
    "guidelines": ("guideline", ["guidelines/**/*.html", "guidelines/**/*.md"], None),
    "exams": ("exam", ["benchmarks/medqa*.jsonl"], "{question}"),
    "consultations": ("dialogue", ["dialogues/**/*.csv"], "{title}\n{ask}\n{answer}"),
    "preprints": ("literature", ["literature/chinaxiv/*20171*.md"], None),
}
PASSAGE = 1500  # characters
DRUGS = ["amoxicillin", "doxycycline", "cefalexin", "ibuprofen", "prednisolone", "metformin", "enalapril", "atorvastatin", "gentamicin", "paracetamol", "ampicillin", "diazepam", "morphine", "salbutamol"]  # fmt: skip
DRUGS_ZH = [
    "阿莫西林",
    "青霉素",
    "头孢拉定",
    "阿司匹林",
    "二甲双胍",
    "胰岛素",
    "阿托伐他汀",
    "硝苯地平",
    "左氧氟沙星",
    "地塞米松",
]
PEOPLE = [("children", "adults"), ("adults", "children"), ("infants", "adolescents"), ("newborn", "adult"), ("pregnant women", "older people"), ("women", "men")]  # fmt: skip
PEOPLE_ZH = [
    ("儿童", "成人"),
    ("孕妇", "老年人"),
    ("老年", "儿童"),
    ("新生儿", "成人"),
    ("女性", "男性"),
    ("小儿", "成人"),
]
WORDS = [("children", "paediatric patients"), ("show", "demonstrate"), ("patients", "persons"), ("should be", "is to be"), ("usually", "generally"), ("such as", "for example"), ("may", "can"), ("severe", "serious"), ("approximately", "about"), ("because", "since"), ("however", "but"), ("also", "in addition"), ("begin", "commence"), ("important", "essential"), ("often", "frequently")]  # fmt: skip
WORDS_ZH = [("患者", "病人"), ("可以", "能够"), ("建议", "推荐意见是"), ("通常", "一般"), ("引起", "导致"), ("严重", "较重"), ("并且", "而且"), ("但是", "不过"), ("因为", "由于")]  # fmt: skip


def passages(root: Path) -> Iterator[tuple[str, str]]:
    """Language and text of passages of about 1,500 characters."""
    for name, (kind, files, text) in SOURCES.items():
        source = Source(name=name, files=files, source_type=kind, text=text, optional=True)  # type: ignore[arg-type]
        taken = 0
        for file in find_inputs(source, root):
            for frame, _ in read_frames(file, source):
                for whole in frame["text"]:
                    for at in range(0, min(len(whole), 12 * PASSAGE), PASSAGE):
                        piece = whole[at : at + PASSAGE]
                        if len(piece) > 250 and taken < 160:
                            taken += 1
                            yield ("zh" if len(re.findall(r"[\u4e00-\u9fff]", piece)) > 100 else "en"), piece


def dose(text: str, language: str, chance: random.Random) -> str | None:
    """One quantity doubled or halved."""
    found = [*re.finditer(r"(?<![\d.])(\d+(?:\.\d+)?)(?=\s?(?:mg|g|ml|mL|mcg|%|mmol|hours?|days?|weeks?|years?|months?|minutes?|毫克|毫升|克|片|天|岁|次|年|个月|小时|周)\b)", text)]  # fmt: skip
    found = [one for one in found if text[max(0, one.start() - 12) : one.start()].count("/") == 0]
    if not found:
        return None
    one = chance.choice(found)
    value = float(one[1]) * chance.choice((2, 0.5, 3, 10))
    return f"{text[: one.start()]}{value:g}{text[one.end() :]}"


def swapped(pairs: list[tuple[str, str]]) -> Callable[[str, random.Random], str | None]:
    def change(text: str, chance: random.Random) -> str | None:
        able = [pair for pair in pairs if re.search(rf"(?i)\b{pair[0]}\b" if pair[0].isascii() else pair[0], text)]
        if not able:
            return None
        old, new = chance.choice(able)
        return re.sub(rf"(?i)\b{old}\b" if old.isascii() else old, new, text)

    return change


def drug(text: str, language: str, chance: random.Random) -> str | None:
    """One drug named in the passage replaced by another everywhere."""
    names = DRUGS if language == "en" else DRUGS_ZH
    own = [name for name in names if name in text.lower()]
    if not own:
        return None
    old, new = chance.choice(own), chance.choice([name for name in names if name not in text.lower()])
    return re.sub(f"(?i){old}", new, text)


def negation(text: str, language: str, chance: random.Random) -> str | None:
    """One sentence denied, or its negation taken out."""
    if language == "en":
        found = [*re.finditer(r"\b(should|must|may|can|is|are|was|were|do|does) not ", text)]
        if found and chance.random() < 0.5:
            one = chance.choice(found)
            return text[: one.start()] + one[1] + " " + text[one.end() :]
        found = [*re.finditer(r"\b(should be|must be|can be|may be|is|are) (?=(?:given|used|recommended|indicated|needed|treated|started|taken|required|effective|associated)\b)", text)]  # fmt: skip
        if not found:
            return None
        one = chance.choice(found)
        return f"{text[: one.end()]}not {text[one.end() :]}" if not one[1].endswith(" be") else text[: one.start()] + one[1].replace(" be", " not be ") + text[one.end() :]  # fmt: skip
    found = [
        *re.finditer(
            r"(可以|应该|需要|建议|能够|宜|可)(?=[\u4e00-\u9fff]{0,2}(?:使用|服用|手术|注射|吃|用|治疗))", text
        )
    ]
    if not found:
        return None
    one = chance.choice(found)
    return f"{text[: one.start()]}不{text[one.start() :]}"


def reworded(text: str, language: str, chance: random.Random) -> str | None:
    changed = text
    for old, new in WORDS if language == "en" else WORDS_ZH:
        changed = re.sub(rf"\b{old}\b" if language == "en" else old, new, changed)
    return changed if changed != text else None


def reformatted(text: str, language: str, chance: random.Random) -> str | None:
    """Units without their space, lists with other marks, wrapped lines, thousands with commas."""
    changed = re.sub(r"(?<=\d) (?=(?:mg|ml|mL|mcg|kg)\b)", "", text)
    changed = re.sub(r"(?m)^- ", "• ", changed)
    changed = re.sub(r"(?<![\d.,/])(\d)(\d{3})(?= (?:mg|mL|ml)\b)", r"\1,\2", changed)
    number = iter(range(1, 1000))
    changed = re.sub(r"(?m)^• ", lambda _: f"{next(number)}. ", changed) if chance.random() < 0.5 else changed
    if language == "en":
        changed = re.sub(r"(.{50,70}?) (?=\S)", r"\1 \n" if False else r"\1 ", changed)
    return changed if changed != text else text.replace("\n\n", "\n")


def boilerplate(text: str, language: str, chance: random.Random) -> str | None:
    day = f"{chance.randrange(1, 13):02d}/{chance.randrange(2005, 2026)}"
    if language == "en":
        head = f"Revised: {day}\nNDC 0{chance.randrange(1000, 9999)}-{chance.randrange(1000, 9999)}-10\n"
        foot = f"\n© {day[-4:]} All rights reserved. Page {chance.randrange(2, 40)} of 60\nManufactured by Example Works, Tel. 555-0100"
    else:
        head = f"修订日期：{day[-4:]}年{int(day[:2])}月\n批准文号：国药准字H{chance.randrange(10**7, 10**8)}\n"
        foot = f"\n版权所有 第{chance.randrange(2, 40)}页\n电话：010-{chance.randrange(10**6, 10**7)}"
    return head + text + foot


STAY = {
    "dose": dose,
    "drug": drug,
    "negation": negation,
    "people": lambda text, language, chance: swapped(PEOPLE if language == "en" else PEOPLE_ZH)(text, chance),
}
GO = {"reworded": reworded, "reformatted": reformatted, "boilerplate": boilerplate}


def main() -> None:
    """Print the share of pairs decided rightly, and some that were not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", type=int, default=0, help="wrong decisions of each kind to print")
    arguments = parser.parse_args()
    chance = random.Random(13)
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    shown: dict[str, int] = defaultdict(int)
    texts = [*passages(arguments.data)]
    begun = time.perf_counter()
    facts = [facts_of(text) for _, text in texts]
    spent = time.perf_counter() - begun
    for (language, text), own in zip(texts, facts, strict=True):
        for kind, change in {**STAY, **GO}.items():
            changed = change(text, language, chance)
            if changed is None or changed == text:
                continue
            found = others(facts_of(changed), own)
            right = bool(found) == (kind in STAY)
            counts[kind, language][0] += right
            counts[kind, language][1] += 1
            if not right and shown[kind] < arguments.show:
                shown[kind] += 1
                at = next((n for n, (a, b) in enumerate(zip(text, changed, strict=False)) if a != b), 0)
                print(
                    f"[{kind}] {found}\n    {text[max(0, at - 90) : at + 90]!r}\n    {changed[max(0, at - 90) : at + 90]!r}"
                )
    for kind in (*STAY, *GO):
        told = [f"{language} {counts[kind, language][0]}/{counts[kind, language][1]}" for language in ("en", "zh")]
        print(f"{'stays' if kind in STAY else 'goes'}: {kind:12} {', '.join(told)}")
    for name, kinds in (("stay", STAY), ("go", GO)):
        right, of = (sum(counts[key][at] for key in [*counts] if key[0] in kinds) for at in (0, 1))
        print(f"pairs that must {name}: {right} of {of} right, {right / of:.1%}")
    size = sum(len(text.encode()) for _, text in texts) / 1e6
    print(f"facts of {len(texts):,} passages ({size:.1f} MB) in {spent:.2f} s, {size / spent:.1f} MB/s")


if __name__ == "__main__":
    main()
