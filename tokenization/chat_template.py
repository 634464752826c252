"""Chat templates: from turns to token ids, with a mask exact to the token of what is learned.

Templates are Jinja, as in Hugging Face tokenizers, rendered in a sandbox. ChatML and Llama 3 come
with the house; a tokenizer's own template is read from its configuration. What an assistant says,
with the mark that ends its turn, is learned; everything else never is.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
import numpy.typing as npt
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.canonical import canonical_digest
from schemas.conversation import Turn
from schemas.errors import WrongCall
from storage.same_imports import same_imports
from tokenization.marks import CONFIG_FILE, named_tokens, read_config
from tokenization.tokenizer import TextTokenizer

CHATML: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3: Final = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] | trim + '<|eot_id|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
BUILT_IN: Final = {
    "chatml": (CHATML, ("<|im_start|>", "<|im_end|>")),
    "llama3": (LLAMA3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
}
LARGEST_TEMPLATE: Final = 64 << 10  # bytes; the longest published ones have about 10 KiB
TODAY: Final = "today"  # the value of a template that holds the day, ISO 8601
PROBE_SECONDS: Final = 10.0
PROBE_MEMORY: Final = 2 << 30


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: notes where what an assistant says begins and ends."""

    tags = {"generation"}

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller: Any) -> str:
        return f"{START}{caller()}{END}"


# Noncharacters: never in text (normalisation and UTF-8 readers drop them), so they can carry places.
START, END = "\ufdd0", "\ufdd1"
# Stand around a special token that a turn's own words mention, so that it is encoded as text: behind its
# first character, where no template and no tokenizer takes it for the token, and behind its last.
BREAKS, ENDS = "\ufdd2", "\ufdd3"
NO_CHARACTERS: Final = dict.fromkeys(map(ord, (START, END, BREAKS, ENDS)))  # taken out of what turns say


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, undefined=_Unset, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = lambda value, **more: json.dumps(value, ensure_ascii=False, **more)
    made.globals["raise_exception"] = _raise
    return made


@lru_cache(maxsize=8)
def _compiled(source: str) -> jinja2.Template:
    """A template, compiled once a process and not once a conversation."""
    return _environment().from_string(source)


class _Unset(jinja2.Undefined):
    """A name that nobody set: it may be asked for, but never written as if it were nothing."""

    def __str__(self) -> str:
        self._fail_with_undefined_error()


def _clock(values: Mapping[str, str]) -> dict[str, Any]:
    """`strftime_now` of transformers, of the day that the recipe names; none where it names none."""
    if TODAY not in values:
        return {}
    day = datetime.date.fromisoformat(values[TODAY])
    return {"strftime_now": day.strftime}


def _raise(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


@dataclass(frozen=True)
class Rendered:
    """A conversation as text, and the character ranges that are learned.

    `text` is what the template writes; at the ranges `words` the turns themselves mention a special
    token, which is no mark there.
    """

    text: str
    learned: list[tuple[int, int]]
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class ChatTemplate:
    """A checked template with the values that tokenizers give it (`bos_token` and the like)."""

    name: str
    source: str
    values: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What tells this template from others."""
        return canonical_digest([self.source, dict(self.values)])

    def render(
        self,
        turns: Sequence[Turn],
        tools: Sequence[Any] = (),
        ask: bool = False,
        tokenizer: TextTokenizer | None = None,
    ) -> Rendered:
        """The conversation as text; with `ask` it ends where the next answer begins.

        Where turns or tools mention a special token of `tokenizer`, it stays text.
        """
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        messages, tools = _broken(messages, tokenizer), _broken(list(tools), tokenizer)
        marked = self._text(messages, tools, ask)
        if START in marked:
            return _unmarked(marked)
        return _whole(Rendered(marked, [] if ask else self._by_prefix(messages, tools, marked)))

    def _text(self, messages: list[dict[str, str]], tools: Sequence[Any], ask: bool) -> str:
        try:
            compiled = _compiled(self.source)
            return compiled.render(
                messages=messages,
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=ask,
                **{name: value for name, value in self.values.items() if name != TODAY},
                **_clock(self.values),
            )
        except jinja2.exceptions.TemplateError as error:
            raise WrongCall(f"chat template {self.name}: {type(error).__name__}: {error}") from None

    def _by_prefix(self, messages: list[dict[str, str]], tools: Sequence[Any], whole: str) -> list[tuple[int, int]]:
        """Without generation marks: what is added between asking for an answer and having it is learned."""
        ranges = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            start = len(before := self._text(messages[:index], tools, True))
            after = self._text(messages[: index + 1], tools, False)
            if not after.startswith(before) or not whole.startswith(after.rstrip()):
                raise WrongCall(
                    f"chat template {self.name} changes earlier turns when later ones come, so what is learned cannot "
                    "be told from it; mark it with {% generation %} … {% endgeneration %}"
                )
            # White space after the mark that ends the turn belongs to the template, not to the answer.
            ranges.append((start, len(after.rstrip())))
        return ranges


def _broken(value: Any, tokenizer: TextTokenizer | None) -> Any:
    """Texts within messages and tools, each special token that they mention broken."""
    if isinstance(value, Mapping):
        return {_broken(key, tokenizer): _broken(one, tokenizer) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_broken(one, tokenizer) for one in value]
    if not isinstance(value, str):
        return value
    value = value.translate(NO_CHARACTERS)
    pieces, at = [], 0
    for start, end in tokenizer.mentions(value) if tokenizer else ():
        pieces += [value[at : start + 1], BREAKS, value[start + 1 : end], ENDS]
        at = end
    return "".join([*pieces, value[at:]])


def _whole(rendered: Rendered) -> Rendered:
    """The text without the signs that broke marks, and where the broken marks stand."""
    if BREAKS not in rendered.text:
        return rendered
    signs = [at for at, sign in enumerate(rendered.text) if sign in (BREAKS, ENDS)]
    moved = [(start - bisect_left(signs, start), end - bisect_left(signs, end)) for start, end in rendered.learned]
    words: list[tuple[int, int]] = []
    for number, at in enumerate(signs):
        if rendered.text[at] == BREAKS:
            words.append((at - number - 1, at - number))
        else:
            words[-1] = (words[-1][0], at - number)
    text = rendered.text.replace(BREAKS, "").replace(ENDS, "")
    return Rendered(text, moved, tuple(words))


def _unmarked(text: str) -> Rendered:
    pieces, learned, length = [], [], 0
    for number, piece in enumerate(text.replace(END, START).split(START)):
        if number % 2:
            learned.append((length, length + len(piece)))
        pieces.append(piece)
        length += len(piece)
    return _whole(Rendered("".join(pieces), learned))


def built_in(name: str, tokenizer: TextTokenizer) -> ChatTemplate:
    """ChatML or Llama 3; the tokenizer must have its marks as special tokens."""
    source, marks = BUILT_IN[name]
    for mark in marks:
        if tokenizer.tokenizer.token_to_id(mark) is None:
            raise WrongCall(
                f"conversations.template '{name}' needs the token {mark}, which the tokenizer lacks; "
                f"choose another of {', '.join(BUILT_IN)}, or a template file"
            )
    if name != "llama3":
        return ChatTemplate(name, source, {})
    begin = "<|begin_of_text|>"
    known = tokenizer.tokenizer.token_to_id(begin) is not None
    return ChatTemplate(name, source, {"bos_token": begin if known else tokenizer.begin_of_text or ""})


def template_of_file(path: Path, values: Mapping[str, str] | None = None) -> ChatTemplate:
    """A Jinja file, or a tokenizer's `tokenizer_config.json`; checked before it is used.

    It is given the tokens that its own configuration names, or the one beside it, else `values`.
    """
    try:
        raw = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(f"chat template {path}: {error}") from None
    own = read_config(path if path.suffix == ".json" else path.parent / CONFIG_FILE)
    if path.suffix == ".json":
        raw = own.get("chat_template") or ""
        if not raw or not isinstance(raw, str):
            raise WrongCall(f"{path} has no chat_template")
    template = ChatTemplate(path.name, raw, {**(values or {}), **named_tokens(own)})
    check_template(template, path)
    return template


PROBE: Final = """
import json, resource, sys
memory, told = int(sys.argv[1]), json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
from schemas.conversation import Turn
from tokenization.chat_template import ChatTemplate
template = ChatTemplate(told["name"], told["source"], told["values"])
said = [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v"), ("assistant", "b")]
turns = [Turn(role=role, content=content) for role, content in said]
text = template.render(turns).text
assert "a" in text and "u" in text and len(text) < 100_000, "the text of a short conversation is wrong or too long"
"""


def check_template(template: ChatTemplate, path: Path) -> None:
    """Refuse templates that do not parse, reach outside the sandbox, or do not end: tried in a process of its own."""
    if len(template.source.encode()) > LARGEST_TEMPLATE:
        raise WrongCall(f"chat template {path} is larger than {LARGEST_TEMPLATE >> 10} KiB")
    told = json.dumps({"name": template.name, "source": template.source, "values": dict(template.values)})
    command = [sys.executable, "-W", "ignore", "-c", PROBE, str(PROBE_MEMORY)]
    try:
        done = subprocess.run(
            command, input=told, text=True, capture_output=True, timeout=PROBE_SECONDS, check=False,
            env={**os.environ, **same_imports()},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WrongCall(f"chat template {path} is refused: it did not end within {PROBE_SECONDS:g} seconds") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise WrongCall(f"chat template {path} is refused: {lines[-1] if lines else f'status {done.returncode}'}")


def encode(
    tokenizer: TextTokenizer, rendered: Sequence[Rendered]
) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]]:
    """Token ids of each conversation, and for each token the answer (from 1) it belongs to, 0 for none.

    A token belongs to an answer when any of its characters does, as in transformers' mask.
    """
    encoded = tokenizer.tokenizer.encode_batch([one.text for one in rendered], add_special_tokens=False)
    found = []
    for one, tokens in zip(rendered, encoded, strict=True):
        ids, pairs = (tokens.ids, tokens.offsets) if not one.words else _encoded_around(tokenizer, one)
        offsets = np.array(pairs, np.int64).reshape(-1, 2)
        turns = np.zeros(len(offsets), np.int16)
        for number, (start, end) in enumerate(one.learned, 1):
            turns[(offsets[:, 1] > start) & (offsets[:, 0] < end)] = number
        found.append((np.array(ids, np.int32), turns))
    return found


def _encoded_around(tokenizer: TextTokenizer, rendered: Rendered) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids and offsets of a text in which the `words` are encoded as text, and the template's marks as marks."""
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    at = 0
    for start, end in rendered.words:
        _append(ids, offsets, _as_template(tokenizer, rendered.text[at:start]), at)
        _append(ids, offsets, tokenizer.encode_text(rendered.text[start:end]), start)
        at = end
    _append(ids, offsets, _as_template(tokenizer, rendered.text[at:]), at)
    return ids, offsets


def _as_template(tokenizer: TextTokenizer, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    tokens = tokenizer.tokenizer.encode(text, add_special_tokens=False)
    return tokens.ids, tokens.offsets


def _append(
    ids: list[int], offsets: list[tuple[int, int]], more: tuple[list[int], list[tuple[int, int]]], base: int
) -> None:
    ids.extend(more[0])
    offsets.extend((start + base, end + base) for start, end in more[1])


def prompt_ids(tokenizer: TextTokenizer, template: ChatTemplate, turns: Sequence[Turn]) -> list[int]:
    """Token ids of turns up to where the next answer begins; words that mention a mark stay words."""
    (found,) = encode(tokenizer, [template.render(turns, ask=True, tokenizer=tokenizer)])
    return found[0].tolist()


def stored_template(folder: Path) -> ChatTemplate | None:
    """The chat template that lies beside a tokenizer, with the tokens of its configuration; None without one."""
    path = folder / "chat_template.jinja"
    if not path.is_file():
        return None
    told = read_config(folder / CONFIG_FILE)
    # Folders of before configurations were kept: their templates wrote nothing for these.
    values = {**dict.fromkeys(("bos_token", "eos_token"), ""), **named_tokens(told)}
    day = {TODAY: told[TODAY]} if TODAY in told else {}
    return ChatTemplate(path.name, path.read_text(encoding="utf-8"), {**values, **day})


def end_of_turn(probe: ChatTemplate, tokenizer: TextTokenizer) -> str | None:
    """The special token with which a template ends an answer."""
    rendered = probe.render([Turn(role="user", content="?"), Turn(role="assistant", content="!")])
    start, end = rendered.learned[-1]
    ids = tokenizer.tokenizer.encode(rendered.text[start:end], add_special_tokens=False).ids
    specials = {number for number, token in tokenizer.tokenizer.get_added_tokens_decoder().items() if token.special}
    return tokenizer.tokenizer.id_to_token(ids[-1]) if ids and ids[-1] in specials else None
