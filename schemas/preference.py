"""A preference: turns that end with a question, an answer that was preferred, and one that was not.

In a document it stands as a conversation does (`schemas.conversation`), its two answers as the last two
turns, the preferred one first, so that every step of curation sees both; the rest is JSON in the column
`conversation`, with `aspect` first, which tells it from a conversation.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.conversation import Turn, text_of_turns
from schemas.errors import Unreadable
from schemas.prompt import check_prompt

PAIR_START: Final = '{"aspect":'
OVERALL: Final = "overall"  # the aspect of a preference that names none


class Preference(BaseModel):
    """Turns, the last a user's; two answers; by whom, in what respect (`aspect`) and how strongly one is preferred."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: tuple[Turn, ...]
    chosen: str
    rejected: str
    aspect: str = OVERALL
    annotator: str | None = None
    strength: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    source_documents: tuple[str, ...] = ()
    task: str | None = None
    ability: str | None = None
    difficulty: int | None = None

    def text(self) -> str:
        """The turns in text form, the preferred answer before the other."""
        answers = (Turn(role="assistant", content=one) for one in (self.chosen, self.rejected))
        return text_of_turns((*self.turns, *answers))

    def beside(self) -> str:
        """What stands beside the text, as JSON."""
        told: dict[str, Any] = {
            "aspect": self.aspect,
            "annotator": self.annotator,
            "strength": self.strength,
            "source_documents": list(self.source_documents),
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def asked_and_answers(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], Turn, Turn]:
    """Of a pair's turns those that ask, the preferred answer, and the other.

    Raises:
        Unreadable: with the reason why these turns make no pair.
    """
    if [one.role for one in turns[-2:]] != ["assistant", "assistant"]:
        raise Unreadable("a preference ends with two answers")
    asked, (chosen, rejected) = turns[:-2], turns[-2:]
    check_prompt(asked)
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if not answer.content.strip():
            raise Unreadable(f"the {name} answer is empty")
    if chosen.content.strip() == rejected.content.strip():
        raise Unreadable("the two answers are equal: neither is preferred")
    return asked, chosen, rejected
