"""Marks that begin and end documents and conversations: the very ids that transformers makes, for each published shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from schemas.conversation import Turn
from schemas.errors import WrongCall
from tokenization.chat_template import encode, prompt_ids, template_of_file
from tokenization.marks import marks_around, read_config, wanted_beginning, with_beginning
from tokenization.tokenizer import load_tokenizer

transformers = pytest.importorskip("transformers", reason="the train extra is not installed")

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA = (
    "{{- bos_token }}{% for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{{- m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else m.role %}"
    "{{ '<start_of_turn>' + role + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)


@dataclass(frozen=True)
class Shape:
    """What of a published tokenizer matters here."""

    marks: tuple[str, ...]
    template: str
    config: dict[str, Any]
    begins: str | None
    ends: str


SHAPES = {
    "llama3": Shape(
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        LLAMA,
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
        "<|begin_of_text|>",
        "<|end_of_text|>",
    ),
    "gemma": Shape(
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        GEMMA,
        {
            "bos_token": {"content": "<bos>", "__type": "AddedToken"},
            "eos_token": "<eos>",
            "add_bos_token": True,
            "pad_token": "<pad>",
        },
        "<bos>",
        "<eos>",
    ),
    "mistral": Shape(
        ("<s>", "</s>", "[INST]", "[/INST]"),
        MISTRAL,
        {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True},
        "<s>",
        "</s>",
    ),
    "qwen2": Shape(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        CHATML,
        {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "add_bos_token": False},
        None,
        "<|endoftext|>",
    ),
    "qwen3": Shape(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
        CHATML.replace("m.role + '\n' + m.content", "m.role + '\n' + (m.content.split('</think>') | last).lstrip()"),
        {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        None,
        "<|endoftext|>",
    ),
}
TURNS = [("user", "Is 5 mg safe? "), ("assistant", "Yes, with food."), ("user", "血压?"), ("assistant", "偏高。")]


def write_shape(shape: Shape, folder: Path) -> Path:
    """tokenizer.json, tokenizer_config.json and chat_template.jinja as transformers would save them."""
    made = Tokenizer(models.BPE({sign: n for n, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in shape.marks])
    parts: list[Any] = [processors.ByteLevel(trim_offsets=False)]
    if shape.begins:
        number = made.token_to_id(shape.begins)
        parts.append(
            processors.TemplateProcessing(
                single=f"{shape.begins} $A", pair=f"{shape.begins} $A $B", special_tokens=[(shape.begins, number)]
            )
        )
    made.post_processor = processors.Sequence(parts)
    made.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **shape.config}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(shape.template)
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_documents_and_conversations_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    folder = write_shape(shape, tmp_path)
    ours = load_tokenizer(folder / "tokenizer.json")
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
    assert (ours.begin_of_text, ours.end_of_text) == (shape.begins, shape.ends)
    text = "Aspirin 81 mg\n每日一次"
    (row,) = ours.encode_documents([text])
    assert row == [*theirs(text)["input_ids"], theirs.convert_tokens_to_ids(shape.ends)]
    template = template_of_file(folder / "chat_template.jinja")
    turns = [Turn(role=role, content=content) for role, content in TURNS]  # type: ignore[arg-type]
    ((ids, answers),) = encode(ours, [template.render(turns, tokenizer=ours)])
    messages = [{"role": role, "content": content} for role, content in TURNS]
    assert ids.tolist() == theirs.apply_chat_template(messages, return_dict=False)
    assert ids.tolist().count(ours.begin_of_text_id) == (1 if shape.begins else 0)
    asked = theirs.apply_chat_template(messages[:1], add_generation_prompt=True, return_dict=False)
    assert prompt_ids(ours, template, turns[:1]) == asked
    assert "Yes, with food." in ours.tokenizer.decode(ids[answers == 1].tolist())


def test_a_recipe_may_ask_for_another_beginning(tmp_path: Path) -> None:
    folder = write_shape(SHAPES["llama3"], tmp_path)
    told = (folder / "tokenizer.json").read_text()
    bare = Tokenizer.from_str(with_beginning(told, None, None))
    assert marks_around(bare) == (None, None)
    number = bare.token_to_id("<|eot_id|>")
    other = Tokenizer.from_str(with_beginning(told, "<|eot_id|>", number))
    assert other.encode("a").ids[0] == number
    assert other.encode("a b", add_special_tokens=False).offsets == bare.encode("a b", add_special_tokens=False).offsets
    config = read_config(folder / "tokenizer_config.json")
    assert wanted_beginning(config, None, "<|begin_of_text|>") == "<|begin_of_text|>"
    assert wanted_beginning(config, False, "<|begin_of_text|>") is None
    assert wanted_beginning({**config, "add_bos_token": False}, None, "<|begin_of_text|>") is None
    assert wanted_beginning({**config, "add_bos_token": True}, None, None) == "<|begin_of_text|>"
    with pytest.raises(WrongCall, match="names no bos_token"):
        wanted_beginning({}, True, None)


def test_a_template_that_writes_what_nobody_set_is_refused(tmp_path: Path) -> None:
    folder = write_shape(SHAPES["llama3"], tmp_path)
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(WrongCall, match="bos_token"):
        template_of_file(folder / "chat_template.jinja")
    assert template_of_file(folder / "chat_template.jinja", {"bos_token": "<|begin_of_text|>"})
    asks = "{% if tools %}tools{% endif %}{% if x is defined %}x{% endif %}" + CHATML
    (folder / "chat_template.jinja").write_text(asks)
    assert template_of_file(folder / "chat_template.jinja")


def test_the_day_is_the_recipes_and_never_todays(tmp_path: Path) -> None:
    dated = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}no day{% endif %}\n" + CHATML
    (tmp_path / "chat_template.jinja").write_text(dated)
    turns = [Turn(role="user", content="?")]
    path = tmp_path / "chat_template.jinja"
    assert template_of_file(path).render(turns).text.startswith("no day")
    assert template_of_file(path, {"today": "2024-07-26"}).render(turns).text.startswith("26 Jul 2024")
