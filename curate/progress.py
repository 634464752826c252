"""Progress of a run, read from the markers that every engine leaves; plain lines without a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from pipelines.run_folder import RunFolder
from pipelines.stage import Stage, in_order
from pipelines.tasks import done

POLL_SECONDS = 0.5
LINE_SECONDS = 10.0


@dataclass
class StageState:
    """What is known of one stage: tasks done of all, documents, bytes, dropped."""

    done: int = 0
    total: int = 0
    documents: int = 0
    bytes: int = 0
    dropped: int = 0
    taken: int = 0

    def rates(self, seconds: float) -> str:
        """Documents and MB a second, and what was dropped so far."""
        if self.done and self.taken == self.done:
            return "taken over"
        parts = [f"{self.taken:,} taken over"] if self.taken else []
        if self.documents:
            parts.append(f"{self.documents:,} documents, {self.documents / max(seconds, 1e-3):,.0f}/s")
        if self.bytes:
            parts.append(f"{self.bytes / 1e6 / max(seconds, 1e-3):.1f} MB/s")
        if self.dropped:
            parts.append(f"{self.dropped:,} dropped")
        return ", ".join(parts)


@contextmanager
def counted(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error for work that tells how much of how much is done."""
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, every: progress.update(task, completed=done, total=every)


class RunProgress:
    """A thread that watches a run's markers and shows a bar a stage, or lines."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True)
        self._quiet = quiet
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._counted: dict[tuple[str, str], dict[str, Any]] = {}

    def watch(self, run: RunFolder) -> None:
        """Begin to watch; called once the run's folder is ready."""
        if self._quiet:
            return
        self._run = run
        self._stages = in_order()
        self._tasks = {stage.name: stage.tasks(run) for stage in self._stages}
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Show the last state and stop."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _state(self, stage: Stage) -> StageState:
        state = StageState(total=len(self._tasks[stage.name]))
        for task in self._tasks[stage.name]:
            key = (stage.name, task)
            if key not in self._counted:
                told = done(self._run, stage.name, task)
                if told is None:
                    continue
                self._counted[key] = {**told["counts"], "taken_from": told.get("taken_from")}
            counts = self._counted[key]
            state.taken += bool(counts["taken_from"])
            state.done += 1
            state.documents += counts.get("documents", 0)
            state.bytes += counts.get("bytes", 0)
            dropped = counts.get("dropped", {})
            state.dropped += sum(dropped.values()) if isinstance(dropped, dict) else 0
        return state

    def _loop(self) -> None:
        if self._console.is_terminal:
            self._bars()
        else:
            self._lines()

    def _bars(self) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(compact=True),
        )
        with Progress(*columns, console=self._console, refresh_per_second=4) as progress:
            bars = {
                stage.name: progress.add_task(stage.name, total=len(self._tasks[stage.name]), rates="", start=False)
                for stage in self._stages
                if self._tasks[stage.name]
            }
            began: dict[str, float] = {}
            while True:
                last = self._stop.is_set()
                for stage in self._visible():
                    state = self._state(stage)
                    if stage.name not in began:
                        began[stage.name] = time.monotonic()
                        progress.start_task(bars[stage.name])
                    rates = state.rates(time.monotonic() - began[stage.name])
                    if progress.tasks[list(bars).index(stage.name)].completed < state.done or not rates:
                        progress.update(bars[stage.name], completed=state.done, rates=rates)
                if last:
                    return
                self._stop.wait(POLL_SECONDS)

    def _visible(self) -> list[Stage]:
        """Stages from the first to the one at work."""
        shown = []
        for stage in self._stages:
            if not self._tasks[stage.name]:
                continue
            shown.append(stage)
            if done(self._run, stage.name, self._tasks[stage.name][-1]) is None and self._state(stage).done < len(
                self._tasks[stage.name]
            ):
                break
        return shown

    def _lines(self) -> None:
        finished: set[str] = set()
        began: dict[str, float] = {}
        said = time.monotonic()
        while True:
            last = self._stop.is_set()
            for stage in self._visible():
                began.setdefault(stage.name, time.monotonic())
                state = self._state(stage)
                seconds = time.monotonic() - began[stage.name]
                complete = state.done == state.total
                due = time.monotonic() - said > LINE_SECONDS
                if stage.name in finished or not (complete or due):
                    continue
                left = (
                    f", about {seconds / state.done * (state.total - state.done):.0f} s left"
                    if state.done and not complete
                    else ""
                )
                rates = state.rates(seconds)
                print(
                    f"{stage.title}: {state.done}/{state.total} {stage.unit}{', ' + rates if rates else ''}"
                    f"{left}{f', done in {seconds:.1f} s' if complete else ''}",
                    file=sys.stderr,
                    flush=True,
                )
                said = time.monotonic()
                if complete:
                    finished.add(stage.name)
            if last:
                return
            self._stop.wait(POLL_SECONDS)
