"""Conversations: turns with roles, and what a team wants to know of them. One text form, and back.

In a document's `text` a conversation stands as its turns, each under a line with its role:

    <|user|>
    …
    <|assistant|>
    …

so that every filter, redaction and deduplication sees and changes the very text that is trained on.
A line of a turn that is such a mark itself has a backslash before it. What is not text (tools,
citations, source documents) stands in the column `conversation`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from schemas.errors import Unreadable

Role = Literal["system", "user", "assistant", "tool"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
MARK: Final = re.compile(r"^<\|(system|user|assistant|tool)\|>$", re.MULTILINE)
# A turn's own line that looks like one with a role, with the backslashes that tell it from one.
LIKE_MARK: Final = re.compile(r"^(\\*)(<\|(?:system|user|assistant|tool)\|>)$", re.MULTILINE)
# What templates may tell of a conversation beside its turns.
BESIDE: Final = {"unlearned", "tools", "citations", "source_documents"}  # what stands beside a text
TOLD_BESIDE: Final = ("task", "ability", "difficulty")


class Turn(BaseModel):
    """One turn; calls of tools stand in an assistant's content as `<tool_call>…</tool_call>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    content: str


class Conversation(BaseModel):
    """A conversation that ends with an answer.

    `unlearned`: answers, numbered from 1, that are read and never learned, since their row says so.
    `difficulty` counts up from the simplest; `citations` are documents that answers cite;
    `source_documents` are ids of curated documents it was made from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: tuple[Turn, ...]
    unlearned: tuple[int, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    citations: tuple[str, ...] = ()
    source_documents: tuple[str, ...] = ()
    task: str | None = None
    ability: str | None = None
    difficulty: int | None = None

    def text(self) -> str:
        """The turns in text form."""
        return text_of_turns(self.turns)

    def beside(self) -> str:
        """What stands beside the text, as JSON."""
        return self.model_dump_json(include=BESIDE, exclude_defaults=True)


def text_of_turns(turns: Sequence[Turn]) -> str:
    """Turns in text form, whatever they make."""
    return "\n".join(f"<|{turn.role}|>\n{_escaped(turn.content)}" for turn in turns)


def _escaped(content: str) -> str:
    """A turn's words, a backslash before each line that would be taken for the beginning of a turn."""
    return LIKE_MARK.sub(lambda match: "\\" + match.group(), content)


def _plain(content: str) -> str:
    """What `_escaped` was given."""
    return LIKE_MARK.sub(lambda match: match.group().removeprefix("\\"), content)


def turns_of(text: str) -> tuple[Turn, ...]:
    """The turns of a conversation's text form; refused with a reason where they make no conversation."""
    turns = turns_in(text)
    check_turns(turns)
    return turns


def turns_in(text: str) -> tuple[Turn, ...]:
    """The turns of a text form, whatever they make."""
    pieces = MARK.split(text)
    if pieces[0].strip():
        raise Unreadable("text stands before the first turn mark")
    return tuple(
        Turn(role=role, content=_plain(content.strip()))  # type: ignore[arg-type]
        for role, content in zip(pieces[1::2], pieces[2::2], strict=True)
    )


def check_each(turns: Sequence[Turn]) -> None:
    """Refuse what no turn may be, whatever the turns make together."""
    if not turns:
        raise Unreadable("no turns")
    for number, turn in enumerate(turns, 1):
        if not turn.content.strip():
            raise Unreadable(f"turn {number} ({turn.role}) is empty")
        if turn.role == "system" and number > 1:
            raise Unreadable(f"turn {number} is a system turn; only the first may be")


def check_turns(turns: Sequence[Turn]) -> None:
    """Refuse, naming the turn and the reason, what cannot be trained on as a conversation."""
    check_each(turns)
    spoken = [turn.role for turn in turns if turn.role != "system"]
    if not spoken or spoken[0] != "user":
        raise Unreadable(f"the first turn is {spoken[0] if spoken else 'missing'}, not user")
    for number, (before, after) in enumerate(itertools.pairwise(spoken), 2):
        if before == after == "user" or before == after == "assistant":
            raise Unreadable(f"turns {number - 1} and {number} are both {after}")
        if after == "tool" and before == "user":
            raise Unreadable(f"turn {number} is a tool's, but no assistant called it")
    if spoken[-1] != "assistant":
        raise Unreadable(f"the last turn is {spoken[-1]}, not assistant: there is no answer to learn")
