"""Clusters by parts equal clusters at once, whatever the order; the best of each stays; lines that repeat go."""

from __future__ import annotations

import networkx
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup.clustering as clustering
from dedup.clustering import choose, components, linked, members, star_edges
from dedup.editions import ordered, parsed
from dedup.paragraphs import repeated_lines, without_repeated


def test_stars_lead_to_the_smallest_row() -> None:
    keyed = pl.DataFrame(
        {"row": [7, 2, 5, 9, 1], "key": [1, 1, 2, 2, None]}, schema={"row": pl.UInt32, "key": pl.UInt64}
    )
    assert star_edges(keyed).rows() == [(2, 7), (5, 9)]
    assert star_edges(keyed.head(0)).is_empty()


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 9))
def test_parts_give_the_same_edges(keys: list[int], part: int) -> None:
    frame = pl.DataFrame({"row": range(len(keys)), "key": keys}, schema={"row": pl.UInt32, "key": pl.UInt64})
    frames = [frame[at : at + 7] for at in range(0, len(keys), 7)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "ROWS_A_PART", part)
        assert linked(lambda: iter(frames), len(keys)).equals(star_edges(frame))


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=40), st.randoms())
def test_components_are_networkxs(pairs: list[tuple[int, int]], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    frames = [
        pl.DataFrame(shuffled[at : at + 5], schema=clustering.EDGES, orient="row") for at in range(0, len(shuffled), 5)
    ]
    roots = components(26, frames)
    graph = networkx.Graph(pairs)
    graph.add_nodes_from(range(26))
    for found in networkx.connected_components(graph):
        assert {int(roots[node]) for node in found} == {min(found)}
    assert set(members(roots)["row"]) == {
        node for group in networkx.connected_components(graph) if len(group) > 1 for node in group
    }


def candidates(**columns: list[object]) -> pl.DataFrame:
    size = len(columns["id"])
    plain = {"exact": ["x"] * size, "superseded": [False] * size, "authority": ["B"] * size, "quality": [None] * size}
    plain |= {"edition": [None] * size, "published": [None] * size, "characters": [10] * size, "row": list(range(size))}
    plain |= {"held": [False] * size}
    schema = {"quality": pl.Float64, "edition": pl.String, "published": pl.String, "row": pl.UInt32}
    frame = pl.DataFrame({**plain, **columns}, schema_overrides=schema)
    return frame.hstack(parsed(frame["edition"]))


def test_the_best_of_a_cluster_stays() -> None:
    known = candidates(
        id=["a", "b", "c", "d"], exact=["x", "y", "y", "z"], authority=["B", "A", "A", "A"],
        edition=["2024", "2019", "2024", "2024"], characters=[10, 90, 20, 30],
    )  # fmt: skip
    clusters = pl.DataFrame({"row": [0, 1, 2, 3], "root": [0] * 4}, schema={"row": pl.UInt32, "root": pl.UInt32})
    decided = choose(clusters, known)
    assert decided.filter(pl.col("dropped_by").is_null())["id"].to_list() == ["d"]
    assert decided.equals(choose(clusters.reverse(), known.reverse()))
    assert set(decided["kept"]) == {"d"}
    old = known.with_columns(superseded=pl.col("id") == "d")
    assert set(choose(clusters, old)["kept"]) == {"c"}


def test_older_editions_are_superseded() -> None:
    rows = candidates(id=["a", "b", "c", "d"], edition=["1", "2", None, "1"]).with_columns(
        series=pl.Series(["s", "s", "s", "t"])
    )
    assert ordered(rows).old["row"].to_list() == [0]


def test_what_comes_again_unchanged_replaces_nothing() -> None:
    known = candidates(id=["b", "a"], exact=["x", "x"], held=[True, False])
    clusters = pl.DataFrame({"row": [0, 1], "root": [0, 0]}, schema={"row": pl.UInt32, "root": pl.UInt32})
    assert set(choose(clusters, known)["kept"]) == {"b"}


def test_in_a_cluster_of_two_schemes_the_date_decides() -> None:
    known = candidates(id=["a", "b"], edition=["3", "2019"], published=["2023", "2019"], exact=["x", "y"])
    clusters = pl.DataFrame({"row": [0, 1], "root": [0, 0]}, schema={"row": pl.UInt32, "root": pl.UInt32})
    assert set(choose(clusters, known)["kept"]) == {"a"}


def test_repeated_lines_go_from_all_but_the_first_document() -> None:
    footer = "This journal is published under a Creative Commons licence and reserves no rights."
    texts = [f"Own text number {number} about the heart.\n{footer}\nno known allergies" for number in range(4)]
    from textcolumns.columns import TextColumn

    column = TextColumn(pl.Series(texts))
    owner = np.repeat(np.arange(4), 3)
    lines = pl.DataFrame({"row": owner, "line": column.lines.hashes}, schema={"row": pl.UInt32, "line": pl.UInt64})
    repeated = repeated_lines(lines, 3)
    assert repeated["documents"].to_list() == [4, 4]
    cleaned, removed = without_repeated(
        pl.Series(texts), column, np.arange(4, dtype=np.uint32), repeated, (np.zeros(4, bool), 40, 30)
    )
    assert removed.tolist() == [0, 1, 1, 1]
    assert footer in cleaned[0]
    assert footer not in cleaned[1]
    assert all("no known allergies" in text for text in cleaned)  # shorter than the floor


SIGNATURES = st.lists(st.integers(0, 3), min_size=8, max_size=8).map(lambda told: bytes(told))


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.one_of(st.none(), SIGNATURES), st.sampled_from([None, ["a"], ["b"]])),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(0, 11), max_size=12),
    st.booleans(),
)
def test_clusters_that_are_in_no_doubt_are_decided_as_if_they_were(
    rows: list[tuple[str, bytes | None, list[str] | None]], joined: list[int], with_facts: bool
) -> None:
    edges = pl.DataFrame([(0, at) for at in joined if 0 < at < len(rows)], schema=clustering.EDGES, orient="row")
    found = members(components(len(rows), [edges]))
    told = candidates(
        id=[f"{number:02d}" for number in range(len(rows))],
        exact=[row[0] for row in rows],
        signature=pl.Series([row[1] for row in rows], dtype=pl.Binary).to_list(),
    ).with_columns(pl.col("signature").cast(pl.Binary))
    if with_facts:
        told = told.with_columns(facts=pl.Series([row[2] for row in rows], dtype=pl.List(pl.String)))
    chosen = choose(found, told)
    quick = clustering.judged_by_the_kept(found, told, chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "_roots_in_doubt", lambda ranked: ranked.select("root").unique())
        assert quick.equals(clustering.judged_by_the_kept(found, told, chosen))
