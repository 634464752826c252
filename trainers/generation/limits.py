"""Where an answer ends besides its own end: texts that stop it, and a budget of tokens for thinking.

When the budget is spent the thought is closed for the model. Tokens that are written for it were not drawn:
their log-probability is no number, and nothing is learned at their places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

OPENS: Final = "<think>"
CLOSES: Final = "</think>"
CLOSING: Final = f"\n{CLOSES}\n"  # what is written where the budget is spent


@dataclass(frozen=True)
class Limits:
    """`decode` turns tokens into text; `closing` are the tokens of `CLOSING`; no budget is None."""

    decode: Callable[[Sequence[int]], str]
    stops: tuple[str, ...] = ()
    think_tokens: int | None = None
    closing: tuple[int, ...] = ()

    def stopped(self, ids: Sequence[int]) -> bool:
        """Whether the last token completed a text that ends an answer."""
        if not self.stops:
            return False
        tail = self.decode(ids[-max(map(len, self.stops)) - 4 :])
        return any(stop in tail for stop in self.stops)

    def closes_thought(self, ids: Sequence[int], prompt: Sequence[int]) -> bool:
        """Whether the thought is still open after as many tokens as it may have."""
        if self.think_tokens is None or len(ids) != self.think_tokens:
            return False
        said = self.decode(ids)
        opened = OPENS in said or self.decode(prompt[-8:]).rstrip().endswith(OPENS)
        return opened and CLOSES not in said
