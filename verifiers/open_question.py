"""Questions that no rule judges: what an answer is worth is for reward models and principles to say."""

from __future__ import annotations

from typing import Final

from schemas.verdict import Verdict, unparsed
from verifiers.verifier import ReferenceModel, verifier

OPEN: Final = "open"


class Nothing(ReferenceModel):
    """There is nothing to hold an answer against."""


@verifier(OPEN, reference=Nothing)
def open_question(prompt: str, answer: str, reference: Nothing) -> Verdict:
    """No verdict: prompts for reward models alone (`verifier: open`, `reference: {}`)."""
    return unparsed("no rule judges this prompt")
