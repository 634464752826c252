"""Judging under a bound: answers are read by processes of their own, which are ended when one takes too long.

A verifier is written to be linear, and this is what holds where it is not: no signals, so it works from
any thread, and a bound on memory, so that no answer takes the trainer with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import resource
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schemas.verdict import Verdict, failed
from storage.same_imports import same_imports
from verifiers.tables import extend
from verifiers.verifier import VERIFIERS

SECONDS: Final = 2.0  # for one answer
MEMORY: Final = 4 << 30  # bytes of address space of a judging process
MOST_STARTS: Final = 3  # of a process that ends before its first verdict
START_SECONDS: Final = 120.0  # to import and to read tables, once a process


@dataclass(frozen=True)
class Question:
    """An answer to judge: by which verifier, against which reference."""

    verifier: str
    prompt: str
    answer: str
    reference: Mapping[str, Any]


def serve() -> None:
    """What a judging process does: questions come by standard input, verdicts go by standard output."""
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no verdict
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for one in sys.argv[1:]:
        extend(Path(one))
    while (asked := _received(sys.stdin.buffer)) is not None:
        verifier = VERIFIERS.get(asked.verifier)
        _send(said, verifier.judge(asked.prompt, asked.answer, verifier.read(asked.reference)))


def _send(stream: Any, message: Any) -> None:
    told = pickle.dumps(message)
    stream.write(len(told).to_bytes(8, "big") + told)
    stream.flush()


def _received(stream: Any) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        return None
    told = stream.read(int.from_bytes(head, "big"))
    return pickle.loads(told)


class _Process:
    """One judging process; started on first use, ended and started again where it takes too long.

    It is a program of its own and no fork: whoever judges, a trainer with its libraries too, it stays small.
    """

    def __init__(self, tables: Sequence[str], seconds: float) -> None:
        self.tables, self.seconds = tables, seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.known: set[str] = set()
        self.starts_failed = 0

    def ask(self, question: Question) -> Verdict:
        """The verdict, or *failed* and why."""
        if self.starts_failed >= MOST_STARTS:
            return failed("the judging process does not start")
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from verifiers.bounded import serve; serve()", *self.tables],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, **same_imports(), "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            self.known = set()
        if question.verifier not in self.known:  # tables are read with a verifier's first answer
            first = self._told(Question(question.verifier, "", "none", question.reference), START_SECONDS)
            if self.process is None:
                self.starts_failed += 1
                return first
            self.known.add(question.verifier)
            self.starts_failed = 0
        return self._told(question, self.seconds)

    def _told(self, question: Question, seconds: float) -> Verdict:
        assert self.process is not None
        try:
            _send(self.process.stdin, question)
            assert self.process.stdout is not None
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            if ready:
                told: Verdict | None = _received(self.process.stdout)
                if told is not None:
                    return told
                why = "the judging process ended"
            else:
                why = f"no verdict within {seconds:g} s"
        except OSError:
            why = "the judging process ended"
        self.end()
        return failed(why)

    def end(self) -> None:
        """End it, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        self.process = None


class Judges:
    """Processes that judge side by side; verdicts come in the order of the questions."""

    def __init__(self, processes: int = 1, tables: Sequence[str] = (), seconds: float = SECONDS) -> None:
        self._free: queue.Queue[_Process] = queue.Queue()
        self._all = [_Process(tables, seconds) for _ in range(processes)]
        for one in self._all:
            self._free.put(one)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="judge")

    def _ask(self, question: Question) -> Verdict:
        process = self._free.get()
        try:
            return process.ask(question)
        finally:
            self._free.put(process)

    def judge(self, questions: Sequence[Question]) -> Iterator[Verdict]:
        """A verdict for each question, in order; none waits for more than its own bound.

        What is asked several times in one call is judged once: samples of one prompt are often alike.
        """
        asked: dict[tuple[str, str, str, int], Future[Verdict]] = {}
        keys = [(one.verifier, one.prompt, one.answer, id(one.reference)) for one in questions]
        for key, one in zip(keys, questions, strict=True):
            if key not in asked:
                asked[key] = self._threads.submit(self._ask, one)
        return (asked[key].result() for key in keys)

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown()
        for one in self._all:
            one.end()

    def __enter__(self) -> Judges:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
