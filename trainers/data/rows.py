"""Rows of a component that samples are drawn from, before an objective says what a sample is."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import WrongCall
from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.packs import Packing
from trainers.data.windows import WindowSettings

SampleSettings = WindowSettings


@dataclass(frozen=True)
class Rows:
    """Rows of one kind, and how many samples one pass over them gives; `packing` where they are packed whole."""

    tokens: ArrowTokens
    packing: Packing | None
    per_epoch: int
    kind: str = "documents"

    def needs(self, kind: str, stage: str) -> Packing:
        """The packing of rows that a stage can learn from.

        Raises:
            WrongCall: where they are of another kind.
        """
        if self.kind != kind or self.packing is None:
            name = "/".join(self.tokens.path_prefix.split("/")[1:-1]) or self.tokens.path_prefix
            raise WrongCall(
                f"{name} holds {self.kind}, and the stage '{stage}' learns from {kind}; choose data.mixture"
            )
        return self.packing
