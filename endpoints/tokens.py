"""Token ids to a server that samples, token ids with their log-probabilities back: vLLM and SGLang.

Text would not do: what is learned from must be the very tokens that were drawn. Neither server tells them
in OpenAI's own form, so each has a few lines here: vLLM's `return_token_ids` beside OpenAI's completions,
SGLang's native `/generate`. The same servers read new weights from a folder when they are told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from endpoints.patience import Caller, Reply, all_of, calling
from endpoints.settings import Endpoint
from schemas.errors import CurateError, WrongCall

Engine = Literal["vllm", "sglang"]


@dataclass(frozen=True)
class TokenAsk:
    """A prompt's tokens, and the seed of its answer."""

    ids: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class TokenSettings:
    """How answers are drawn; `ends` are tokens and `stop` texts that end one."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    ends: tuple[int, ...]
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class TokenAnswer:
    """Drawn tokens, with the one that ended them, their log-probabilities, and whether they ended by themselves."""

    ids: list[int]
    log_probabilities: list[float]
    ended: bool


def complete_tokens(
    endpoint: Endpoint, engine: Engine, settings: TokenSettings, asks: Sequence[TokenAsk]
) -> list[TokenAnswer]:
    """Answers in the order of the prompts.

    Raises:
        WrongCall: where the server refuses for good.
        CurateError: where it gave no answer for as long as patience lasts, or one without tokens.
    """
    return asyncio.run(_completed(endpoint, engine, settings, asks))


async def _completed(
    endpoint: Endpoint, engine: Engine, settings: TokenSettings, asks: Sequence[TokenAsk]
) -> list[TokenAnswer]:
    found: dict[int, TokenAnswer] = {}
    ask, read = (_ask_vllm, _read_vllm) if engine == "vllm" else (_ask_sglang, _read_sglang)

    async def one(caller: Caller, number: int) -> None:
        url, body = ask(endpoint, settings, asks[number])
        told = _answered(endpoint, await caller.post(url, body, f"{asks[number].seed}"))
        found[number] = _checked(endpoint, settings, read, told)

    async with calling(endpoint) as caller:
        await all_of([one(caller, number) for number in range(len(asks))])
    return [found[number] for number in range(len(asks))]


def load_weights(endpoint: Endpoint, engine: Engine, folder: str) -> None:
    """Tell the server to read its weights from a folder that it can see, and to forget what it computed with the old.

    Raises:
        WrongCall: where it cannot be told so.
        CurateError: where it fails to.
    """
    asyncio.run(_loaded(endpoint, engine, folder))


async def _loaded(endpoint: Endpoint, engine: Engine, folder: str) -> None:
    root = _root(endpoint)
    async with calling(endpoint) as caller:
        try:
            if engine == "vllm":
                body = {"method": "reload_weights", "kwargs": {"weights_path": folder}}
                _answered(endpoint, await caller.post(f"{root}/collective_rpc", body, folder))
                _answered(endpoint, await caller.post(f"{root}/reset_prefix_cache", {}, folder))
                return
            told = _answered(endpoint, await caller.post(f"{root}/update_weights_from_disk", {"model_path": folder}, folder))  # fmt: skip # noqa: E501
        except WrongCall as error:
            hint = "; vLLM takes new weights where VLLM_SERVER_DEV_MODE=1 is set" if engine == "vllm" else ""
            raise WrongCall(f"{error}{hint}") from None
    if not (isinstance(told, Mapping) and told.get("success", True)):
        raise CurateError(f"{root} could not load {folder}: {told}")


def _root(endpoint: Endpoint) -> str:
    return endpoint.url.removesuffix("/v1")


def _answered(endpoint: Endpoint, reply: Reply) -> Any:
    if reply.status != 200:
        raise CurateError(
            f"{endpoint.url} gave no answer for {endpoint.patience:.0f} s (last: status {reply.status}: {reply.told}); "
            "start it again, and call again to go on"
        )
    return reply.told


def _checked(endpoint: Endpoint, settings: TokenSettings, read: Any, told: Any) -> TokenAnswer:
    try:
        answer: TokenAnswer = read(told)
    except (KeyError, IndexError, TypeError, ValueError):
        raise CurateError(
            f"{endpoint.url} tells no token ids with log-probabilities; rollouts need vLLM 0.10.2 or newer "
            "(return_token_ids), or SGLang"
        ) from None
    if not answer.ids or len(answer.ids) != len(answer.log_probabilities):
        raise CurateError(
            f"{endpoint.url} tells {len(answer.ids)} tokens and {len(answer.log_probabilities)} log-probabilities"
        )
    if answer.ended and not settings.stop and answer.ids[-1] not in settings.ends:
        raise CurateError(f"{endpoint.url} leaves out the token that ended an answer, which would never be learned")
    return answer


def _ask_vllm(endpoint: Endpoint, settings: TokenSettings, ask: TokenAsk) -> tuple[str, dict[str, Any]]:
    return f"{endpoint.url}/completions", {
        "model": endpoint.model,
        "prompt": list(ask.ids),
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "max_tokens": settings.max_tokens,
        "stop_token_ids": list(settings.ends),
        "seed": ask.seed,
        "logprobs": 1,
        "return_token_ids": True,
        "skip_special_tokens": False,
        **({"stop": list(settings.stop), "include_stop_str_in_output": True} if settings.stop else {}),
    }


def _read_vllm(told: Any) -> TokenAnswer:
    choice = told["choices"][0]
    ids = [int(one) for one in choice["token_ids"]]
    return TokenAnswer(ids, [float(one) for one in choice["logprobs"]["token_logprobs"]], choice["finish_reason"] == "stop")  # fmt: skip # noqa: E501


def _ask_sglang(endpoint: Endpoint, settings: TokenSettings, ask: TokenAsk) -> tuple[str, dict[str, Any]]:
    sampling = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k or -1,
        "max_new_tokens": settings.max_tokens,
        "stop_token_ids": list(settings.ends),
        "sampling_seed": ask.seed % 2**31,
        "skip_special_tokens": False,
        "no_stop_trim": True,
        **({"stop": list(settings.stop)} if settings.stop else {}),
    }
    return f"{_root(endpoint)}/generate", {
        "input_ids": list(ask.ids),
        "sampling_params": sampling,
        "return_logprob": True,
    }


def _read_sglang(told: Any) -> TokenAnswer:
    meta = told["meta_info"]
    rows = meta["output_token_logprobs"]  # [log-probability, token, text]
    return TokenAnswer([int(row[1]) for row in rows], [float(row[0]) for row in rows], meta["finish_reason"]["type"] == "stop")  # fmt: skip # noqa: E501
