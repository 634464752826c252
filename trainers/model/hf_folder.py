"""A Hugging Face model folder: its configuration, and its safetensors read range by range."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from schemas.errors import WrongCall
from trainers.model.config import ModelConfig
from trainers.model.families import from_hf_config, part_shapes, weights_of

INDEX: Final = "model.safetensors.index.json"
SINGLE: Final = "model.safetensors"
FLOATS: Final = ("F64", "F32", "F16", "BF16")


class HfFolder:
    """A folder with `config.json` and safetensors, checked whole before anything is read from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        told = _json(path / "config.json", path)
        self.model, self.vocabulary = from_hf_config(told, f"{path}/config.json")
        self.files = _files(path)
        self._open: dict[str, Any] = {}
        self.model = self._untied_if_stored(told)
        self._check()

    def read(self, name: str, dimension: int, start: int, stop: int) -> torch.Tensor:
        """Rows (dimension 0) or columns (1) of one tensor; nothing else of it is read."""
        part = self._file(name).get_slice(name)
        return part[start:stop] if dimension == 0 else part[:, start:stop]

    def _file(self, name: str) -> Any:
        file = self.files[name]
        if file not in self._open:
            self._open[file] = _opened(self.path / file)
        return self._open[file]

    def _untied_if_stored(self, told: dict[str, Any]) -> ModelConfig:
        """A configuration that does not say whether embeddings are tied: as the weights are stored."""
        tied = told.get("tie_word_embeddings", "lm_head.weight" not in self.files)
        return self.model.model_copy(update={"tie_embeddings": tied})

    def _check(self) -> None:
        """Refuse missing tensors, and wrong types and shapes, by name."""
        for weight in weights_of(self.model).values():
            for name, wanted in zip(weight.parts, part_shapes(self.model, weight, self.vocabulary), strict=True):
                if name not in self.files:
                    raise WrongCall(f"{self.path}: tensor {name} is missing; its configuration asks for it")
                part = self._file(name).get_slice(name)
                if tuple(part.get_shape()) != wanted:
                    raise WrongCall(
                        f"{self.path}/{self.files[name]}: tensor {name} has shape {tuple(part.get_shape())}; "
                        f"config.json asks for {wanted}"
                    )
                if part.get_dtype() not in FLOATS:
                    raise WrongCall(
                        f"{self.path}/{self.files[name]}: tensor {name} is {part.get_dtype()}; "
                        f"{', '.join(FLOATS)} can be loaded (quantised weights cannot)"
                    )


def _files(path: Path) -> dict[str, str]:
    """Which file holds each tensor."""
    if (path / INDEX).exists():
        told = _json(path / INDEX, path).get("weight_map", {})
        missing = sorted({file for file in told.values() if not (path / file).is_file()})
        if missing:
            raise WrongCall(f"{path}: {INDEX} names {missing[0]}, which is missing")
        return dict(told)
    if (path / SINGLE).exists():
        return dict.fromkeys(_opened(path / SINGLE).keys(), SINGLE)
    pickled = sorted(path.glob("*.bin")) + sorted(path.glob("*.pt*"))
    hint = f"; {pickled[0].name} is a pickle and is never loaded, convert it to safetensors" if pickled else ""
    raise WrongCall(f"{path}: neither {INDEX} nor {SINGLE}{hint}")


def _opened(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="pt")
    except (OSError, SafetensorError) as error:
        raise WrongCall(f"{path} cannot be read as safetensors: {error}") from None


def _json(path: Path, folder: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WrongCall(f"{folder} is not a Hugging Face model: {path.name} is missing")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise WrongCall(f"{path}: {error}") from None
