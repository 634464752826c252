"""Which answers of a policy are worth a person's look, and the packet that carries them to people.

Reward models are asked about pairs of answers to one prompt. Doubtful pairs are those that they score almost
alike; in disagreeing ones one aspect prefers the one answer and another the other. The labels come back as a
source of preferences (`preferences: labels`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from schemas.rollout import Rollout
from storage.json_files import write_json
from storage.places import make_folder
from storage.publishing import write_text

PAIRS_A_PROMPT: Final = 2  # so that one prompt does not fill a packet
COLUMNS: Final = ("pair", "prompt", "answer_a", "answer_b", "aspect", "preferred", "annotator", "why_chosen")
LABEL_STUDIO: Final = """\
<View>
  <Header value="Question"/><Text name="prompt" value="$prompt"/>
  <Header value="Which answer is better in: $aspect?"/>
  <Text name="answer_a" value="$answer_a"/><Text name="answer_b" value="$answer_b"/>
  <Choices name="preferred" toName="prompt" choice="single" required="true">
    <Choice value="a"/><Choice value="b"/><Choice value="tie"/>
  </Choices>
</View>
"""


@dataclass(frozen=True)
class Doubt:
    """Two answers to one prompt, in an order that tells nothing, and why they are shown."""

    prompt: str
    question: str
    answers: tuple[str, str]
    aspect: str
    why: str
    rank: float

    @property
    def pair(self) -> str:
        """Its name: the same whenever the same answers are chosen."""
        return hashlib.blake2b(
            "\0".join((self.prompt, *sorted(self.answers), self.aspect)).encode(), digest_size=8
        ).hexdigest()

    def row(self) -> dict[str, str]:
        """The columns of a packet."""
        first, second = self.answers
        return {
            "pair": self.pair, "prompt": self.question, "answer_a": first, "answer_b": second, "aspect": self.aspect,
            "preferred": "", "annotator": "", "why_chosen": self.why,
        }  # fmt: skip


def chosen_doubts(rollouts: Iterable[Rollout], count: int) -> list[Doubt]:
    """At most `count` pairs, half of them doubtful, half disagreeing, the strongest cases first."""
    groups: dict[str, dict[str, Rollout]] = {}
    for one in rollouts:
        if one.scores != "{}" and one.text.strip():
            groups.setdefault(one.prompt, {}).setdefault(one.text.strip(), one)
    doubtful: list[Doubt] = []
    disagreeing: list[Doubt] = []
    for group in groups.values():
        found = [_told(one, other) for one, other in combinations(group.values(), 2)]
        doubtful += sorted((one for one, _ in found), key=_order)[:PAIRS_A_PROMPT]
        disagreeing += sorted((other for _, other in found if other is not None), key=_order)[:PAIRS_A_PROMPT]
    half = count // 2
    chosen = {one.pair: one for one in sorted(disagreeing, key=_order)[:half]}
    for doubt in sorted(doubtful, key=_order):
        if len(chosen) >= count:
            break
        chosen.setdefault(doubt.pair, doubt)
    return list(chosen.values())


def _order(doubt: Doubt) -> tuple[float, str]:
    return doubt.rank, doubt.pair


def _told(one: Rollout, other: Rollout) -> tuple[Doubt, Doubt | None]:
    """The aspect in which two answers are closest, and the two aspects that disagree most, if any do."""
    differences = {
        name: score - _flat(other)[name] for name, score in _flat(one).items()
    }  # fmt: skip
    closest = min(differences, key=lambda name: (abs(differences[name]), name))
    least, most = (function(differences, key=lambda name: (differences[name], name)) for function in (min, max))
    doubt = _doubt(one, other, closest, f"scores differ by {abs(differences[closest]):.2f}", abs(differences[closest]))
    if differences[least] >= 0 or differences[most] <= 0:
        return doubt, None
    apart = min(-differences[least], differences[most])
    why = (
        f"{_short(most)} prefers one by {differences[most]:.2f}, {_short(least)} the other by {-differences[least]:.2f}"
    )
    return doubt, _doubt(one, other, most, why, -apart)


def _doubt(one: Rollout, other: Rollout, name: str, why: str, rank: float) -> Doubt:
    answers = sorted(
        (one.text.strip(), other.text.strip()),
        key=lambda text: hashlib.blake2b(f"{one.prompt}{text}".encode()).digest(),
    )
    return Doubt(one.prompt, one.question, (answers[0], answers[1]), _short(name), why, rank)


def _flat(rollout: Rollout) -> dict[str, float]:
    told = json.loads(rollout.scores)
    return {f"{path}/{aspect}": score for path, scores in told.items() for aspect, score in scores.items()}


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def write_packet(folder: Path, doubts: Sequence[Doubt]) -> list[Path]:
    """The same pairs for Label Studio, for Argilla and as plain CSV; returns the files."""
    make_folder(folder)
    rows = [one.row() for one in doubts]
    shown = [{name: value for name, value in row.items() if name not in ("preferred", "annotator")} for row in rows]
    write_json(folder / "label_studio.json", [{"data": row} for row in shown])
    write_text(folder / "label_studio.xml", LABEL_STUDIO)
    fields = ("prompt", "answer_a", "answer_b")
    records: list[dict[str, Any]] = [
        {
            "id": row["pair"], "fields": {name: row[name] for name in fields},
            "metadata": {name: row[name] for name in row if name not in fields},
        }
        for row in shown
    ]  # fmt: skip
    write_text(folder / "argilla.jsonl", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "packet.csv", table.getvalue())
    return [folder / name for name in ("label_studio.json", "label_studio.xml", "argilla.jsonl", "packet.csv")]
