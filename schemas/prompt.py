"""A prompt of reinforcement learning: turns that end with a question, and what a verifier holds answers against.

In a document it stands as a conversation does (`schemas.conversation`): its turns are the text, the rest
is JSON in the column `conversation`, with `verifier` first, which tells it from a conversation.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from schemas.conversation import Turn, check_each, text_of_turns
from schemas.errors import Unreadable

PROMPT_START: Final = '{"verifier":'


class Prompt(BaseModel):
    """Turns, the last a user's; `verifier` by name with its `reference`; ids of documents it was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: tuple[Turn, ...]
    verifier: str
    reference: dict[str, Any]
    source_documents: tuple[str, ...] = ()
    task: str | None = None
    ability: str | None = None
    difficulty: int | None = None

    def text(self) -> str:
        """The turns in text form."""
        return text_of_turns(self.turns)

    def beside(self) -> str:
        """What stands beside the text, as JSON."""
        told = {"verifier": self.verifier, "reference": self.reference, "source_documents": list(self.source_documents)}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def check_prompt(turns: tuple[Turn, ...]) -> None:
    """Refuse, with the reason, turns that no answer can follow."""
    if not turns or turns[-1].role != "user":
        raise Unreadable("a prompt ends with a user's turn")
    check_each(turns)
