"""Judging under a bound: answers are read by processes of their own, which are ended when one takes too long.

A verifier is written to be linear, and this is what holds where it is not: no signals, so it works from
any thread, and a bound on memory, so that no answer takes the trainer with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import resource
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from schemas.verdict import Verdict, failed
from verifiers.verifier import VERIFIERS

SECONDS: Final = 2.0  # for one answer
MEMORY: Final = 4 << 30  # bytes of address space of a judging process
START_SECONDS: Final = 120.0  # to import and to read tables, once a process


@dataclass(frozen=True)
class Question:
    """An answer to judge: by which verifier, against which reference."""

    verifier: str
    prompt: str
    answer: str
    reference: Mapping[str, Any]


def _serve(pipe: Connection, tables: Sequence[str]) -> None:
    from pathlib import Path

    from verifiers.tables import extend

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for one in tables:
        extend(Path(one))
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        verifier = VERIFIERS.get(asked.verifier)
        pipe.send(verifier.judge(asked.prompt, asked.answer, verifier.read(asked.reference)))


class _Process:
    """One judging process; started on first use, ended and started again where it takes too long."""

    def __init__(self, tables: Sequence[str], seconds: float) -> None:
        self.tables, self.seconds = tables, seconds
        self.process: Any = None
        self.pipe: Any = None
        self.known: set[str] = set()

    def ask(self, question: Question) -> Verdict:
        if self.process is None:
            ours, theirs = multiprocessing.get_context("spawn").Pipe()
            self.process = multiprocessing.get_context("spawn").Process(
                target=_serve, args=(theirs, self.tables), daemon=True, name="judge"
            )
            self.process.start()
            theirs.close()
            self.pipe = ours
            self.known = set()
        seconds = self.seconds
        if question.verifier not in self.known:  # tables are read with a verifier's first answer, which is an empty one
            self.known.add(question.verifier)
            first = self._told(Question(question.verifier, "", "none", question.reference), START_SECONDS)
            if first.state == "failed" and self.process is None:
                return first
        return self._told(question, seconds)

    def _told(self, question: Question, seconds: float) -> Verdict:
        try:
            self.pipe.send(question)
            if self.pipe.poll(seconds):
                told: Verdict = self.pipe.recv()
                return told
            why = f"no verdict within {seconds:g} s"
        except (OSError, EOFError):
            why = "the judging process ended"
        self.end()
        return failed(why)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
        self.process = self.pipe = None


class Judges:
    """Processes that judge side by side; verdicts come in the order of the questions."""

    def __init__(self, processes: int = 1, tables: Sequence[str] = (), seconds: float = SECONDS) -> None:
        self._free: queue.Queue[_Process] = queue.Queue()
        self._all = [_Process(tables, seconds) for _ in range(processes)]
        for one in self._all:
            self._free.put(one)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="judge")
        self._lock = threading.Lock()

    def _ask(self, question: Question) -> Verdict:
        process = self._free.get()
        try:
            return process.ask(question)
        finally:
            self._free.put(process)

    def judge(self, questions: Sequence[Question]) -> Iterator[Verdict]:
        """A verdict for each question, in order; none waits for more than its own bound."""
        return self._threads.map(self._ask, questions)

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown()
        for one in self._all:
            one.end()

    def __enter__(self) -> Judges:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
