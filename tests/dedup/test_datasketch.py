"""Our signatures are datasketch's: its own MinHash with our permutations has the same values, its LSH the same candidates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from datasketch import MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dedup.datasketch_form import lean, minhash_of, shape_for, signature_of
from dedup.lsh_index import build, near
from dedup.minhash import MinHashConfig, jaccard_estimate, signatures, word_folds
from schemas.recipe import MinHash
from textcolumns.columns import TextColumn

WORDS = ("heart", "lung", "kidney", "dose", "daily", "fever", "心", "肺", "children", "renal", "tablet", "risk")
CONFIG = MinHashConfig(ngram=3, bands=8, rows=4)


def column(texts: list[str]) -> TextColumn:
    return TextColumn(pl.Series("text", texts, dtype=pl.String))


def shingles(text: str, ngram: int) -> set[int]:
    """Hashes of n-grams of folded words, written out as the compiled loop makes them."""
    folds, _ = word_folds(column([text]))
    found = set()
    for start in range(max(1, len(folds) - ngram + 1)):
        value = 0
        for fold in folds[start : start + ngram].tolist():
            value = ((value ^ fold) * 0x9E3779B97F4A7C15) % 2**64
            value ^= value >> 32
        found.add(value)
    return found


@settings(max_examples=25)
@given(st.lists(st.sampled_from(WORDS), min_size=4, max_size=40).map(" ".join))
def test_datasketch_computes_our_signature(text: str) -> None:
    theirs = minhash_of(shingles(text, CONFIG.ngram), CONFIG.functions)
    assert np.array_equal(signature_of(theirs), signatures(column([text]), CONFIG))


def test_lean_signatures_compare_as_ours_do() -> None:
    texts = [" ".join(WORDS), " ".join((*WORDS[:9], "gout", "ulcer", "toe"))]
    signed = signatures(column(texts), CONFIG)
    assert lean(signed[0]).jaccard(lean(signed[1])) == pytest.approx(jaccard_estimate(signed[:1], signed[1:])[0])


def test_our_index_and_datasketchs_have_the_same_candidates() -> None:
    chance = np.random.default_rng(4)
    bases = [chance.choice(WORDS, 30) for _ in range(20)]
    texts = []
    for base in bases:
        for changes in (0, 1, 3, 8):
            words = base.copy()
            words[chance.integers(0, 30, changes)] = "other"
            texts.append(" ".join(words))
    signed = signatures(column(texts), CONFIG)
    theirs = MinHashLSH(params=(CONFIG.bands, CONFIG.rows), num_perm=CONFIG.functions)
    for number, one in enumerate(signed):
        theirs.insert(number, lean(one))
    ours = build(signed, CONFIG)
    for number, one in enumerate(signed):
        rows, similar = near(ours, one[None], 0.0)
        assert set(rows.tolist()) == set(theirs.query(lean(one)))
        assert rows[similar == 1.0].tolist().count(number) == 1
        assert similar.tolist() == sorted(similar, reverse=True)


def test_a_threshold_gives_bands_and_rows_around_it() -> None:
    shape = shape_for(0.8, 112, 5)
    assert shape.functions <= 112
    half = (1 - 0.5 ** (1 / shape.bands)) ** (1 / shape.rows)
    assert half == pytest.approx(0.8, abs=0.08), "half of the pairs at the threshold become candidates"
    assert MinHash(threshold=0.8).model_dump() == {"ngram": 5, "threshold": 0.8, "functions": 112}
    assert MinHash().model_dump() == {"ngram": 5, "bands": 14, "rows": 8}, "as it was before there were thresholds"
    with pytest.raises(ValidationError, match="either `threshold` or `bands` and `rows`"):
        MinHash(threshold=0.8, bands=10)
