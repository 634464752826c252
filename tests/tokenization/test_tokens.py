"""Tokenizer and shards: deterministic, lossless, in the order of the hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.shards import _key_range
from schemas.errors import CurateError, WrongCall
from tokenization.shards import (
    GRADES,
    coded,
    in_batches,
    open_shard,
    rows_of_document,
    shard_numbers,
    shard_schema,
    shuffle_key,
    shuffle_keys,
    write_shard,
)
from tokenization.tokenizer import END_OF_TEXT, TextTokenizer, load_tokenizer
from tokenization.training import train_tokenizer

TEXTS = [
    "The dose is 12.5 mg twice daily; do not exceed 1000 mg.",
    "患者每日口服二甲双胍1000毫克，随餐服用。血压135/85 mmHg。",
    "Na⁺ 140 mmol/L, x² + y² = 1 µg\n\n\tindented",
] * 5


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(iter([TEXTS]), 500).save(str(path))
    return load_tokenizer(path)


def test_training_does_not_depend_on_order_or_batches() -> None:
    forward = train_tokenizer(iter([TEXTS]), 450).to_str()
    backward = train_tokenizer(iter([[text] for text in reversed(TEXTS)]), 450).to_str()
    assert forward == backward


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_every_text_comes_back(tokenizer: TextTokenizer, text: str) -> None:
    import unicodedata

    ids = tokenizer.encode_documents([text])[0]
    assert ids[-1] == tokenizer.end_of_text_id
    assert tokenizer.tokenizer.decode(ids[:-1], skip_special_tokens=False) == unicodedata.normalize("NFC", text)


def test_digits_are_split(tokenizer: TextTokenizer) -> None:
    tokens = tokenizer.tokenizer.encode("1000", add_special_tokens=False).tokens
    assert tokens == ["1", "0", "0", "0"]
    assert tokenizer.end_of_text == END_OF_TEXT


def test_wrong_tokenizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="does not exist"):
        load_tokenizer(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(WrongCall, match=r"not a Hugging Face tokenizer.json"):
        load_tokenizer(tmp_path / "bad.json")


@given(
    st.lists(st.text("0123456789abcdef", min_size=4, max_size=8), min_size=1, max_size=50),
    st.integers(1, 7),
    st.integers(0, 99),
)
def test_shards_partition_the_keys(ids: list[str], shards: int, seed: int) -> None:
    keys = shuffle_keys(pl.Series(ids), seed)
    numbers = shard_numbers(keys, shards)
    for key, number in zip(keys.to_numpy(), numbers, strict=True):
        low, high = _key_range(number, shards)
        assert 0 <= number < shards
        assert low <= key < high or high == np.uint64(2**64 - 1)


def shard_rows(ids: list[str], lists: list[list[int]]) -> pa.Table:
    count = len(ids)
    return pa.table(
        {
            "doc_id": ids,
            "input_ids": lists,
            "source": coded(pa.array([0] * count, pa.int16()), ["books"], pa.int16()),
            "authority": coded(pa.array([1] * count, pa.int8()), GRADES, pa.int8()),
            "partition": [0] * count,
        }
    ).cast(shard_schema("documents"))


def test_a_shard_is_mapped_and_read_back(tmp_path: Path) -> None:
    rows = shard_rows(["a", "b"], [[1, 2, 3], [4]])
    write_shard(tmp_path / "s.arrow", in_batches(rows), rows.schema)
    first = (tmp_path / "s.arrow").read_bytes()
    table = open_shard(tmp_path / "s.arrow")
    assert table.column("input_ids").to_pylist() == [[1, 2, 3], [4]]
    assert table.column("authority").to_pylist() == ["B", "B"]
    write_shard(tmp_path / "s.arrow", in_batches(rows), rows.schema)
    assert (tmp_path / "s.arrow").read_bytes() == first
    (tmp_path / "s.arrow").write_bytes(first[:40])
    with pytest.raises(CurateError, match="cannot be read"):
        open_shard(tmp_path / "s.arrow")


@given(st.lists(st.text("abcdef0123", min_size=1, max_size=6), min_size=1, max_size=60), st.integers(0, 9))
def test_a_document_is_found_in_its_shard_by_halving(ids: list[str], seed: int) -> None:
    order = sorted(ids, key=lambda one: (shuffle_key(one, seed), one))
    table = shard_rows(order, [[1]] * len(order))
    for one in {*ids, "not there"}:
        found = rows_of_document(table, one, seed)
        assert [order[row] for row in found] == [one] * ids.count(one)
