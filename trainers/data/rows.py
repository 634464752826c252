"""Rows of a component that samples are drawn from, before an objective says what a sample is."""

from __future__ import annotations

from dataclasses import dataclass

from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.packs import Packing
from trainers.data.windows import WindowSettings

SampleSettings = WindowSettings


@dataclass(frozen=True)
class Rows:
    """Rows to draw from, and how many samples one pass over them gives; `packing` where they are conversations."""

    tokens: ArrowTokens
    packing: Packing | None
    per_epoch: int
