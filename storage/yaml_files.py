"""YAML files as typed models; whatever is wrong is told with file and line, and the nearest right name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from schemas.errors import WrongCall
from schemas.nearest import nearest
from storage.places import Place

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Place) -> Any:
    """The YAML of `path` with its line numbers (ruamel round-trip types)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WrongCall(f"{path} does not exist") from None
    except OSError as error:
        raise WrongCall(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise WrongCall(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    try:
        raw = _parsed(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongCall(f"{path}:{line}: {str(error.problem).splitlines()[0]}") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongCall(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        raise WrongCall(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise WrongCall(f"{path}:1: expected a mapping of keys, found {type(raw).__name__}")
    return raw


@lru_cache(maxsize=16)
def _parsed(text: str) -> Any:
    """Parsed once a process, which takes a fifth of a second for a recipe; nobody writes into what is returned."""
    return YAML(typ="rt").load(text)


def validated(model: type[Model], raw: Any, path: Place) -> Model:
    """`raw` as a `model`; the first error is reported with file, line and, for names, the nearest."""
    try:
        return model.model_validate(_plain(raw))
    except ValidationError as error:
        # An unknown key is the likelier cause of a missing one than the other way round.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        place = tuple(part for part in first["loc"] if not (isinstance(part, str) and "[" in part))
        where = ".".join(map(str, place)) or "recipe"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = f"unknown key '{place[-1]}'{nearest(str(place[-1]), _known_keys(model, place[:-1]))}"
        raise WrongCall(f"{path}:{line_of(raw, place)}: {where}: {message}") from None


def line_of(raw: Any, place: tuple[Any, ...]) -> int:
    """Line (from 1) of the deepest part of `place` that the file holds."""
    line = 1
    current: Any = raw
    for part in place:
        try:
            position = current.lc.key(part) if isinstance(current, dict) else current.lc.item(part)  # type: ignore[attr-defined]
            line = position[0] + 1
            current = current[part]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
    return line


def _plain(raw: Any) -> Any:
    """ruamel's annotated containers as plain ones; scalars as they are."""
    if isinstance(raw, dict):
        return {_plain(key): _plain(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_plain(value) for value in raw]
    if isinstance(raw, bool) or raw is None:
        return raw
    for kind in (int, float, str):
        if isinstance(raw, kind):
            return kind(raw)
    return raw


def _known_keys(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Field names of the model that stands at `place`, following lists, mappings and options."""
    current: Any = model
    for part in place:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            if field is None:
                continue  # an index of a list or a key of a mapping
            current = field.annotation
        current = _inner_model(current)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    return annotation
