"""What a training run says of itself: JSON lines, TensorBoard, Weights & Biases (offline), lines on the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from schemas.errors import WrongCall
from storage.places import make_folder
from storage.publishing import open_log
from trainers.loop.position import Position
from trainers.loop.records import cut_log
from trainers.parallel.groups import is_first
from trainers.stage import LogConfig


class TrainingLog:
    """Writes one record a step on the first rank; on resume, records past the checkpoint are cut off.

    Samples say what is past it: they only rise, where steps go back after a rollback.
    """

    def __init__(self, out: Path, position: Position, settings: LogConfig, name: str, quiet: bool = False) -> None:
        self.active, self.quiet = is_first(), quiet
        if not self.active:
            return
        self.out = out
        make_folder(out)
        self._file, self._events = (
            _continued(out / name, lambda record: _samples_after(record) <= position.samples)
            for name in ("log.jsonl", "events.jsonl")
        )
        self._board: Any = None
        self._run: Any = None
        if settings.tensorboard:
            self._board = _board(out, position.step)
        if settings.wandb:
            self._run = _wandb(out, name)

    def write(self, step: int, values: dict[str, Any], say: bool) -> None:
        """Record the numbers of one step; `values` may hold one level of dictionaries."""
        if not self.active:
            return
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        flat = dict(_flat(values))
        if self._board is not None:
            with self._board_may_fail():
                for name, value in flat.items():
                    self._board.add_scalar(name, value, step)
        if self._run is not None:
            self._run.log(flat, step=step)
        if say and not self.quiet:
            shown = "  ".join(f"{name} {_short(value)}" for name, value in values.items() if name in SAID)
            print(f"step {step}  {shown}", file=sys.stderr, flush=True)

    def event(self, step: int, kind: str, **values: Any) -> None:
        """Record something out of the ordinary in `events.jsonl`, and say it."""
        if not self.active:
            return
        self._events.write(json.dumps({"step": step, "event": kind, **values}) + "\n")
        self._events.flush()
        if not self.quiet:
            print(f"step {step}  {kind}: {values.get('reason', '')}", file=sys.stderr, flush=True)

    def rewind(self, step: int) -> None:
        """Cut off the records past a step that training went back to; events stay."""
        if not self.active:
            return
        self._file.close()
        self._file = _continued(self.out / "log.jsonl", lambda record: record["step"] <= step)
        if self._board is not None:
            with self._board_may_fail():
                self._board.close()
                self._board = _board(self.out, step)

    def close(self) -> None:
        """Flush and close."""
        if not self.active:
            return
        self._file.close()
        self._events.close()
        if self._board is not None:
            with self._board_may_fail():
                self._board.close()
        if self._run is not None:
            self._run.finish()

    @contextlib.contextmanager
    def _board_may_fail(self) -> Iterator[None]:
        """TensorBoard's files are a second copy of the log: where they cannot be written, it goes on without them."""
        try:
            yield
        except OSError as error:
            self._board = None
            told = f"TensorBoard's files in {self.out} cannot be written any more: {error.strerror or error}"
            print(told, file=sys.stderr, flush=True)


SAID = (
    "reward",
    "right_share",
    "held_out_reward",
    "gold_reward",
    "accuracy",
    "validation_accuracy",
    "reward_margin",
    "loss",
    "validation_loss",
    "grad_norm",
    "learning_rate",
    "tokens_per_second",
    "mfu",
)


def _continued(path: Path, kept: Callable[[Mapping[str, Any]], bool]) -> TextIO:
    cut_log(path, kept)
    return open_log(path)


def _samples_after(record: Mapping[str, Any]) -> int:
    return int(record.get("first_sample", 0)) + int(record.get("batch", 0))


def _board(out: Path, step: int) -> Any:
    """TensorBoard's writer, what was written past a step taken back."""
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)


def _wandb(out: Path, name: str) -> Any:
    try:
        import wandb
    except ImportError:
        raise WrongCall("log.wandb needs wandb: pip install 'curate-medical[wandb]'") from None
    return wandb.init(project="curate", name=name, dir=str(out), mode=os.environ.get("WANDB_MODE", "offline"))  # type: ignore[arg-type]


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, value


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
