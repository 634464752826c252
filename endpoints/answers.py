"""A question to a server, its answer, and in what state it came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from endpoints.settings import Endpoint, State
from schemas.canonical import canonical_digest

ANSWERS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("reasoning", pa.string(), nullable=False),
        pa.field("finish", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("answer_tokens", pa.int64(), nullable=False),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("why", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Ask:
    """Messages (role and content) and the number of the sample: the same question may be asked several times."""

    messages: tuple[tuple[str, str], ...]
    sample: int = 0

    def key(self, endpoint: Endpoint) -> str:
        """Digest of everything that shapes the answer, absent settings told from those that are given."""
        told = {"url": endpoint.url, "model": endpoint.model, "sampling": endpoint.sampling.told()}
        return canonical_digest([told, [list(one) for one in self.messages], self.sample])


@dataclass(frozen=True)
class Answered:
    """One row of `ANSWERS`; only *kept* is an answer to go on with."""

    key: str
    sample: int
    state: State
    text: str = ""
    reasoning: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    attempts: int = 1
    why: str = ""

    def row(self) -> dict[str, Any]:
        """The columns."""
        return asdict(self)


def read_completion(key: str, sample: int, told: Any, attempts: int) -> Answered:
    """The answer in a server's reply to a chat completion; a reply that is none is *invalid*."""
    try:
        choice = told["choices"][0]
        message: Mapping[str, Any] = choice["message"]
    except (KeyError, IndexError, TypeError):
        return Answered(key, sample, "invalid", attempts=attempts, why="the reply holds no choice with a message")
    text, finish = message.get("content") or "", str(choice.get("finish_reason") or "")
    usage = told.get("usage") or {}
    state: State = "kept"
    why = ""
    if message.get("refusal"):
        state, why = "refused", str(message["refusal"])[:500]
    elif finish == "content_filter":
        state = "blocked"
    elif finish == "length":
        state = "truncated"
    elif not isinstance(text, str) or not text.strip():
        state = "empty"
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return Answered(
        key, sample, state, str(text), str(reasoning), finish, int(usage.get("prompt_tokens") or 0),
        int(usage.get("completion_tokens") or 0), attempts, why,
    )  # fmt: skip


def counted(answers: Sequence[Answered]) -> dict[str, int]:
    """How many answers came back in each state."""
    found: dict[str, int] = {}
    for one in answers:
        found[one.state] = found.get(one.state, 0) + 1
    return dict(sorted(found.items()))
