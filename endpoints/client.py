"""Many questions to a chat model at once; every answer that was kept goes into a ledger, whatever happens next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from endpoints.answers import Answered, Ask, read_completion
from endpoints.ledger import Ledger
from endpoints.patience import Caller, all_of, calling
from endpoints.settings import Endpoint


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


async def _asked(
    endpoint: Endpoint, asks: dict[str, Ask], ledger: Ledger, told: Callable[[int], None]
) -> dict[str, Answered]:
    found: dict[str, Answered] = {}

    async def one(caller: Caller, key: str, ask: Ask) -> None:
        answer = await _answer(caller, key, ask)
        found[key] = answer
        ledger.add([answer])
        told(1)

    try:
        async with calling(endpoint) as caller:
            await all_of([one(caller, key, ask) for key, ask in asks.items()])
    finally:
        ledger.flush()
    return found


async def _answer(caller: Caller, key: str, ask: Ask) -> Answered:
    """One question's answer; where patience ended before the server gave any it has *failed*, with the last reason."""
    endpoint = caller.endpoint
    body = {
        "model": endpoint.model,
        "messages": [{"role": role, "content": content} for role, content in ask.messages],
        **endpoint.sampling.told(),
        **({"seed": ask.sample} if ask.sample else {}),
    }
    reply = await caller.post(f"{endpoint.url}/chat/completions", body, key)
    if reply.status != 200:
        why = f"status {reply.status}: {reply.told}"
        return Answered(key, ask.sample, "failed", attempts=reply.attempts, why=why)
    return read_completion(key, ask.sample, reply.told, reply.attempts)
