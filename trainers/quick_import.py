"""Megatron-Core imported without what it brings along and a processor never uses.

On import it hands two dozen small functions to torch.compile, which loads torch's compilers (2 s), for
fusions that are only switched on for GPUs; and it loads Weights & Biases (1 s) for an inference engine
that is not used here. Without CUDA both are kept away while megatron.core is imported, and only then.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

PACKAGE = "megatron.core"
NOT_NEEDED = "wandb"


class _Quietly(Loader):
    """Loads a package with its own loader, torch.compile giving back what it is given meanwhile."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        import torch

        if torch.cuda.is_available():
            self.loader.exec_module(module)
            return
        before, loaded = torch.compile, sys.modules.get(NOT_NEEDED)
        torch.compile = _as_given  # type: ignore[assignment]
        if loaded is None:
            sys.modules[NOT_NEEDED] = None  # type: ignore[assignment] # an ImportError for who asks
        try:
            self.loader.exec_module(module)
        finally:
            torch.compile = before  # type: ignore[assignment]
            if loaded is None:
                del sys.modules[NOT_NEEDED]


def _as_given(model: Any = None, **settings: Any) -> Any:
    return model if model is not None else lambda function: function


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Quietly(spec.loader)
        return spec


def import_quickly() -> None:
    """From now on, once; a package that is already imported stays as it is."""
    if PACKAGE not in sys.modules and not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
