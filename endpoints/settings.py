"""A server and how it is asked, as a recipe says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from schemas.recipe import Strict


class SamplingSettings(Strict):
    """Settings of an answer; what is absent is not sent, and the server's own default holds."""

    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    stop: list[str] | None = None

    def told(self) -> dict[str, Any]:
        """What is sent."""
        return self.model_dump(exclude_none=True)


class Endpoint(Strict):
    """An OpenAI-compatible server (`url` ends in /v1) and a model of it.

    The key is read from the environment variable `key_variable` and written nowhere. `patience`: seconds for
    which a server that is down or refuses for now is tried again, so that it delays and does not fail.
    """

    url: str
    model: str
    key_variable: str | None = None
    sampling: SamplingSettings = SamplingSettings()
    concurrency: int = Field(16, ge=1)
    requests_per_second: float = Field(50.0, gt=0)
    timeout: float = Field(120.0, gt=0)
    patience: float = Field(600.0, ge=0)

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("url begins with http:// or https://")
        return value.rstrip("/")


State = Literal["kept", "truncated", "refused", "blocked", "empty", "invalid", "failed"]
