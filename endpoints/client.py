"""Asking many questions at once, patiently: one layer of retries, one bucket of tokens an endpoint.

What a server refuses for now (429, 5xx, a broken connection) is tried again with growing pauses, or after
what `Retry-After` says; a call that is wrong for good (400, 401, 403, 404) ends with its reason at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from endpoints.answers import Answered, Ask, read_completion
from endpoints.ledger import Ledger
from endpoints.settings import Endpoint
from schemas.errors import WrongCall

FIRST_PAUSE: Final = 0.5  # seconds, doubled with each attempt
LONGEST_PAUSE: Final = 30.0
FOR_GOOD: Final = (400, 401, 403, 404, 405, 413, 422)
LONGEST_REPLY: Final = 16 << 20  # bytes


def ask_all(
    endpoint: Endpoint, asks: Sequence[Ask], ledger: Ledger, told: Callable[[int], None] = lambda done: None
) -> list[Answered]:
    """Answers in the order of the questions; those in the ledger are not asked again.

    `told` hears how many more are done. A question that is there twice is asked once.

    Raises:
        WrongCall: where the server refuses for good: a wrong key, model or address.
    """
    keys = [one.key(endpoint) for one in asks]
    open_ones = {key: one for key, one in zip(keys, asks, strict=True) if ledger.find(key) is None}
    told(len(asks) - len(open_ones))
    found = asyncio.run(_asked(endpoint, open_ones, ledger, told)) if open_ones else {}
    ledger.flush()
    answers = [ledger.find(key) or found.get(key) for key in keys]
    assert all(one is not None for one in answers)
    return [one for one in answers if one is not None]


class _Bucket:
    """So many requests a second, evenly."""

    def __init__(self, a_second: float) -> None:
        self.gap, self.next = 1.0 / a_second, time.monotonic()

    async def wait(self) -> None:
        now = time.monotonic()
        self.next = max(self.next, now) + self.gap
        await asyncio.sleep(max(0.0, self.next - self.gap - now))


async def _asked(
    endpoint: Endpoint, asks: dict[str, Ask], ledger: Ledger, told: Callable[[int], None]
) -> dict[str, Answered]:
    try:
        import aiohttp
    except ImportError:
        raise WrongCall("asking a server needs aiohttp: pip install 'curate-medical[endpoints]'") from None
    found: dict[str, Answered] = {}
    bucket, slots = _Bucket(endpoint.requests_per_second), asyncio.Semaphore(endpoint.concurrency)
    until = time.monotonic() + endpoint.patience
    timeout = aiohttp.ClientTimeout(total=endpoint.timeout)
    async with aiohttp.ClientSession(timeout=timeout, headers=_headers(endpoint)) as session:

        async def one(key: str, ask: Ask) -> None:
            async with slots:
                answer = await _patiently(session, endpoint, key, ask, bucket, until)
            found[key] = answer
            ledger.add([answer])
            told(1)

        tasks = [asyncio.ensure_future(one(key, ask)) for key, ask in asks.items()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            ledger.flush()
    return found


def _headers(endpoint: Endpoint) -> dict[str, str]:
    if endpoint.key_variable is None:
        return {}
    key = os.environ.get(endpoint.key_variable)
    if not key:
        raise WrongCall(
            f"the environment variable {endpoint.key_variable}, which holds the key of the server, is empty"
        )
    return {"Authorization": f"Bearer {key}"}


async def _patiently(session: Any, endpoint: Endpoint, key: str, ask: Ask, bucket: _Bucket, until: float) -> Answered:
    """One question until it is answered, or until patience ends; then it has *failed*, with the last reason."""
    body = {
        "model": endpoint.model,
        "messages": [{"role": role, "content": content} for role, content in ask.messages],
        **endpoint.sampling.told(),
        **({"seed": ask.sample} if ask.sample else {}),
    }
    pauses = random.Random(key)
    attempts = 0
    while True:
        attempts += 1
        await bucket.wait()
        status, reply, again = await _tried(session, f"{endpoint.url}/chat/completions", body)
        if status == 200:
            return read_completion(key, ask.sample, reply, attempts)
        if status in FOR_GOOD:
            raise WrongCall(f"{endpoint.url} refuses the model '{endpoint.model}' with status {status}: {reply}")
        pause = again if again is not None else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 10))
        pause *= 1 + 0.25 * pauses.random()
        if time.monotonic() + pause > until:
            return Answered(key, ask.sample, "failed", attempts=attempts, why=f"status {status}: {reply}")
        await asyncio.sleep(pause)


async def _tried(session: Any, url: str, body: dict[str, Any]) -> tuple[int, Any, float | None]:
    """Status (0 for a broken connection), the reply or the reason, and what Retry-After says."""
    import aiohttp

    try:
        async with session.post(url, json=body) as response:
            raw = await response.content.read(LONGEST_REPLY)
            if response.status != 200:
                return response.status, _shown(raw), _retry_after(response.headers.get("Retry-After"))
            try:
                return 200, json.loads(raw), None
            except (ValueError, RecursionError):
                return 200, None, None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return 0, f"{type(error).__name__}: {error}"[:300], None


def _shown(raw: bytes) -> str:
    return " ".join(raw[:300].decode("utf-8", "replace").split())


def _retry_after(value: str | None) -> float | None:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(value))) if value else None
    except ValueError:
        return None
