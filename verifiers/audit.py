"""A verifier held against labelled answers: false accepts and false rejects, by class."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import WrongCall
from schemas.verdict import LabelledAnswer, Verdict


@dataclass
class Audit:
    """Counts of an audit: `kinds` over all cases and by class (false_accept, false_reject, failed, other, agree)."""

    cases: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    by_class: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, case: LabelledAnswer, verdict: Verdict) -> str:
        """Count one case; returns its kind."""
        kind = held_against(case, verdict)
        self.cases += 1
        self.kinds[kind] += 1
        self.by_class[case.class_]["cases"] += 1
        self.by_class[case.class_][kind] += 1
        return kind

    def told(self) -> dict[str, object]:
        """The object that the command prints."""
        names = ("false_accept", "false_reject", "failed")
        return {
            "cases": self.cases,
            **{name: self.kinds[name] for name in names},
            "by_class": {
                name: {"cases": counts["cases"], **{one: counts[one] for one in names}}
                for name, counts in sorted(self.by_class.items())
            },
        }


def held_against(case: LabelledAnswer, verdict: Verdict) -> str:
    """What a verdict is beside what was expected of it.

    A false accept is *right* where right is not expected, or *partly* where only wrong and unparsed are;
    a false reject is any other state than expected where right is.
    """
    good = {case.expected, *case.also}
    if verdict.state == "failed":
        return "failed"
    if verdict.state in good:
        return "agree"
    if verdict.state == "right" or (verdict.state == "partly" and good <= {"wrong", "unparsed"}):
        return "false_accept"
    return "false_reject" if case.expected == "right" else "other"


def bundled(name: str) -> Iterator[LabelledAnswer]:
    """The labelled answers that come with a verifier: adversarial ones, in both languages."""
    yield from read_cases(Path(str(files("verifiers"))) / "cases" / f"{name}.jsonl")


def read_cases(file: Path) -> Iterator[LabelledAnswer]:
    """Labelled answers of a file of JSON Lines, in its order.

    Raises:
        WrongCall: naming the file and the line that does not fit.
    """
    try:
        lines: Iterable[str] = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(f"{file} cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield LabelledAnswer.model_validate(_written_out(json.loads(line)))
        except (ValueError, ValidationError, TypeError) as error:
            told = str(error).splitlines()[0] if not isinstance(error, ValidationError) else "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            )  # fmt: skip
            raise WrongCall(f"{file}, line {number}: {told}") from None


def _written_out(row: object) -> object:
    """A case with `repeat` has its answer written out: prefix, unit times `times`, suffix."""
    if isinstance(row, dict) and isinstance(row.get("repeat"), dict) and "answer" not in row:
        told = row["repeat"]
        return {**row, "answer": told.get("prefix", "") + told["unit"] * told["times"] + told.get("suffix", "")}
    return row
