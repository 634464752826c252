"""Words around a disease's name that make another disease of it: "pulmonary hypertension" is no hypertension.

Tables hold the usual ones with codes of their own; what they lack is told by its form. A name so changed is at most
partly right, since nobody looked up what it is.
"""

from __future__ import annotations

import re
from typing import Final

# Severity, course, side and certainty leave a disease what it is.
_SAME: Final = frozenset([
    "acute", "subacute", "chronic", "bilateral", "unilateral", "serious", "critical", "clinical", "typical",
    "atypical", "classic", "classical", "initial", "final", "principal", "actual", "general", "generic", "historic",
    "symptomatic", "asymptomatic", "episodic", "paroxysmal", "partial", "lateral", "medial", "radial", "primary",
    "secondary", "tertiary", "idiopathic", "sporadic", "systemic", "essential", "simple", "bacterial", "infectious",
    "infective", "febrile", "mild", "moderate", "severe", "massive", "submassive", "fulminant", "medical",
    "surgical", "diagnostic", "specific", "nonspecific", "chronical", "several", "likely", "probable", "possible",
    "presumptive", "obvious", "new", "recurrent", "persistent", "early", "late", "underlying", "uncomplicated",
    "complicated", "community", "hospital", "acquired", "onset", "related", "associated", "diagnosed", "confirmed",
    "untreated", "treated", "controlled", "uncontrolled", "poorly", "well", "decompensated", "exacerbated",
    "complicating", "worsening", "ongoing", "existing", "continuing", "including", "indicating", "suggesting",
    "causing", "having", "developing", "showing", "meaning", "being", "representing", "ruptured", "perforated",
    "inflamed", "infected", "tophaceous", "usual", "normal", "total", "potential", "clear", "similar", "particular",
    "obvious", "dangerous", "various", "contagious", "numerous", "basic", "public", "progressive", "active",
    "extensive", "local", "regional", "global", "annual", "seasonal", "equal", "real", "central", "mental", "vital",
    "ideal", "crucial", "advanced", "delayed", "proved", "proven", "established", "suspected", "called", "named",
    "termed", "labelled", "considered",
])  # fmt: skip
_CAUSES: Final = frozenset([
    "aspiration", "gallstone", "heat", "fat", "air", "amniotic", "fluid", "exercise", "drug", "alcohol", "steroid",
    "radiation", "aspirin", "virus", "newborn", "childhood", "pregnancy", "pneumocystis", "mycoplasma", "legionella",
    "chlamydia", "klebsiella", "fungal", "stress", "st", "bone", "marrow", "cns", "lewy", "body", "juvenile",
    "eosinophil", "transplant", "dialysis",
])  # fmt: skip
_ADJECTIVE: Final = re.compile(
    r"(?:[aei]al|[^aeiou]al|ic|ous|ar|ary|ory|ile|une|oid|induced|organi[sz]ing|necroti[sz]ing)$"
)
_WORD_BEFORE: Final = re.compile(r"(?:([A-Za-z]{2,})-)?([A-Za-z]{2,})[ -]$")
_SAME_ZH: Final = re.compile(
    r"(?:急|慢|亚急|原发|继发|复发|持续|阵发|发作|进行|特发|活动|典型|双侧|单侧|社区获得|医院获得|获得|细菌|感染|重症|轻|中|良|恶|暴发|普通|散发|全身|系统)性$"
)
_CAUSES_ZH: Final = re.compile(
    r"(?:性|支原体|衣原体|病毒|真菌|新生儿|婴幼?儿|妊娠期?|孕期|产后|放射|吸入|假|酒精|药物|胆源|心源|肾源|创伤后|外伤后|感染后|术后|中毒|糖尿病)$"
)
_BEHIND_ZH: Final = re.compile(
    r"(?:性(?!质)|样|脑病|危象|[心肾眼肝]脏?病|足|[链葡肺]?球菌|杆菌|支原体|衣原体|克雷伯|持续状态|疫苗|相关|后(?:综合征|咳嗽))"
)
_BEHIND: Final = re.compile(
    r"[ -](?:vaccin\w*|associated|related|induced|like|prophylaxis|overlap|mimic\w*|phobia)\b", re.IGNORECASE
)


def changes(before: str, behind: str) -> bool:
    """Whether the words right beside a name (its clause before it, some letters behind it) make another disease of it."""
    if _BEHIND_ZH.match(behind) or _BEHIND.match(behind):
        return True
    if before[-1:] >= "\u3400":
        return bool(_CAUSES_ZH.search(before)) and not _SAME_ZH.search(before)
    found = _WORD_BEFORE.search(before[-60:])
    if found is None:
        return False
    word, whole = found[2].lower(), before[-60:][found.start() :].strip().lower()
    if word in _SAME or whole in _SAME:
        return word in ("associated", "related", "acquired", "onset") and _of_a_cause(found[1])
    return word in _CAUSES or bool(_ADJECTIVE.search(word) and len(word) > 3)


def _of_a_cause(first: str | None) -> bool:
    return first is not None and first.lower() not in ("community", "hospital", "new", "late", "early", "adult", "age")
