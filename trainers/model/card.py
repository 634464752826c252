"""`model.json`: what a trained model is, and all that it came from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import WrongCall
from storage.json_files import read_json
from trainers.model.config import Lora, ModelConfig

CARD = "model.json"
TEMPLATE_FILE = "chat_template.jinja"
GENERATION_FILE = "generation_config.json"


class ModelCard(BaseModel):
    """`model.json` of a trained model: what it is, and all that it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelConfig
    vocabulary: int
    tokenizer_digest: str
    end_of_text: str
    end_of_turn: str | None = None
    template_digest: str | None = None
    lora: Lora | None = None
    aspects: list[str] = []  # of a reward model, in the order of its scores
    stage: str
    sequence_length: int
    manifest_digest: str
    parents: list[str] = []


def read_card(folder: Path) -> ModelCard:
    """The card of a trained model."""
    try:
        return ModelCard.model_validate(read_json(folder / CARD))
    except FileNotFoundError:
        raise WrongCall(f"{folder} is no trained model: {CARD} is missing") from None
    except (ValidationError, ValueError) as error:
        raise WrongCall(f"{folder / CARD}: {error}") from None
