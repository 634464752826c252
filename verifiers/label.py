"""One of a few words, such as PubMedQA's yes, no and maybe: the one that an answer commits itself to."""

from __future__ import annotations

import re
from typing import Final

from pydantic import model_validator

from schemas.verdict import Verdict, right, unparsed, wrong
from verifiers.reading.cleaning import own_question, said, without_quotations
from verifiers.reading.commitment import marks
from verifiers.reading.json_answer import MISSING, field_of, json_values
from verifiers.verifier import ReferenceModel, verifier

ANSWER_FIELDS = frozenset(["answer", "finalanswer", "label", "decision", "答案", "结论"])


class LabelReference(ReferenceModel):
    """The right label, and all that there are."""

    label: str
    labels: list[str] = ["yes", "no", "maybe"]

    @model_validator(mode="after")
    def _one_of_them(self) -> LabelReference:
        if self.label.casefold() not in {one.casefold() for one in self.labels}:
            raise ValueError(f"{self.label} is none of {', '.join(self.labels)}")
        return self


# What may follow a label: its end, a mark, or the reason.
_ENDS: Final = r"(?=[\s*_\])\"'`>]*(?:$|[.,;:!?。，；：！()（\[\n—–-]|<|because\b|since\b|as\b|although\b|though\b|but\b|for\b|given\b|due\b|it\b|they\b|the\b|there\b|this\b|these\b|that\b|因|由))"


@verifier("label", reference=LabelReference)
def label(prompt: str, answer: str, reference: LabelReference) -> Verdict:
    """The label behind the last mark, in a field of JSON, or that the answer begins with."""
    found = _committed(said(answer, prompt), [one.casefold() for one in reference.labels])
    if found is None:
        return unparsed("no label that the text commits itself to")
    return right(found, "the label") if found == reference.label.casefold() else wrong(found, f"not {reference.label}")


def _committed(text: str, labels: list[str]) -> str | None:
    """One label, or None where there is none or more than one."""
    told = [one for one in (field_of(value, ANSWER_FIELDS) for value in json_values(text)) if one is not MISSING]
    if told:
        return str(told[-1]).strip().casefold() if str(told[-1]).strip().casefold() in labels else None
    quiet = without_quotations(own_question(text)[0])
    for one in marks(quiet):
        found = _first(one.words, labels)
        if found is not None:
            return found
    return _first(quiet, labels)


def _first(words: str, labels: list[str]) -> str | None:
    """The label that words begin with, where no other is set beside it and no words go on with it ("no idea")."""
    form = "|".join(re.escape(one) for one in sorted(labels, key=len, reverse=True))
    lead = re.match(
        rf"[\s*_(\[\"'`]*({form})(?![\w-])(?!\s*(?:/|\bor\b|或))(?!\s*[,;]\s*(?:{form})\b){_ENDS}", words.casefold()
    )
    return lead[1] if lead else None
