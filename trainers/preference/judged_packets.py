"""A labelling packet labelled by a judging model; where people labelled too, how often the judge agrees with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from endpoints.agreement import agreement
from endpoints.ledger import Ledger
from endpoints.settings import Endpoint
from schemas.errors import WrongCall
from storage.publishing import write_text
from trainers.preference.packets import COLUMNS
from verifiers.judging.preferred import Pair, Preferred, judged_pairs

NEEDED = ("prompt", "answer_a", "answer_b", "aspect")
JUDGED = (*COLUMNS, "reasoning")
LABELS = ("a", "b", "tie")


@dataclass(frozen=True)
class Labelled:
    """What came of a packet; `agreed` and `kappa` (Cohen 1960) are of the pairs that people labelled too."""

    pairs: int
    preferred: int
    ties: int
    unread: int
    compared: int
    agreed: float | None
    kappa: float | None


def label_packet(packet: Path, to: Path, endpoint: Endpoint, votes: int, ledger: Ledger) -> Labelled:
    """Ask about every pair of a packet's CSV; labels of people stay beside the judge's, in rows of their own.

    Raises:
        WrongCall: where the file is no packet.
    """
    rows = _rows(packet)
    pairs = [Pair(row["prompt"], row["aspect"], row["answer_a"], row["answer_b"]) for row in rows]
    found = judged_pairs(pairs, endpoint, votes, ledger)
    table = io.StringIO()
    writer = csv.DictWriter(table, JUDGED, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    for row, one in zip(rows, found, strict=True):
        if row.get("preferred"):
            writer.writerow(row)
        if one.choice is not None:
            writer.writerow({**row, "preferred": one.choice, "annotator": endpoint.model, "reasoning": one.reasoning})
    write_text(to, table.getvalue())
    return _measured(rows, found)


def _rows(packet: Path) -> list[dict[str, str]]:
    try:
        with packet.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WrongCall(f"{packet} is no packet of pairs: {error}") from None
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise WrongCall(f"{packet} is no packet of pairs: the column '{missing[0]}' is missing")
    if not rows:
        raise WrongCall(f"{packet} holds no pair")
    for number, row in enumerate(rows, 2):
        if any(row[name] is None for name in NEEDED):
            raise WrongCall(f"{packet}:{number}: fewer columns than the head names")
        if (row.get("preferred") or "").strip().lower() not in ("", *LABELS):
            raise WrongCall(f"{packet}:{number}: a label is a, b or tie, not {row['preferred']!r}")
        row["preferred"] = (row.get("preferred") or "").strip().lower()
    return rows


def _measured(rows: Sequence[dict[str, str]], found: Sequence[Preferred]) -> Labelled:
    both = [
        (row["preferred"], str(one.choice))
        for row, one in zip(rows, found, strict=True)
        if row["preferred"] and one.choice is not None
    ]
    choices = [one.choice for one in found]
    agreed, kappa = agreement(both)
    return Labelled(
        pairs=len(rows),
        preferred=sum(one in ("a", "b") for one in choices),
        ties=choices.count("tie"),
        unread=choices.count(None),
        compared=len(both),
        agreed=agreed,
        kappa=kappa,
    )
