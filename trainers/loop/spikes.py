"""When a step is out of the ordinary: losses and gradient norms that are not finite or far above the last ones.

A batch's loss depends on what is in it (a page of a textbook is harder than a learned answer), so it
is held against what its own components usually cost, weighted by their tokens in this batch.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trainers.stage import SpikeConfig

FEWEST = 10  # steps before the median means anything


class SpikeWatch:
    """Remembers the losses by component and the norms of the last ordinary steps."""

    def __init__(
        self,
        settings: SpikeConfig,
        newest_first: Iterable[Mapping[str, Any]],
        components: Collection[str],
        count: int = 0,
    ) -> None:
        """Remember the last steps that a log tells of, no more than the windows hold; `count`: spikes so far."""
        self.settings = settings
        self._losses: dict[str, deque[float]] = {}
        self._norms: deque[float] = deque(maxlen=settings.window)
        self.count = count
        ordinary: list[Mapping[str, Any]] = []
        counts: Counter[str] = Counter()
        for record in newest_first:
            if record.get("spike"):
                continue
            ordinary.append(record)
            counts.update(record["loss_by"]["component"].keys())
            if len(ordinary) >= settings.window and all(counts[name] >= settings.window for name in components):
                break
        for record in reversed(ordinary):
            self._remember(record["loss_by"]["component"], record["grad_norm"])

    def reason(self, losses: Mapping[str, float], tokens: Mapping[str, int], norm: float) -> str | None:
        """Why a step is a spike, or None where it is ordinary; ordinary steps are remembered.

        `losses` and `tokens`: mean loss and learned tokens of each component in the batch.
        """
        found = self._reason(losses, tokens, norm)
        if found:
            self.count += 1
        else:
            self._remember(losses, norm)
        return found

    def _remember(self, losses: Mapping[str, float], norm: float) -> None:
        for name, loss in losses.items():
            self._losses.setdefault(name, deque(maxlen=self.settings.window)).append(loss)
        self._norms.append(norm)

    def _reason(self, losses: Mapping[str, float], tokens: Mapping[str, int], norm: float) -> str | None:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                return f"the loss of {name} is {loss}"
        if not math.isfinite(norm):
            return f"the gradient norm is {norm}"
        known = [name for name in losses if len(self._losses.get(name, ())) >= FEWEST]
        usual = sum(statistics.median(self._losses[name]) * tokens[name] for name in known)
        found = sum(losses[name] * tokens[name] for name in known)
        if found > usual * self.settings.loss_factor:
            count = sum(tokens[name] for name in known)
            return (
                f"the loss {found / count:.4g} is above {self.settings.loss_factor:g} times "
                f"the {usual / count:.4g} that such a batch usually has"
            )
        if len(self._norms) >= FEWEST:
            median = statistics.median(self._norms)
            if norm > median * self.settings.norm_factor:
                return (
                    f"the gradient norm {norm:.4g} is above {self.settings.norm_factor:g} times the usual {median:.4g}"
                )
        return None
