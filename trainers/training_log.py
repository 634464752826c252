"""What a training run says of itself: JSON lines, TensorBoard, and lines on the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trainers.parallel import is_first


class TrainingLog:
    """Writes one record a step on the first rank; on resume, records past the checkpoint are cut off."""

    def __init__(self, out: Path, first_step: int, quiet: bool = False) -> None:
        self.active = is_first()
        self.quiet = quiet
        if not self.active:
            return
        from torch.utils.tensorboard import SummaryWriter

        out.mkdir(parents=True, exist_ok=True)
        path = out / "log.jsonl"
        kept = [line for line in _lines(path) if json.loads(line).get("step", 0) <= first_step]
        path.write_text("".join(kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=first_step + 1)

    def write(self, step: int, values: dict[str, Any], say: bool) -> None:
        """Record the numbers of one step."""
        if not self.active:
            return
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            if isinstance(value, (int, float)):
                self._board.add_scalar(name, value, step)
        if say and not self.quiet:
            shown = "  ".join(
                f"{name} {_short(value)}" for name, value in values.items() if not isinstance(value, dict)
            )
            print(f"step {step}  {shown}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Flush and close."""
        if self.active:
            self._file.close()
            self._board.close()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
