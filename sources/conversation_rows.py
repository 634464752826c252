"""Conversations out of rows: OpenAI's messages, ShareGPT, Alpaca, or columns put together by templates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from schemas.conversation import ROLES, TOLD_BESIDE, Conversation, Role, Turn, check_turns
from schemas.errors import Unreadable

# What other formats call the roles.
ROLE_NAMES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    "question": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "answer": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "context": "tool",
    "retrieved": "tool",
}


# Fields in which servers and datasets write what an assistant thought, and whether an answer is learned.
THOUGHT: Final = ("reasoning_content", "reasoning", "thinking")
LEARNED: Final = ("weight", "trainable", "train")
TEXT_PARTS: Final = ("text", "input_text", "output_text")


def from_row(row: Mapping[str, Any], form: str | Mapping[str, str]) -> Conversation:
    """A conversation from a row of any table: by the form's name, by its columns, or as they look.

    `form`: "openai", "sharegpt", "alpaca", "auto", or templates by role such as
    `{user: "{title}\\n{ask}", assistant: "{answer}", task: "{department}"}`.

    Raises:
        Unreadable: with the turn and the reason.
    """
    if isinstance(form, Mapping):
        turns = _from_templates(row, form)
        row = {**row, **{name: filled(form[name], row) for name in TOLD_BESIDE if name in form}}
    else:
        turns = FORMS[form if form != "auto" else _guessed(row)](row)
    turns = tuple(turn for turn in turns if turn.role != "system" or turn.content)
    check_turns(turns)
    try:
        return Conversation(
            turns=turns,
            unlearned=_unlearned(row),
            tools=tuple(parsed(row.get("tools"), "tools") or ()),
            citations=tuple(map(str, parsed(row.get("citations"), "citations") or ())),
            source_documents=tuple(map(str, parsed(row.get("source_documents"), "source_documents") or ())),
            task=text_of(row.get("task")),
            ability=text_of(row.get("ability")),
            difficulty=number_of(row.get("difficulty")),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _guessed(row: Mapping[str, Any]) -> str:
    for name, key in (("openai", "messages"), ("sharegpt", "conversations"), ("alpaca", "instruction")):
        if row.get(key) not in (None, ""):
            return name
    raise Unreadable(
        f"no conversation in columns {', '.join(map(str, row))}: neither messages, conversations nor instruction; "
        "say in the recipe how columns become turns (conversation: {user: …, assistant: …})"
    )


def _from_messages(row: Mapping[str, Any]) -> tuple[Turn, ...]:
    """OpenAI's `messages`: role and content, tool calls beside."""
    messages = parsed(row.get("messages"), "messages")
    return tuple(message(one, number, "role", "content") for number, one in enumerate(_listed(messages, "messages"), 1))


def _from_sharegpt(row: Mapping[str, Any]) -> tuple[Turn, ...]:
    """ShareGPT's `conversations`: from and value, and a system text beside."""
    listed = _listed(parsed(row.get("conversations"), "conversations"), "conversations")
    keys = ("from", "value") if listed and "from" in listed[0] else ("role", "content")
    turns = tuple(message(one, number, *keys) for number, one in enumerate(listed, 1))
    system = text_of(row.get("system"))
    return (Turn(role="system", content=system), *turns) if system else turns


def _from_alpaca(row: Mapping[str, Any]) -> tuple[Turn, ...]:
    """Alpaca's instruction, input and output, with `history` and `system` where given."""
    turns: list[Turn] = []
    if system := text_of(row.get("system")):
        turns.append(Turn(role="system", content=system))
    for asked, answered in parsed(row.get("history"), "history") or ():
        turns += [Turn(role="user", content=str(asked)), Turn(role="assistant", content=str(answered))]
    asked = "\n".join(filter(None, (text_of(row.get("instruction")), text_of(row.get("input")))))
    return (*turns, Turn(role="user", content=asked), Turn(role="assistant", content=text_of(row.get("output")) or ""))


FORMS: Final = {"openai": _from_messages, "sharegpt": _from_sharegpt, "alpaca": _from_alpaca}


def filled(template: str, row: Mapping[str, Any]) -> str:
    """A template with the row's columns."""
    try:
        return template.format_map({key: "" if value is None else value for key, value in row.items()}).strip()
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise Unreadable(f"`conversation` does not fit the row: {type(error).__name__} {error}") from None


def _from_templates(row: Mapping[str, Any], form: Mapping[str, str]) -> tuple[Turn, ...]:
    return tuple(
        Turn(role=ROLE_NAMES[role], content=filled(template, row))
        for role, template in form.items()
        if role not in TOLD_BESIDE
    )


def message(one: Any, number: int, role_key: str, content_key: str) -> Turn:
    """One turn of a list of messages."""
    if not isinstance(one, Mapping):
        raise Unreadable(f"turn {number} is no object but {type(one).__name__}")
    role = str(one.get(role_key, "")).strip().lower()
    if role not in ROLE_NAMES:
        raise Unreadable(f"turn {number} has the unknown role '{role}'; known: {', '.join(ROLES)}")
    content = one.get(content_key)
    if isinstance(content, list):  # OpenAI's parts
        content = "".join(_part(part, number) for part in content)
    pieces = [str(content).strip()] if content not in (None, "") else []
    thought = next((one[name] for name in THOUGHT if one.get(name)), None)
    if thought is not None:
        if not isinstance(thought, str) or ROLE_NAMES[role] != "assistant":
            raise Unreadable(f"turn {number} holds reasoning that is no text of an assistant")
        pieces.insert(0, f"<think>\n{thought.strip()}\n</think>\n")
    for call in one.get("tool_calls") or ():
        pieces.append(_tool_call(call))
    return Turn(role=ROLE_NAMES[role], content="\n".join(pieces))


def _part(part: Any, number: int) -> str:
    """The words of one part of a content; a picture, a recording or a file is no text, and is told by name."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    if kind not in TEXT_PARTS or not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
        raise Unreadable(f"turn {number} holds a part of type '{kind}', which text cannot hold")
    return str(part["text"])


def _unlearned(row: Mapping[str, Any]) -> tuple[int, ...]:
    """Numbers (from 1) of the answers that their messages say are not to be learned: weight 0, trainable false."""
    listed = next((parsed(row[key], key) for key in ("messages", "conversations") if row.get(key)), None) or ()
    found, number = [], 0
    for one in listed:
        role = str(one.get("role", one.get("from", ""))).strip().lower() if isinstance(one, Mapping) else ""
        if ROLE_NAMES.get(role) != "assistant":
            continue
        number += 1
        told = [one[name] for name in LEARNED if name in one]
        if any(value in (0, False, "0", "false", "False") for value in told):
            found.append(number)
    return tuple(found)


def _tool_call(call: Mapping[str, Any]) -> str:
    function = call.get("function", call)
    arguments = function.get("arguments", {})
    told = {"name": function.get("name"), "arguments": parsed(arguments, "arguments")}
    return f"<tool_call>\n{json.dumps(told, ensure_ascii=False)}\n</tool_call>"


def _listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise Unreadable(f"`{name}` is no list of turns but {type(value).__name__}")
    return list(value)


def parsed(value: Any, name: str) -> Any:
    """Lists and objects as they are, or out of a column of JSON text."""
    if not isinstance(value, str) or not value.strip():
        return value or None
    try:
        return json.loads(value)
    except ValueError as error:
        raise Unreadable(f"`{name}` is not valid JSON: {error}") from None


def text_of(value: Any) -> str | None:
    """A column's words, or None."""
    return str(value).strip() or None if value is not None else None


DIFFICULTIES: Final = {
    word: number
    for number, words in enumerate(
        [
            ("very easy", "trivial", "很容易"),
            ("easy", "simple", "low", "beginner", "简单", "容易", "低"),
            ("medium", "moderate", "normal", "intermediate", "中等", "一般", "中"),
            ("hard", "difficult", "high", "advanced", "困难", "难", "高"),
            ("very hard", "expert", "extreme", "很难", "极难"),
        ]
    )
    for word in words
}
_NO_DIFFICULTY: Final = "`difficulty` is neither a whole number nor a word such as easy, medium, hard: {!r}"


def number_of(value: Any) -> int | None:
    """A difficulty, or None: a whole number, a word (`DIFFICULTIES`), or either behind "level" ("Level 3")."""
    if value in (None, ""):
        return None
    said = re.sub(r"^(?:level|难度)\s*[:：]?\s*", "", str(value).strip().casefold())
    if said in DIFFICULTIES:
        return DIFFICULTIES[said]
    try:
        number = float(value) if not isinstance(value, str) else float(said)
    except (TypeError, ValueError):
        raise Unreadable(_NO_DIFFICULTY.format(value)) from None
    if not number.is_integer():
        raise Unreadable(_NO_DIFFICULTY.format(value))
    return int(number)
