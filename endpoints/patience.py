"""One request to a server until it is answered: one layer of retries, one bucket of requests an endpoint.

What a server refuses for now (429, 5xx, a broken connection) is tried again with growing pauses, or after
what `Retry-After` says; a call that is wrong for good (400, 401, 403, 404) ends with its reason at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from endpoints.settings import Endpoint
from schemas.errors import WrongCall

FIRST_PAUSE: Final = 0.5  # seconds, doubled with each attempt
LONGEST_PAUSE: Final = 30.0
FOR_GOOD: Final = (400, 401, 403, 404, 405, 413, 422)
LONGEST_REPLY: Final = 16 << 20  # bytes


@dataclass(frozen=True)
class Reply:
    """What came back in the end: status 200 and the JSON that was told, or the last reason why there is none."""

    status: int
    told: Any
    attempts: int


class Caller:
    """Posts to one endpoint, at most so many at once and so many a second, each for as long as patience lasts."""

    def __init__(self, session: Any, endpoint: Endpoint) -> None:
        self.session, self.endpoint = session, endpoint
        self.slots = asyncio.Semaphore(endpoint.concurrency)
        self.until = time.monotonic() + endpoint.patience
        self._gap, self._next = 1.0 / endpoint.requests_per_second, time.monotonic()

    async def post(self, url: str, body: dict[str, Any], key: str) -> Reply:
        """One request; `key` seeds the jitter of its pauses.

        Raises:
            WrongCall: where the server refuses for good: a wrong key, model or address.
        """
        async with self.slots:
            return await self._patiently(url, body, random.Random(key))

    async def _patiently(self, url: str, body: dict[str, Any], pauses: random.Random) -> Reply:
        attempts = 0
        while True:
            attempts += 1
            await self._turn()
            status, told, again = await _tried(self.session, url, body)
            if status == 200:
                return Reply(status, told, attempts)
            if status in FOR_GOOD:
                raise WrongCall(f"{url} refuses the model '{self.endpoint.model}' with status {status}: {told}")
            pause = again if again is not None else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 10))
            pause *= 1 + 0.25 * pauses.random()
            if time.monotonic() + pause > self.until:
                return Reply(status, told, attempts)
            await asyncio.sleep(pause)

    async def _turn(self) -> None:
        """Wait for this request's place in the bucket, which lets them through evenly."""
        now = time.monotonic()
        self._next = max(self._next, now) + self._gap
        await asyncio.sleep(max(0.0, self._next - self._gap - now))


@asynccontextmanager
async def calling(endpoint: Endpoint) -> AsyncIterator[Caller]:
    """A caller with open connections.

    Raises:
        WrongCall: where aiohttp is not installed, or the key's variable is empty.
    """
    try:
        import aiohttp
    except ImportError:
        raise WrongCall("asking a server needs aiohttp: pip install 'curate-medical[endpoints]'") from None
    timeout = aiohttp.ClientTimeout(total=endpoint.timeout)
    connector = aiohttp.TCPConnector(limit=endpoint.concurrency)
    async with aiohttp.ClientSession(timeout=timeout, headers=_headers(endpoint), connector=connector) as session:
        yield Caller(session, endpoint)


async def all_of(calls: list[Any]) -> None:
    """Wait for all coroutines; where one fails the others are ended."""
    tasks = [asyncio.ensure_future(one) for one in calls]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _headers(endpoint: Endpoint) -> dict[str, str]:
    if endpoint.key_variable is None:
        return {}
    key = os.environ.get(endpoint.key_variable)
    if not key:
        raise WrongCall(
            f"the environment variable {endpoint.key_variable}, which holds the key of the server, is empty"
        )
    return {"Authorization": f"Bearer {key}"}


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
