"""What a registered function takes: its parameters with types and defaults, for lists, help and documentation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REQUIRED = "required"


@dataclass(frozen=True)
class Parameter:
    """One keyword parameter as a recipe gives it."""

    name: str
    type: str
    default: str


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """Keyword parameters of a registered function, its first argument left out."""
    told = []
    for one in list(inspect.signature(function).parameters.values())[1:]:
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        default = REQUIRED if one.default is inspect.Parameter.empty else repr(one.default)
        kind = one.annotation if isinstance(one.annotation, str) else inspect.formatannotation(one.annotation)
        told.append(Parameter(one.name, kind, default))
    return told


def documentation_of(function: Callable[..., Any]) -> str:
    """The docstring, its lines without their common indentation."""
    return inspect.cleandoc(function.__doc__ or "")
