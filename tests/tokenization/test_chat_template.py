"""Chat templates: ids and mask are transformers' own, hostile templates are refused, long conversations are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tokenizers import AddedToken

from schemas.conversation import Conversation, Turn
from schemas.errors import WrongCall
from tokenization.chat_template import (
    CHATML,
    LLAMA3,
    ChatTemplate,
    built_in,
    check_template,
    encode,
    end_of_turn,
    stored_template,
    template_of_file,
)
from tokenization.conversations import encode_conversations
from tokenization.tokenizer import TextTokenizer
from tokenization.training import train_tokenizer

TALK = (
    Turn(role="system", content="Answer with care."),
    Turn(role="user", content="What is sepsis? 什么是脓毒症？"),
    Turn(role="assistant", content="A life-threatening response\nto infection. 感染引起的器官功能障碍。"),
    Turn(role="user", content="Is it contagious?"),
    Turn(role="assistant", content="<tool_call>\n{}\n</tool_call>"),
    Turn(role="tool", content="No: the infection may be."),
    Turn(role="assistant", content="No."),
)
# A template as models publish it, without marks of what is generated.
PUBLISHED = CHATML.replace("{% generation %}", "").replace("{% endgeneration %}", "")


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    def texts() -> Iterator[list[str]]:
        yield [turn.content for turn in TALK] * 3

    made = train_tokenizer(texts(), 400)
    marks = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    made.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return TextTokenizer(made, "<|endoftext|>", made.token_to_id("<|endoftext|>"))


def by_transformers(tokenizer: TextTokenizer, source: str, turns: tuple[Turn, ...]) -> dict[str, Any]:
    transformers = pytest.importorskip("transformers", reason="the train extra is not installed")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.tokenizer, bos_token="<|begin_of_text|>")
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    marked = "{% generation %}" in source
    return dict(
        theirs.apply_chat_template(
            messages, chat_template=source, tokenize=True, return_dict=True, return_assistant_tokens_mask=marked
        )
    )


@pytest.mark.parametrize(("name", "source"), [("chatml", CHATML), ("llama3", LLAMA3)])
def test_ids_and_mask_are_those_of_transformers(tokenizer: TextTokenizer, name: str, source: str) -> None:
    template = built_in(name, tokenizer)
    for turns in (TALK, TALK[1:3], TALK[:3]):
        ((ids, answers),) = encode(tokenizer, [template.render(turns)])
        theirs = by_transformers(tokenizer, source, turns)
        assert ids.tolist() == theirs["input_ids"]
        assert (answers > 0).astype(int).tolist() == theirs["assistant_masks"]
        assert answers.max() == sum(turn.role == "assistant" for turn in turns)


def test_a_published_template_gives_the_same_mask_without_marks(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps({"chat_template": PUBLISHED, "bos_token": None, "eos_token": {"content": "<|im_end|>"}}))
    template = template_of_file(file)
    ((ids, answers),) = encode(tokenizer, [template.render(TALK)])
    ((marked_ids, marked),) = encode(tokenizer, [built_in("chatml", tokenizer).render(TALK)])
    assert ids.tolist() == marked_ids.tolist() == by_transformers(tokenizer, PUBLISHED, TALK)["input_ids"]
    assert answers.tolist() == marked.tolist()


def test_only_answers_and_the_marks_that_end_them_are_learned(tokenizer: TextTokenizer) -> None:
    ((ids, answers),) = encode(tokenizer, [built_in("chatml", tokenizer).render(TALK)])
    learned = [tokenizer.tokenizer.decode(ids[answers == n].tolist(), skip_special_tokens=False) for n in (1, 2, 3)]
    assert learned == [f"{turn.content}<|im_end|>" for turn in TALK if turn.role == "assistant"]


def test_the_prompt_of_an_answer_ends_where_it_begins(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    template = built_in("chatml", tokenizer)
    asked, told = template.render(TALK[:2], ask=True), template.render(TALK[:3])
    assert told.text.startswith(asked.text)
    assert asked.learned == []
    (tmp_path / "chat_template.jinja").write_text(CHATML)
    stored = stored_template(tmp_path)
    assert stored is not None
    assert end_of_turn(stored, tokenizer) == "<|im_end|>"


HOSTILE = {
    "reaches for classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "reads globals": "{{ messages.append.__globals__ }}",
    "changes what it is given": "{{ messages.clear() }}{% for m in messages %}{{ m.content }}{% endfor %}",
    "does not end": "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}",
    "fills the memory": "{% set x = 'aaaaaaaaaa' * 10000000000 %}{{ x }}",
    "does not parse": "{% for m in messages %}{{ m.content }",
    "says nothing of the answer": "{{ 'hello' }}",
    "rewrites earlier turns": "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "does not end":
        monkeypatch.setattr("tokenization.chat_template.PROBE_SECONDS", 3.0)
    path = tmp_path / "template.jinja"
    path.write_text(HOSTILE[name])
    with pytest.raises(WrongCall) as error:
        check_template(ChatTemplate("template.jinja", HOSTILE[name], {}), path)
    assert "is refused" in str(error.value)


def test_long_conversations_are_cut_at_turns_or_left_out_and_counted(tokenizer: TextTokenizer) -> None:
    template = built_in("chatml", tokenizer)
    talks = [Conversation(turns=TALK), Conversation(turns=TALK[1:3])]
    frame = pl.DataFrame({"text": [talk.text() for talk in talks], "conversation": ["{}", "{}"]})
    whole = encode_conversations(frame, tokenizer, template, 10_000, cut=True)
    most = len(whole.ids[0]) - 1
    cut = encode_conversations(frame, tokenizer, template, most, cut=True)
    assert cut.counts["cut"] == 1
    assert cut.ids[0].tolist() == whole.ids[0][: len(cut.ids[0])].tolist()
    assert cut.turns[0].max() == 2, "two of three answers are left"
    left = encode_conversations(frame, tokenizer, template, most, cut=False)
    assert (left.counts["left_out"], left.counts["cut"], len(left.ids[0])) == (1, 0, 0)
    assert encode_conversations(frame, tokenizer, template, 9, cut=True).counts["left_out"] == 2


def test_a_template_whose_marks_the_tokenizer_lacks_is_refused() -> None:
    def texts() -> Iterator[list[str]]:
        yield ["some words"]

    made = train_tokenizer(texts(), 300)
    with pytest.raises(WrongCall, match="needs the token <|start_header_id|>".replace("|", r"\|")):
        built_in("llama3", TextTokenizer(made, "<|endoftext|>", 0))
