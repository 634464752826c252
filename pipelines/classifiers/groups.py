"""Texts that are equal or nearly so, as one group: what is learned and what is measured share none of them."""

from __future__ import annotations

import numpy as np
import polars as pl

from dedup.clustering import components, star_edges
from dedup.exact import exact_hashes
from dedup.minhash import MinHashConfig, band_hashes, signatures
from textcolumns.columns import TextColumn


def text_groups(texts: pl.Series) -> pl.Series:
    """A text that stands for each row's group of equal and near texts, shape (rows,): the smallest of them.

    Near is what a band of MinHash says (14 bands of 8 over 5 words). Of a text alone it is the text itself, and
    neither order nor repetition of the rows changes it.
    """
    column = TextColumn(texts)
    hashes = band_hashes(signatures(column))
    rows = np.arange(texts.len(), dtype=np.uint32)
    shape = MinHashConfig()
    wordless = band_hashes(np.full((1, shape.functions), 0xFFFFFFFF, np.uint32))[0]
    keys = [exact_hashes(column), *(pl.Series(hashes[:, band]) for band in range(hashes.shape[1]))]
    edges = []
    for number, key in enumerate(keys):
        known = pl.DataFrame({"row": rows, "key": key})
        if number:  # texts of no word are alike in every band, and near to none
            known = known.filter(pl.col("key") != int(wordless[number - 1]))
        edges.append(star_edges(known))
    roots = components(texts.len(), edges)
    return pl.DataFrame({"root": roots, "text": texts}).select(pl.col("text").min().over("root"))["text"]


def shared_with(texts: pl.Series, others: pl.Series) -> pl.Series:
    """Which texts are equal or near to one of the others, shape (rows,)."""
    groups = text_groups(pl.concat([texts, others]))
    return groups.head(texts.len()).is_in(groups.tail(others.len()).unique().to_list())
