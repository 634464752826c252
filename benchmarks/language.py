"""Languages of short clinical texts: lines of 20 to 200 characters that are Chinese, English or another language.

    python benchmarks/language.py --data ../shared/data

Chinese: lines of the real dialogues and of the forms of `identifier_forms.yaml`. English: those forms and telegraphic notes that are
put together here from fragments. Others: sentences of clinics in twelve languages. A line is right when the step
`language: {keep: [en, zh], min_score: 0.5}`, behind `phi` as in the recipes, keeps it under its language, or leaves another language out.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from identifiers import FORMS, Values, filled

from filters.language import language
from filters.privacy.spans import marked
from filters.privacy.step import find_identifiers
from filters.step import Batch
from schemas.document import READ_COLUMNS
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

SHORTEST, LONGEST = 20, 200
WHO = ("71F", "58 yo M", "Pt", "34M smoker", "82F NH resident", "6yo boy", "G2P1 at 32/40", "45 yo woman", "T2DM pt")
HAS = (
    "w/ SOB x3d",
    "c/o epigastric pain",
    "s/p CABG 2019",
    "fell, LOC neg",
    "fever 38.9, rigors",
    "BIBA post seizure",
    "n/v/d x2 days",
    "with melaena",
)
SEEN = (
    "rales bil bases, no S3",
    "abd soft, NT, BS+",
    "GCS 15, PERRL",
    "chest clear",
    "JVP up 4 cm, ankle oedema ++",
    "neuro grossly intact",
    "wound clean and dry",
    "ECG: SR, no acute ST change",
)
VALUES = (
    "BP 148/92 HR 76 RR 18 SpO2 94% RA",
    "Na 131, K 5.4, Cr 188",
    "Hb 8.9, MCV 72, ferritin 6",
    "WBC 14.2, CRP 96",
    "trop neg x2",
    "HbA1c 9.1%",
    "INR 4.2",
    "ABG: pH 7.31, pCO2 6.8",
)
PLAN = (
    "start IV abx, cultures sent",
    "CXR, repeat bloods am",
    "d/c home w/ GP f/u 1/52",
    "refer cardiology",
    "continue apixaban 5 mg bid",
    "NPO, IVF, surgical review",
    "stop metformin, hold ACEi",
    "wean O2 as able",
)
CAPITALS = (
    "HISTORY OF PRESENT ILLNESS: NONE AVAILABLE.",
    "IMPRESSION: NO ACUTE CARDIOPULMONARY DISEASE.",
    "ALLERGIES: NKDA. MEDICATIONS: SEE LIST.",
    "PLAN: REPEAT SCAN IN SIX MONTHS.",
)
OTHERS = {
    "de": ["Der Patient klagt seit drei Tagen über Brustschmerzen.", "Lunge frei, kein Rasselgeräusch, Abdomen weich.", "Befund: kein Hinweis auf eine frische Blutung.", "Bitte Kontrolle des Blutdrucks in zwei Wochen."],
    "fr": ["Patiente de 54 ans adressée pour une dyspnée d'effort.", "Pas de fièvre, abdomen souple, transit conservé.", "Le scanner ne montre pas d'embolie pulmonaire.", "Traitement par amoxicilline pendant sept jours."],
    "es": ["Paciente de 61 años con dolor torácico de dos horas.", "Sin fiebre ni disnea, abdomen blando y depresible.", "Se recomienda control de la glucemia en ayunas.", "La radiografía de tórax no muestra derrame pleural."],
    "pt": ["Doente com tosse produtiva e febre há quatro dias.", "Não apresenta edema dos membros inferiores.", "A ecografia abdominal mostrou cálculos na vesícula.", "Manter a medicação habitual e voltar em um mês."],
    "it": ["Paziente di 70 anni con dispnea e tosse da una settimana.", "Addome trattabile, non dolente alla palpazione.", "Si consiglia visita cardiologica entro un mese.", "La risonanza non evidenzia lesioni ischemiche recenti."],
    "nl": ["Patiënte klaagt over hoofdpijn sinds gisterenavond.", "Geen koorts, buik soepel, geen drukpijn.", "Controle van de bloeddruk over twee weken.", "De foto van de longen laat geen afwijkingen zien."],
    "pl": ["Pacjent zgłasza ból w klatce piersiowej od trzech dni.", "Brzuch miękki, niebolesny, bez oporów patologicznych.", "Zalecono kontrolę ciśnienia tętniczego.", "Badanie USG nie wykazało zmian ogniskowych."],
    "ru": ["Больной жалуется на боли в груди в течение трёх дней.", "Живот мягкий, безболезненный, печень не увеличена.", "Рекомендован контроль артериального давления.", "На рентгенограмме лёгких изменений не выявлено."],
    "ja": ["患者は三日前から胸の痛みを訴えています。", "腹部は柔らかく、圧痛はありません。", "血圧は二週間後にもう一度測定してください。", "胸部レントゲンに異常は認められませんでした。"],
    "ko": ["환자는 사흘 전부터 가슴 통증을 호소합니다.", "복부는 부드럽고 압통은 없었습니다.", "두 주 뒤에 혈압을 다시 측정하십시오.", "흉부 엑스선에서 이상 소견은 없었습니다."],
    "tr": ["Hasta üç gündür göğüs ağrısından yakınıyor.", "Karın yumuşak, hassasiyet yok, ateş yok.", "İki hafta sonra tansiyon kontrolü önerildi.", "Akciğer grafisinde patolojik bulgu saptanmadı."],
    "vi": ["Bệnh nhân đau ngực từ ba ngày nay, không sốt.", "Bụng mềm, ấn không đau, gan không to.", "Đề nghị kiểm tra huyết áp sau hai tuần.", "Phim phổi không thấy tổn thương bất thường."],
}  # fmt: skip


def _note(chance: random.Random) -> str:
    if chance.random() < 0.15:
        return chance.choice(CAPITALS)
    parts = [chance.choice(of) for of in (WHO, HAS, SEEN, VALUES, PLAN)]
    first = chance.randint(0, 2)
    note = ". ".join(parts[first : first + chance.randint(2, 4)])
    return note.upper() if chance.random() < 0.1 else note


def _form_lines(name: str, rounds: int, seed: int) -> list[str]:
    forms = YAML(typ="safe").load(FORMS.read_text(encoding="utf-8"))
    values = Values(name, seed)
    texts = [filled(form, key, values)[0] for _ in range(rounds) for key, form in forms[name].items()]
    return [line for text in texts for line in text.splitlines()]


def _hidden(texts: list[str]) -> list[str]:
    """Texts with marks for persons, as the step before leaves them."""
    found = find_identifiers(texts, texts, ["personal"] * len(texts))
    return [marked(text, spans)[0] for text, spans in zip(texts, found, strict=True)]


def _says(hidden: str) -> bool:
    """Whether anything is said in some language: two words or four ideographs besides persons, numbers and addresses."""
    left = re.sub(r"\[[A-Z]+(?:_\d+)?\]|\S+@\S+|\S*\d\S*", " ", hidden)
    return len(re.findall(r"[^\W\d_\u4e00-\u9fff]{3,}", left)) >= 2 or len(re.findall(r"[\u4e00-\u9fff]", left)) >= 4


def lines(data: Path, seed: int, many: int) -> list[tuple[str, str, str]]:
    """Language, kind and text of each line."""
    chance = random.Random(seed)
    source = Source(name="d", files=["dialogues/zh/*.csv"], source_type="dialogue", text="{ask}\n{answer}")
    spoken = [
        text for file in find_inputs(source, data) for frame, _ in read_frames(file, source) for text in frame["text"]
    ]
    kinds = {
        ("zh", "real dialogues"): [part for text in spoken for part in text.splitlines()],
        ("zh", "forms"): _form_lines("zh", 6, seed),
        ("en", "forms"): _form_lines("en", 6, seed),
        ("en", "telegraphic notes"): list(dict.fromkeys(_note(chance) for _ in range(6 * many))),
    }
    told = []
    for (name, kind), of in kinds.items():
        fitting = [line.strip() for line in of if SHORTEST <= len(line.strip()) <= LONGEST]
        drawn = [line for line in _hidden(chance.sample(fitting, min(2 * many, len(fitting)))) if _says(line)]
        told += [(name, kind, line) for line in drawn[:many]]
    told += [("other", name, line) for name, of in OTHERS.items() for line in of if len(line) >= SHORTEST]
    return told


def main() -> None:
    """Print the share of lines that get the right language, by language and kind, and the wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--many", type=int, default=500, help="lines of each kind")
    parser.add_argument("--show", type=int, default=5, help="wrong lines of each kind to print")
    arguments = parser.parse_args()
    told = lines(arguments.data, arguments.seed, arguments.many)
    rows = [
        {"id": f"{number:032x}", "text": text, "source": "lines", "source_type": "record"}
        for number, (_, _, text) in enumerate(told)
    ]
    outcome = language(Batch(pl.DataFrame(rows, schema=READ_COLUMNS)), keep=["en", "zh"], min_score=0.5)
    assert outcome.reasons is not None
    right, total, wrong = Counter(), Counter(), defaultdict(list)
    for (name, kind, text), found, reason in zip(told, outcome.columns["language"], outcome.reasons, strict=True):
        fits = reason is not None if name == "other" else reason is None and found == name
        total[name, kind] += 1
        right[name, kind] += fits
        if not fits:
            wrong[name, kind].append((found, reason, text))
    for key, count in sorted(total.items()):
        print(f"{key[0]:6} {key[1]:18} {right[key]:4} of {count:4}  {right[key] / count:7.2%}")
        for one in wrong[key][: arguments.show]:
            print(f"    {one}")
    print(f"all: {right.total()} of {total.total()}, {right.total() / total.total():.2%} (goal 99.5%)")


if __name__ == "__main__":
    main()
