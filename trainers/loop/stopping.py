"""Whether a process was asked to stop, as schedulers ask before they take a machine away."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any


@dataclass
class StopSignals:
    """Notes SIGTERM; the step under way is finished and saved before the process ends."""

    asked: bool = False

    def listen(self) -> None:
        """Begin to notice; only the main thread can."""
        try:
            signal.signal(signal.SIGTERM, self._told)
        except ValueError:
            return

    def _told(self, *_: Any) -> None:
        self.asked = True
