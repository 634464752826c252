"""A real server on loopback that samples tokens as vLLM and SGLang do, by transformers, and loads weights when told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch


class TokenServer(ThreadingHTTPServer):
    """`stale`: it says that it loads weights and does not; `down_until`: a time; `mute`: it tells no token ids."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.loaded: list[str] = []
        self.asked = 0
        self.stale = self.mute = False
        self.down_until = 0.0
        self.load(str(folder))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def load(self, folder: str) -> None:
        from transformers import AutoModelForCausalLM

        self.loaded.append(folder)
        if len(self.loaded) == 1 or not self.stale:
            self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def sampled(
        self, prompt: list[int], seed: int, ends: list[int], most: int, temperature: float
    ) -> tuple[list[int], list[float], str]:
        chance = torch.Generator().manual_seed(seed % 2**63)
        ids, told, past = [], [], None
        step = torch.tensor([prompt])
        while len(ids) < most:
            out = self.model(step, past_key_values=past, use_cache=True)
            past = out.past_key_values
            logs = torch.log_softmax(out.logits[0, -1] / (temperature or 1.0), -1)
            token = int(torch.multinomial(logs.exp(), 1, generator=chance)) if temperature else int(logs.argmax())
            ids.append(token)
            told.append(float(logs[token]))
            if token in ends:
                return ids, told, "stop"
            step = torch.tensor([[token]])
        return ids, told, "length"


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if time.monotonic() < server.down_until:
            return self._reply(503, {"error": "down"})
        with server.lock:
            if self.path == "/collective_rpc" and body["method"] == "reload_weights":
                server.load(body["kwargs"]["weights_path"])
                return self._reply(200, {"results": [None]})
            if self.path == "/update_weights_from_disk":
                server.load(body["model_path"])
                return self._reply(200, {"success": True, "message": "done"})
            if self.path == "/reset_prefix_cache":
                return self._reply(200, None)
            server.asked += 1
            if self.path == "/v1/completions":
                found = server.sampled(body["prompt"], body["seed"], body["stop_token_ids"], body["max_tokens"], body["temperature"])  # fmt: skip
                return self._reply(200, {"choices": [_choice(*found, mute=server.mute)]})
            if self.path == "/generate":
                told = body["sampling_params"]
                ids, logs, end = server.sampled(body["input_ids"], told["sampling_seed"], told["stop_token_ids"], told["max_new_tokens"], told["temperature"])  # fmt: skip
                rows = [[one, token, None] for one, token in zip(logs, ids, strict=True)]
                return self._reply(200, {"text": "", "meta_info": {"output_token_logprobs": rows, "finish_reason": {"type": end}}})  # fmt: skip
        self._reply(404, {"error": f"no {self.path}"})

    def _reply(self, status: int, told: Any) -> None:
        data = b"" if told is None else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client that was refused something waits for nothing else
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


def _choice(ids: list[int], told: list[float], end: str, mute: bool) -> dict[str, Any]:
    choice = {"text": "", "finish_reason": end, "logprobs": {"token_logprobs": told}, "token_ids": ids}
    return {key: value for key, value in choice.items() if not (mute and key == "token_ids")}


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """A server of the model in a Hugging Face folder, until the block ends."""
    server = TokenServer(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
