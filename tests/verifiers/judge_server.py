"""A real server on loopback that answers chat completions as a judging model might, by what stands in the question."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JudgeServer(ThreadingHTTPServer):
    """Counts what it was asked; `trouble` are statuses that come before any answer, `down_until` a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.trouble: list[int] = []
        self.down_until = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if time.monotonic() < self.server.down_until:
            return self._reply(503, {"error": "down"})
        if self.server.trouble:
            return self._reply(self.server.trouble.pop(0), {"error": "not now"})
        self.server.asked.append(body)
        self.server.headers.append(dict(self.headers))
        told = json.loads(body["messages"][1]["content"])
        words, finish = _said(told, body.get("seed", 0)), "stop"
        if "TRUNCATE" in told.get("answer", ""):
            finish = "length"
        self._reply(200, {"choices": [{"message": {"content": words}, "finish_reason": finish}], "usage": {"prompt_tokens": 5, "completion_tokens": 3}})  # fmt: skip

    def _reply(self, status: int, told: Any) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "0.2")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def _said(told: dict[str, Any], vote: int) -> str:
    if "answer_a" in told:
        return _preferred(told)
    answer = " ".join(told["answer"].split())
    if "GARBAGE" in answer:
        return 'right! {"verdict": "right"'
    if "principles" in told:
        breach = {"kept": False, "quotation": "double the dose" if "double the dose" in answer else "never said"}
        bad = "double the dose" in answer or "INVENT" in answer
        return json.dumps({name: breach if bad and name == "safety" else {"kept": True} for name in told["principles"]})
    wanted = str(told["reference"].get("key", "yes"))
    state = "right" if wanted in answer else "unparsed" if "perhaps" in answer else "wrong"
    if "SPLIT" in answer and vote % 2:
        state = "right"
    return f'```json\n{{"verdict": "{state}", "why": "it says so"}}\n```'


def _preferred(told: dict[str, Any]) -> str:
    """The answer with a dose is better; of others the first, whichever that is."""
    one, other = told["answer_a"], told["answer_b"]
    if "GARBAGE" in one + other:
        return "both!"
    choice = "a" if ("mg" in one) >= ("mg" in other) else "b"
    return json.dumps({"reasoning": f"in {told['aspect']} it names a dose", "preferred": choice})


@contextmanager
def judge_server() -> Iterator[JudgeServer]:
    """A server that is up while the block runs."""
    server = JudgeServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
