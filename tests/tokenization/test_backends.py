"""Fast encoders give the ids of `tokenizers`, or are not used; a vocabulary is learned the same in any order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from tokenization.backends import ADVERSARIAL, agrees, backends, text_only
from tokenization.tokenizer import END_OF_TEXT, TextTokenizer, load_tokenizer
from tokenization.training import train_tokenizer

CORPUS = [
    "The patient's dose is 12.5 mg; we don't exceed 1,000 mg a day.", "患者每日口服二甲双胍1000毫克，随餐服用。",
    "血常规：WBC 12.3×10^9/L，CRP<5mg/L", "naïve café e\u0301", "- item\n  - nested\n\n\tcode  \n",
] * 8  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    learned = train_tokenizer(iter([CORPUS]), 420)
    return TextTokenizer(learned, END_OF_TEXT, learned.token_to_id(END_OF_TEXT))


def test_a_fast_encoder_is_in_use_and_equal_on_every_trap(tokenizer: TextTokenizer) -> None:
    found = tokenizer.encode_documents([*ADVERSARIAL, *CORPUS])
    assert tokenizer.backend[0] in ("fastokens", "gigatoken")
    assert [list(ids) for ids in found] == [[*ids, 0] for ids in tokenizer._slowly([*ADVERSARIAL, *CORPUS])]


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.sampled_from(CORPUS))
def test_any_text_has_the_same_ids(tokenizer: TextTokenizer, text: str) -> None:
    (found,) = tokenizer.encode_documents([text])
    assert list(found) == [*tokenizer._slowly([text])[0], 0]


def test_a_pattern_that_no_fast_encoder_knows_falls_back_and_says_why() -> None:
    odd = Tokenizer(models.BPE())
    odd.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"(?<=[aeiou])(?=[^aeiou])|\p{Han}{2}"), "removed"),
            pre_tokenizers.ByteLevel(use_regex=False),
        ]
    )
    odd.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=[END_OF_TEXT], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    text = TextTokenizer(odd, END_OF_TEXT, 0)
    found = text.encode_documents(CORPUS)
    assert [list(ids) for ids in found] == [[*ids, 0] for ids in text._slowly(CORPUS)]
    if text.backend[0] == "tokenizers":
        assert all(":" in why for why in text.backend[1:])


def test_an_encoder_that_errs_or_panics_is_no_encoder(tokenizer: TextTokenizer) -> None:
    def panics(texts: list[str]) -> list[list[int]]:
        raise BaseException("panic of Rust")

    assert "panic" in str(agrees(panics, tokenizer._slowly, ["a"]))
    assert "other ids" in str(agrees(lambda texts: [[1] for _ in texts], tokenizer._slowly, ["abc"]))
    assert list(backends("no json"))[:1] == []


def test_special_tokens_are_text_to_a_fast_encoder(tokenizer: TextTokenizer) -> None:
    told = json.loads(text_only(tokenizer.tokenizer.to_str()))
    assert told["added_tokens"] == []
    (found,) = tokenizer.encode_documents(["<|im_start|>system"])
    assert set(found[:-1]).isdisjoint(tokenizer.control_ids)


def test_a_vocabulary_is_learned_the_same_in_any_order(tokenizer: TextTokenizer) -> None:
    again = train_tokenizer(iter([CORPUS[20:], CORPUS[:20]]), 420)
    assert again.to_str() == tokenizer.tokenizer.to_str()
    assert again.get_vocab_size() <= 420
    assert again.decode(again.encode("随餐服用 WBC 12.3").ids) == "随餐服用 WBC 12.3"


def test_cuts_and_padding_saved_in_a_file_are_off(tokenizer: TextTokenizer, tmp_path) -> None:  # type: ignore[no-untyped-def]
    saved = Tokenizer.from_str(tokenizer.tokenizer.to_str())
    saved.enable_truncation(4)
    saved.enable_padding(length=64)
    saved.save(str(tmp_path / "tokenizer.json"))
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert [list(one) for one in loaded.encode_documents(CORPUS[:3])] == [
        list(one) for one in tokenizer.encode_documents(CORPUS[:3])
    ]
    assert loaded.encode_text(CORPUS[0])[0] == tokenizer.encode_text(CORPUS[0])[0]
