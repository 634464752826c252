"""When a step is out of the ordinary: losses and gradient norms that are not finite or far above the last ones."""

from __future__ import annotations

import math
import statistics
from collections import deque

from trainers.stage import SpikeConfig

FEWEST = 10  # steps before the median means anything


class SpikeWatch:
    """Remembers the losses and norms of the last ordinary steps."""

    def __init__(self, settings: SpikeConfig, before: list[tuple[float, float]]) -> None:
        self.settings = settings
        self._last: deque[tuple[float, float]] = deque(before[-settings.window :], maxlen=settings.window)
        self.count = 0

    def reason(self, loss: float, norm: float) -> str | None:
        """Why a step is a spike, or None where it is ordinary; ordinary steps are remembered."""
        found = self._reason(loss, norm)
        if found:
            self.count += 1
        else:
            self._last.append((loss, norm))
        return found

    def _reason(self, loss: float, norm: float) -> str | None:
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(norm):
            return f"the gradient norm is {norm}"
        if len(self._last) < FEWEST:
            return None
        usual_loss = statistics.median(one for one, _ in self._last)
        usual_norm = statistics.median(one for _, one in self._last)
        if loss > usual_loss * self.settings.loss_factor:
            return f"the loss {loss:.4g} is above {self.settings.loss_factor:g} times the usual {usual_loss:.4g}"
        if norm > usual_norm * self.settings.norm_factor:
            return (
                f"the gradient norm {norm:.4g} is above {self.settings.norm_factor:g} times the usual {usual_norm:.4g}"
            )
        return None
