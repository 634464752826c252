"""Who judges the answers of a stage: rules first, a model behind them, and principles beside both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from endpoints.ledger import Ledger
from schemas.verdict import Verdict
from trainers.rl.settings import RlConfig
from verifiers.bounded import Judges, Question
from verifiers.judging.model_judge import judged_by_model
from verifiers.judging.principles import judged_by_principles
from verifiers.judging.settings import JudgeConfig, Principles, load_principles
from verifiers.open_question import OPEN

LEDGER = "judgements"  # folder of a stage in which what judging models said is kept


@dataclass
class Agreement:
    """How many answers a model was asked about, and where a rule had decided, how often they agreed."""

    asked: int = 0
    compared: int = 0
    agreed: int = 0

    def told(self) -> dict[str, float]:
        """Numbers for the log."""
        share = {"judge_agreement": self.agreed / self.compared} if self.compared else {}
        return {"judged_by_model": float(self.asked), **share}


@dataclass
class StageJudges:
    """Judges of one stage, on the rank that judges."""

    rl: RlConfig
    rules: Judges
    ledger: Ledger
    principles: Principles | None = None
    agreement: Agreement = field(default_factory=Agreement)

    @classmethod
    def of(cls, rl: RlConfig, out: Path) -> StageJudges:
        """Start rules, and read principles, so that a broken file is refused before anything is sampled."""
        principles = load_principles(Path(rl.principles.file)) if rl.principles else None
        return cls(rl, Judges(rl.judges), Ledger(out / LEDGER), principles)

    def begin_batch(self) -> None:
        """Count anew."""
        self.agreement = Agreement()

    def by_rules(self, questions: Sequence[Question]) -> list[Verdict]:
        """Verdicts of rules."""
        return list(self.rules.judge(questions))

    def behind_rules(self, questions: Sequence[Question], verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts of rules, a model's in the place of those that decide nothing."""
        judge = self.rl.judge
        if judge is None:
            return list(verdicts)
        undecided = [_is_open(one, found, judge) for one, found in zip(questions, verdicts, strict=True)]
        checked = [
            not undecided[at] and verdicts[at].state not in ("failed", "unparsed") and _is_checked(one, judge)
            for at, one in enumerate(questions)
        ]
        asked = [at for at in range(len(questions)) if undecided[at] or checked[at]]
        told = list(verdicts)
        found_by_model = judged_by_model([questions[at] for at in asked], judge, self.ledger)
        self.agreement.asked += len(asked)
        for at, found in zip(asked, found_by_model, strict=True):
            if undecided[at]:
                told[at] = found
            elif found.state != "failed":
                self.agreement.compared += 1
                self.agreement.agreed += found.state == verdicts[at].state
        return told

    def by_principles(self, questions: Sequence[Question]) -> list[Verdict] | None:
        """Verdicts by the stage's principles, where it has some."""
        use = self.rl.principles
        if use is None or self.principles is None:
            return None
        return judged_by_principles(questions, self.principles, use.endpoint, use.votes, self.ledger)

    def close(self) -> None:
        """End the processes of rules."""
        self.rules.close()


def _is_open(question: Question, verdict: Verdict, judge: JudgeConfig) -> bool:
    return verdict.state == "unparsed" and (question.verifier != OPEN or judge.open_questions)


def _is_checked(question: Question, judge: JudgeConfig) -> bool:
    """Whether a decided answer is asked about too; the same answers whenever the stage runs."""
    if judge.when == "always":
        return True
    drawn = hashlib.blake2b(f"{question.prompt}\0{question.answer}".encode("utf-8", "replace"), digest_size=4).digest()
    return int.from_bytes(drawn, "big") < judge.check * 2**32
