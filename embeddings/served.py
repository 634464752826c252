"""Embeddings of an OpenAI-compatible server (`POST /v1/embeddings`), in batches, joined by index."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from embeddings.embedder import Vectors
from endpoints.patience import Caller, all_of, calling
from endpoints.settings import Endpoint
from schemas.embedding import EmbedderSettings
from schemas.errors import CurateError


class ServedEmbedder:
    """Asks as long as the endpoint's patience lasts; an answer that does not fit is an error and no vector."""

    def __init__(self, settings: EmbedderSettings) -> None:
        self.settings = settings
        self._endpoint = Endpoint(url=settings.url or "", model=settings.model or "", key_variable=settings.key)
        self.identity = f"server {settings.url} {settings.model} {settings.passage!r}"

    def embed(self, texts: Sequence[str], query: bool = False) -> Vectors:
        """Rows of length 1, shape (texts, dimensions).

        Raises:
            CurateError: where the server does not answer, or with other than a vector a text.
        """
        if not texts:
            return np.zeros((0, 0), np.float32)
        step = self.settings.batch
        parts: list[Vectors | None] = [None] * -(-len(texts) // step)
        asyncio.run(self._all([self.settings.passage + one for one in texts], step, parts))
        rows = np.concatenate([one for one in parts if one is not None])
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12).astype(np.float32)

    async def _all(self, texts: list[str], step: int, parts: list[Vectors | None]) -> None:
        async with calling(self._endpoint) as caller:
            await all_of(
                [self._some(caller, texts[at * step : (at + 1) * step], at, parts) for at in range(len(parts))]
            )

    async def _some(self, caller: Caller, texts: list[str], at: int, parts: list[Vectors | None]) -> None:
        body = {"model": self._endpoint.model, "input": texts, "encoding_format": "float"}
        reply = await caller.post(f"{self._endpoint.url}/embeddings", body, str(at))
        if reply.status != 200:
            raise CurateError(f"{self._endpoint.url} did not answer ({reply.told}) after {reply.attempts} attempts")
        try:
            found = {int(one["index"]): np.asarray(one["embedding"], np.float32) for one in reply.told["data"]}
            parts[at] = np.stack([found[number] for number in range(len(texts))])
        except (KeyError, TypeError, ValueError) as error:
            raise CurateError(
                f"{self._endpoint.url} answered with other than {len(texts)} vectors of one length: {error}"
            ) from None
