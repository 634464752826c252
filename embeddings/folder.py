"""Any encoder in a Hugging Face folder, by transformers: mean or first-token pooling, rows of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embeddings.embedder import Vectors
from schemas.embedding import EmbedderSettings
from schemas.errors import WrongCall
from storage.fingerprints import fingerprint_of


class FolderEmbedder:
    """Loaded once; nothing is fetched from the network."""

    def __init__(self, settings: EmbedderSettings) -> None:
        folder = Path(settings.folder or "")
        if not (folder / "config.json").is_file():
            raise WrongCall(f"embedder {folder}: no config.json there; give a Hugging Face folder of an encoder")
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError:
            raise WrongCall(
                "an embedder from a folder needs transformers: pip install 'curate-medical[train]'"
            ) from None
        self._torch, self.settings = torch, settings
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32).eval()
        except (OSError, ValueError, KeyError) as error:
            raise WrongCall(f"embedder {folder}: {type(error).__name__}: {error}") from None
        prints = [fingerprint_of(str(one)) for one in sorted(folder.iterdir()) if one.is_file()]
        self.identity = f"folder {prints} {settings.pooling} {settings.passage!r}"

    def embed(self, texts: Sequence[str], query: bool = False) -> Vectors:
        """Rows of length 1, shape (texts, hidden size)."""
        if not texts:
            return np.zeros((0, int(self._model.config.hidden_size)), np.float32)
        lead = self.settings.passage
        parts = [
            self._some([lead + one for one in texts[at : at + self.settings.batch]])
            for at in range(0, len(texts), self.settings.batch)
        ]
        return np.concatenate(parts)

    def _some(self, texts: list[str]) -> Vectors:
        torch = self._torch
        longest = min(getattr(self._model.config, "max_position_embeddings", 512) or 512, 8192)
        given = self._tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._model(**given).last_hidden_state
        if self.settings.pooling == "first":
            pooled = hidden[:, 0]
        else:
            mask = given["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        return np.asarray(torch.nn.functional.normalize(pooled, dim=-1).numpy(), np.float32)
