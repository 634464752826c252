"""MinHash against exact Jaccard similarity, and against datasketch as the oracle."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from dedup.exact import exact_hashes
from dedup.minhash import MinHashConfig, band_hashes, jaccard_estimate, signatures
from textcolumns.columns import TextColumn
from textcolumns.squeezed import LAYOUT, squeezed

WORDS = [f"w{number}" for number in range(5000)]


def pair(similarity: float, generator: np.random.Generator, size: int = 400) -> tuple[str, str]:
    """Two texts of unique words whose word sets have about this Jaccard similarity."""
    common = round(2 * size * similarity / (1 + similarity))
    chosen = generator.choice(WORDS, 2 * size - common, replace=False)
    return " ".join(chosen[:size]), " ".join(np.concatenate((chosen[:common], chosen[size:])))


def exact_jaccard(left: str, right: str) -> float:
    a, b = set(left.split()), set(right.split())
    return len(a & b) / len(a | b)


def test_estimate_is_unbiased_and_as_exact_as_datasketch() -> None:
    generator = np.random.default_rng(1)
    config = MinHashConfig(ngram=1)
    truth, ours, theirs = [], [], []
    for similarity in np.repeat([0.2, 0.5, 0.8, 0.95], 25):
        left, right = pair(similarity, generator)
        signed = signatures(TextColumn(pl.Series([left, right])), config)
        truth.append(exact_jaccard(left, right))
        ours.append(jaccard_estimate(signed[:1], signed[1:])[0])
        sketches = [MinHash(config.functions), MinHash(config.functions)]
        for sketch, text in zip(sketches, (left, right), strict=True):
            sketch.update_batch([word.encode() for word in text.split()])
        theirs.append(sketches[0].jaccard(sketches[1]))
    error, reference = np.array(ours) - truth, np.array(theirs) - truth
    expected = np.sqrt(np.mean(np.array(truth) * (1 - np.array(truth)) / config.functions))
    assert abs(error.mean()) < 3 * expected / np.sqrt(len(error))
    assert error.std() < 1.3 * expected
    assert error.std() < 1.5 * reference.std()


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9])
def test_candidates_follow_the_curve(similarity: float) -> None:
    generator = np.random.default_rng(2)
    config = MinHashConfig(ngram=1)
    pairs = [pair(similarity, generator) for _ in range(300)]
    truth = np.array([exact_jaccard(*one) for one in pairs])
    hashes = band_hashes(signatures(TextColumn(pl.Series([text for one in pairs for text in one])), config), config)
    found = (hashes[0::2] == hashes[1::2]).any(axis=1).mean()
    expected = (1 - (1 - truth**config.rows) ** config.bands).mean()
    assert abs(found - expected) < 0.08


def test_chinese_texts_are_compared_by_characters() -> None:
    text = "幽门螺杆菌感染是慢性胃炎、消化性溃疡和胃癌的主要病因，推荐铋剂四联方案作为一线治疗，疗程为十四天。" * 2
    near = text.replace("十四", "十")
    other = "肺栓塞是内源性或者外源性栓子阻塞肺动脉及其分支引起的一组疾病，其中血栓栓塞最为常见。"
    signed = signatures(TextColumn(pl.Series([text, near, other])))
    assert jaccard_estimate(signed[:1], signed[1:2])[0] > 0.6
    assert jaccard_estimate(signed[:1], signed[2:])[0] < 0.1


def test_exact_hash_ignores_white_space_that_is_layout() -> None:
    texts = ["a b\nc", " a  b c", "ab c", "give 1 0.5 ml", "give 10.5 ml", "体 温\n38 度", "体温38度", "a , b", "a,b"]
    hashes = exact_hashes(TextColumn(pl.Series(texts)))
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] != hashes[4]
    assert hashes[5] == hashes[6]
    assert hashes[7] == hashes[8]


@given(
    st.lists(
        st.text(
            st.sampled_from("ab1 \n\t.-心の,é\u0301\u3000\u00a0\x00\x85²Ⅷ한ש\u2028\U0001f600")
            | st.characters(exclude_categories=["Cs"])
        )
    )
)
def test_white_space_is_squeezed_as_polars_own_expressions_do(texts: list[str]) -> None:
    words = pl.Series(texts, dtype=pl.String).str.strip_chars().str.replace_all(r"\s+", " ")
    told = words.str.replace_all(f"({LAYOUT}) ", "$1").str.replace_all(f" ({LAYOUT})", "$1")
    assert [bytes(one).decode() for one in squeezed(TextColumn(pl.Series(texts, dtype=pl.String)))] == told.to_list()
