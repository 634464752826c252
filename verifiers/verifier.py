"""What a verifier is, and the one way to call it.

    @verifier("length", reference=Window)
    def length(prompt: str, answer: str, reference: Window) -> Verdict: ...

A verifier is a pure function. Its reference is a typed model, so data that does not fit is refused
when prompts are read, not when an answer comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from plugins.registry import Registry
from schemas.errors import WrongCall
from schemas.verdict import Verdict, failed

Reference = TypeVar("Reference", bound="ReferenceModel")


class ReferenceModel(BaseModel):
    """What a verifier holds an answer against; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Verifier(Generic[Reference]):
    """A registered verifier: its name, its function and the model of its reference."""

    name: str
    function: Callable[[str, str, Reference], Verdict]
    reference: type[Reference]
    summary: str

    def read(self, reference: Mapping[str, Any]) -> Reference:
        """The typed reference.

        Raises:
            WrongCall: where the data is not what this verifier reads.
        """
        try:
            return self.reference.model_validate(reference)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise WrongCall(f"this reference is none for the verifier '{self.name}': {told}") from None

    def judge(self, prompt: str, answer: str, reference: Reference) -> Verdict:
        """The verdict on an answer; a verifier that crashes has *failed*, and says on what."""
        try:
            return self.function(_encodable(prompt), _encodable(answer), reference)
        except Exception as error:
            return failed(f"{type(error).__name__}: {error}")


def _encodable(text: str) -> str:
    """The text with the replacement character in place of halves of characters, which no file can hold."""
    return _HALVES.sub("\ufffd", text)


_HALVES: Final = re.compile("[\ud800-\udfff]")
VERIFIERS: Registry[Verifier[Any]] = Registry("verifier", ("verifiers",))


def verifier(
    name: str, reference: type[Reference]
) -> Callable[[Callable[[str, str, Reference], Verdict]], Callable[[str, str, Reference], Verdict]]:
    """Register a function as the verifier `name`."""

    def register(function: Callable[[str, str, Reference], Verdict]) -> Callable[[str, str, Reference], Verdict]:
        summary = (function.__doc__ or "").strip().splitlines()[0] if function.__doc__ else ""
        VERIFIERS.add(name, Verifier(name, function, reference, summary))
        return function

    return register
