"""Weights of a distributed checkpoint, read tensor by tensor by one process, whatever layout saved them.

Megatron-Core stacks a layer's weights over all layers; ranks saved chunks of them. A chunk is a
tensor of its own in a file, so a layer's weight is put together from its chunks alone. Nothing is
unpickled but plain tensors and the checkpoint's table of contents, whose classes are listed here.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, Final

import torch

from schemas.errors import CurateError, WrongCall
from trainers.loop.checksums import damaged_file, refusal
from trainers.model.families import LAYER

# Layer norms go under the name of the linear layer behind them.
SAVED_NAMES: Final = {
    "input_layernorm.weight": "self_attention.linear_qkv.layer_norm_weight",
    "pre_mlp_layernorm.weight": "mlp.linear_fc1.layer_norm_weight",
}
CONTENTS_MODULES: Final = ("torch.distributed.checkpoint", "torch.distributed._shard")
CONTENTS_NAMES: Final = {
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("torch", "device"),
    ("collections", "OrderedDict"),
    ("builtins", "set"),
    ("_codecs", "encode"),
    ("pathlib", "PosixPath"),
}


class _Contents(pickle.Unpickler):
    """Unpickles a table of contents; any other class is refused by name."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = (module, name) in CONTENTS_NAMES or module.startswith(CONTENTS_MODULES)
        if not allowed and not (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")
        return super().find_class(module, name)


def read_contents(folder: Path) -> Any:
    """The table of contents of a checkpoint."""
    try:
        with (folder / ".metadata").open("rb") as file:
            return _Contents(file).load()
    except FileNotFoundError:
        raise WrongCall(f"{folder} is no checkpoint: .metadata is missing") from None
    except Exception as error:
        raise WrongCall(f"{folder}/.metadata is refused: {error}") from None


def check_harmless(folder: Path) -> None:
    """Refuse a checkpoint that would run code on loading, before Megatron-Core unpickles any of it.

    Its table of contents may name only the classes listed here; everything else in it must load as
    plain tensors and values.
    """
    contents = read_contents(folder)
    for index, place in contents.storage_data.items():
        if type(contents.state_dict_metadata.get(index.fqn)).__name__ != "BytesStorageMetadata":
            continue  # tensors are loaded as nothing else
        _plain_only(_entry(folder, place), f"{folder}: {index.fqn}")
    if (folder / "common.pt").exists():
        _plain_only(folder / "common.pt", str(folder / "common.pt"))


def _entry(folder: Path, place: Any) -> io.BytesIO:
    """The bytes of one entry of a checkpoint's files."""
    with (folder / place.relative_path).open("rb") as file:
        file.seek(place.offset)
        return io.BytesIO(file.read(place.length))


def _plain_only(source: Any, where: str) -> None:
    try:
        with torch.serialization.safe_globals([io.BytesIO]):
            torch.load(source, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise WrongCall(f"{where} is refused, it holds more than tensors and plain values: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return lines[0] if lines else str(error).splitlines()[0]


class SavedWeights:
    """Weights by their Megatron-Core names with layers numbered through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if (damaged := damaged_file(folder)) is not None:
            raise refusal(folder, damaged)
        contents = read_contents(folder)
        self._tensors = contents.state_dict_metadata
        self._places = {(index.fqn, tuple(index.offset or ())): place for index, place in contents.storage_data.items()}

    def __contains__(self, name: str) -> bool:
        return self._key(name)[0] in self._tensors

    def read(self, name: str) -> torch.Tensor:
        """One whole weight."""
        key, layer = self._key(name)
        if key not in self._tensors:
            raise CurateError(f"checkpoint {self.folder} has no {name}")
        told = self._tensors[key]
        shape = list(told.size)[1:] if layer is not None else list(told.size)
        whole = torch.empty(shape, dtype=told.properties.dtype)
        for chunk in told.chunks:
            offsets, sizes = list(chunk.offsets), list(chunk.sizes)
            if layer is not None:
                if not offsets[0] <= layer < offsets[0] + sizes[0]:
                    continue
                part = self._chunk(key, tuple(offsets)).view(sizes)[layer - offsets[0]]
                offsets, sizes = offsets[1:], sizes[1:]
            else:
                part = self._chunk(key, tuple(offsets)).view(sizes)
            whole[tuple(slice(start, start + size) for start, size in zip(offsets, sizes, strict=True))] = part
        return whole

    def _chunk(self, key: str, offsets: tuple[int, ...]) -> torch.Tensor:
        return torch.load(_entry(self.folder, self._places[key, offsets]), weights_only=True, map_location="cpu")

    @staticmethod
    def _key(name: str) -> tuple[str, int | None]:
        """A weight's name in the checkpoint, and its layer within the stack."""
        found = LAYER.search(name)
        if not found:
            return name, None
        rest = name[found.end() :]
        return f"decoder.layers.{SAVED_NAMES.get(rest, rest)}", int(found.group(1))
