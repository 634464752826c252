"""Who is asked where rules do not decide, how often, and by which principles."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from endpoints.settings import Endpoint
from schemas.recipe import Strict
from storage.yaml_files import read_yaml, validated


class JudgeConfig(Strict):
    """A judging model behind the rules: rule first, then model.

    `when`: it is asked about answers that the rule could not read (`unparsed`, questions without a rule among
    them where `open_questions`), or about all (`always`; its verdict then stands beside the rule's and
    decides nothing). `votes` judgements are counted by majority (QuarkMed's report: 8). Of answers that a rule
    decided the share `check` is asked about too, so that its agreement with rules is known.
    """

    endpoint: Endpoint
    votes: int = Field(8, ge=1, le=64)
    when: Literal["unparsed", "always"] = "unparsed"
    check: float = Field(0.02, ge=0, le=1)
    open_questions: bool = False


class Principle(Strict):
    """One thing that an answer must keep to; one that is broken and `hard` is a veto of the reward."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: str = Field(min_length=1)
    hard: bool = False
    weight: float = Field(1.0, gt=0)


class Principles(Strict):
    """A file of principles: compliance, safety, scope, tone."""

    principles: list[Principle] = Field(min_length=1)

    @field_validator("principles")
    @classmethod
    def _each_once(cls, value: list[Principle]) -> list[Principle]:
        names = [one.name for one in value]
        if len(set(names)) != len(names):
            raise ValueError("a principle is named twice")
        return value


class PrinciplesUse(Strict):
    """Principles in a stage: the file, who judges, what they weigh, and what a broken hard one takes off."""

    file: str
    endpoint: Endpoint
    votes: int = Field(3, ge=1, le=64)
    weight: float = Field(0.5, gt=0)
    hard_penalty: float = Field(1.0, ge=0)


def load_principles(path: Path) -> Principles:
    """The validated file; anything wrong is a `WrongCall` with file and line."""
    return validated(Principles, read_yaml(path), path)
