"""Marks that a tokenizer names beside its words: what begins a document, and `tokenizer_config.json`.

A model that was trained with a mark at the beginning of each document (Llama 3, Gemma, Mistral) must be trained on
with it. Whether it is, stands in the tokenizer's own post-processor, or in `add_bos_token` of its configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from schemas.errors import WrongCall

CONFIG_FILE: Final = "tokenizer_config.json"
NAMED: Final = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def read_config(path: Path) -> dict[str, Any]:
    """A `tokenizer_config.json` as it stands; empty where there is none.

    Raises:
        WrongCall: where the file is no JSON object.
    """
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise WrongCall(f"{path} is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise WrongCall(f"{path} is no configuration of a tokenizer: it holds no JSON object")
    return told


def named_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """Special tokens that a configuration names, as transformers gives them to templates; unset ones are absent."""
    told = {name: config.get(name) for name in NAMED}
    words = {name: value.get("content") if isinstance(value, Mapping) else value for name, value in told.items()}
    return {name: value for name, value in words.items() if isinstance(value, str) and value}


def marks_around(tokenizer: Tokenizer) -> tuple[str | None, str | None]:
    """The special tokens that the post-processor puts before and behind a text, where there are any."""
    written = tokenizer.encode("a", add_special_tokens=True)
    mask = written.special_tokens_mask
    if all(mask):
        return None, None
    first, last = (written.tokens[at] if mask[at] else None for at in (0, -1))
    return first, last


def wanted_beginning(config: Mapping[str, Any], asked: str | bool | None, by_itself: str | None) -> str | None:
    """The mark that documents begin with: by the recipe (`asked`), the configuration, or the post-processor.

    Raises:
        WrongCall: where a mark is asked for and nothing says which.
    """
    if isinstance(asked, str):
        return asked
    told = config.get("add_bos_token") if asked is None else asked
    if told is None:
        return by_itself
    if not told:
        return None
    mark = named_tokens(config).get("bos_token") or by_itself
    if mark is None:
        raise WrongCall("documents are to begin with a mark, but the tokenizer names no bos_token; name it in `begin`")
    return mark


def with_beginning(told: str, mark: str | None, number: int | None) -> str:
    """A `tokenizer.json` whose post-processor puts `mark` before a text, or nothing; other parts of it stay."""
    whole = json.loads(told)
    parts = [one for one in _processors(whole.get("post_processor")) if one["type"] != "TemplateProcessing"]
    if mark is not None:
        first = {"SpecialToken": {"id": mark, "type_id": 0}}
        texts = [{"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB")]
        parts.append({
            "type": "TemplateProcessing", "single": [first, texts[0]], "pair": [first, *texts],
            "special_tokens": {mark: {"id": mark, "ids": [number], "tokens": [mark]}},
        })  # fmt: skip
    whole["post_processor"] = (
        {"type": "Sequence", "processors": parts} if len(parts) > 1 else (parts[0] if parts else None)
    )
    return json.dumps(whole, ensure_ascii=False)


def _processors(told: dict[str, Any] | None) -> list[dict[str, Any]]:
    if told is None:
        return []
    return list(told["processors"]) if told["type"] == "Sequence" else [told]
