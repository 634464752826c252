"""Prompts out of rows: as such, or put together by templates."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any, Final

from pydantic import ValidationError

from schemas.conversation import Turn
from schemas.errors import Unreadable
from schemas.prompt import Prompt, check_prompt
from schemas.recipe import PromptForm
from sources.benchmark_items import item_of_row
from sources.conversation_rows import filled, message, number_of, parsed, text_of

DECISIONS: Final = ("yes", "no", "maybe")  # PubMedQA (Jin et al. 2019)


def prompt_from_row(row: Mapping[str, Any], form: PromptForm | str) -> Prompt:
    """A prompt of a row: `auto` reads `prompt` (a text or messages), `verifier`, `reference`; a form fills templates.

    `benchmark` (and `auto`, of rows with a `question` and no `prompt`) reads the forms in which benchmarks are
    published: an exam's question with lettered options, or a question of PubMedQA about its contexts.

    Raises:
        Unreadable: with the reason.
    """
    if form == "benchmark" or (form == "auto" and row.get("prompt") in (None, "") and row.get("question")):
        row = _of_benchmark(row)
    if isinstance(form, PromptForm):
        turns = [Turn(role="system", content=filled(form.system, row))] if form.system else []
        turns.append(Turn(role="user", content=filled(form.user, row)))
        told: dict[str, Any] = {"verifier": form.verifier, "reference": _value(form.reference, row)}
        row = {**row, **{name: filled(text, row) for name in ("task", "difficulty") if (text := getattr(form, name))}}
    else:
        turns = _turns(row)
        reference = row.get("reference")
        if not isinstance(reference, Mapping):  # an empty one is one too, for verifiers that hold against nothing
            reference = {} if reference == "{}" else parsed(reference, "reference")
        told = {"verifier": text_of(row.get("verifier")) or "", "reference": reference}
    check_prompt(tuple(turns))
    if not told["verifier"] or not isinstance(told["reference"], Mapping):
        raise Unreadable("a prompt needs `verifier`, a name, and `reference`, an object")
    try:
        return Prompt(
            turns=tuple(turns),
            source_documents=tuple(map(str, parsed(row.get("source_documents"), "source_documents") or ())),
            task=text_of(row.get("task")),
            difficulty=number_of(row.get("difficulty")),
            **told,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _of_benchmark(row: Mapping[str, Any]) -> dict[str, Any]:
    """A benchmark's row with the columns that `auto` reads."""
    try:
        item = item_of_row("", dict(row), 0, None)
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"no question of a known benchmark: {error}") from None
    if item is None:
        raise Unreadable("no question of a benchmark")
    answer, chinese = item.answer.strip(), any("\u3400" <= sign <= "\u9fff" for sign in item.question)
    if item.options:
        letters = [chr(ord("A") + number) for number in range(len(item.options))]
        if not answer or not set(answer.upper()) <= set(letters):
            raise Unreadable(f"the answer {answer!r} is none of the letters {letters[0]} to {letters[-1]}")
        listed = [f"{letter}. {text}" for letter, text in zip(letters, item.options, strict=True)]
        wanted = "只回答选项的字母。" if chinese else "Answer with the letter of the right option."
        reference: dict[str, Any] = {"key": answer.upper(), "options": dict(zip(letters, item.options, strict=True))}
        return {"prompt": "\n".join([item.question, *listed, wanted]), "verifier": "exam", "reference": reference}
    if answer.casefold() not in DECISIONS:
        raise Unreadable("a question without options whose answer is not yes, no or maybe")
    asked = "\n\n".join([*item.contexts, f"{item.question}\nAnswer yes, no or maybe."])
    return {"prompt": asked, "verifier": "label", "reference": {"label": answer.casefold(), "labels": list(DECISIONS)}}


def _turns(row: Mapping[str, Any]) -> list[Turn]:
    asked = row.get("prompt")
    if isinstance(asked, str) and not asked.lstrip().startswith("["):
        system = text_of(row.get("system"))
        return [*([Turn(role="system", content=system)] if system else []), Turn(role="user", content=asked.strip())]
    listed = parsed(asked, "prompt")
    if not isinstance(listed, list) or not listed:
        raise Unreadable("`prompt` is neither a text nor a list of messages")
    return [message(one, number, "role", "content") for number, one in enumerate(listed, 1)]


def _value(template: Any, row: Mapping[str, Any]) -> Any:
    """A template's value: `{column}` alone is the column as it is, other texts are filled, objects within too."""
    if isinstance(template, dict):
        return {key: _value(one, row) for key, one in template.items()}
    if isinstance(template, list):
        return [_value(one, row) for one in template]
    if not isinstance(template, str):
        return template
    fields = [(before, name) for before, name, _, _ in Formatter().parse(template)]
    name = fields[0][1] if len(fields) == 1 and fields[0][0] == "" else None
    if name is not None and name in row:
        value = row[name]
        return parsed(value, name) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else value
    return filled(template, row)
