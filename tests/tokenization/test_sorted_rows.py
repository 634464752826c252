"""Sorting and merging as streams gives what sorting at once gives, wherever memory ends."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import CurateError
from storage.columnar import open_arrow, write_arrow
from storage.places import place
from tokenization import sorted_rows
from tokenization.shards import in_batches, write_shard
from tokenization.sorted_rows import KEYS, SortedRows, cuts, merge_into, merged, write_sorted

EMPTY = pa.schema({"key": pa.uint64()})
LAST = KEYS - 1
row = st.tuples(
    st.sampled_from([0, 1, 2, 2**32, 2**63, LAST - 1, LAST]) | st.integers(0, LAST),
    st.integers(0, 5),
    st.integers(0, 3),
)
rows = st.lists(row, max_size=30)


def table_of(listed: list[tuple[int, int, int]]) -> pa.Table:
    """Rows of key, number of tokens and times; the id tells the key, since a key is its digest."""
    return pa.table(
        {
            "key": pa.array([key for key, _, _ in listed], pa.uint64()),
            "doc_id": pa.array([f"{key:020d}" for key, _, _ in listed], pa.string()),
            "tokens": pa.array([tokens for _, tokens, _ in listed], pa.int64()),
            "times": pa.array([times for _, _, times in listed], pa.int32()),
            "input_ids": pa.array([[7] * tokens for _, tokens, _ in listed], pa.large_list(pa.int32())),
        }
    )


def distinct(listed: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return list({one[0]: one for one in listed}.values())


def sorted_at_once(table: pa.Table) -> list[dict[str, object]]:
    return list(table.take(pc.sort_indices(table, [("key", "ascending")])).to_pylist())


@settings(max_examples=25)  # each writes files
@given(listed=rows.map(distinct), pieces=st.integers(1, 5), most=st.integers(1, 40))
def test_runs_that_were_spilled_are_sorted_like_rows_in_memory(
    tmp_path_factory: pytest.TempPathFactory, listed: list[tuple[int, int, int]], pieces: int, most: int
) -> None:
    folder = tmp_path_factory.mktemp("sorted")
    whole = table_of(listed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_rows, "SORTED_TOKENS", most)
        patch.setattr(sorted_rows, "ROWS_A_BATCH", 4)
        patch.setattr(sorted_rows, "ROWS_A_WINDOW", 8)
        parts = [whole.slice(at, pieces) for at in range(0, whole.num_rows, pieces)]
        write_sorted(folder / "rows.arrow", iter(parts), EMPTY)
    found = open_arrow(folder / "rows.arrow")
    assert found.to_pylist() == sorted_at_once(whole)
    assert [path.name for path in folder.iterdir()] == ["rows.arrow"]


@settings(max_examples=25)
@given(
    files=st.lists(rows, min_size=1, max_size=4),
    bounds=st.tuples(st.integers(0, KEYS), st.integers(0, KEYS)).map(lambda two: (min(two), max(two))),
    limits=st.tuples(st.integers(1, 6), st.integers(1, 12)),
)
def test_a_range_of_keys_is_gathered_from_files_in_batches_of_bounded_size(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[tuple[int, int, int]]],
    bounds: tuple[int, int],
    limits: tuple[int, int],
) -> None:
    folder = tmp_path_factory.mktemp("merged")
    kept = distinct([one for listed in files for one in listed])
    tables = [table_of(kept[number :: len(files)]) for number in range(len(files))]
    low, high = bounds
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setattr(sorted_rows, "ROWS_A_BATCH", 3)
        patch.setattr(sorted_rows, "ROWS_A_WINDOW", 5)
        paths = [folder / f"{number}.arrow" for number in range(len(files))]
        for path, table in zip(paths, tables, strict=True):
            write_sorted(path, iter([table]), EMPTY)
        sources = [opened.enter_context(SortedRows(path, "times")) for path in paths]
        batches = list(merged(sources, *limits, low, high))
    wanted = [one for one in sorted_at_once(table_of(kept)) for _ in range(int(str(one["times"])))]
    wanted = [one for one in wanted if low <= int(str(one["key"])) < high]
    assert [one for batch in batches for one in batch.to_pylist()] == wanted
    if wanted:
        counts = np.array([one["tokens"] for one in wanted], np.int64)
        assert [batch.num_rows for batch in batches] == [stop - start for start, stop in cuts(counts, *limits)]


def test_batches_end_at_rows_or_tokens_and_a_long_row_stands_alone() -> None:
    assert list(cuts(np.array([1, 1, 9, 1, 1, 1]), 2, 3)) == [(0, 2), (2, 3), (3, 5), (5, 6)]
    assert list(cuts(np.array([], np.int64), 2, 3)) == []
    assert [one.num_rows for one in in_batches(table_of([(n, 1, 1) for n in range(5000)]))] == [4096, 904]


def test_files_without_rows_and_places_of_a_store_are_merged_too() -> None:
    folder = place("memory://sorted")
    write_sorted(folder / "none.arrow", iter(()), EMPTY)
    write_sorted(folder / "some.arrow", iter([table_of([(5, 1, 1), (3, 2, 1)])]), EMPTY)
    assert merge_into(folder / "both.arrow", [folder / "none.arrow", folder / "some.arrow"]) == 2
    assert open_arrow(folder / "both.arrow").column("key").to_pylist() == [3, 5]
    assert merge_into(folder / "nothing.arrow", [folder / "none.arrow"]) == 0
    assert open_arrow(folder / "nothing.arrow").schema == EMPTY


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    write_sorted(tmp_path / "rows.arrow", iter([table_of([(5, 2, 1)])]), EMPTY)
    (tmp_path / "rows.arrow").write_bytes((tmp_path / "rows.arrow").read_bytes()[:100])
    with pytest.raises(CurateError, match=r"rows\.arrow cannot be read: .*run the same command again"):
        merge_into(tmp_path / "both.arrow", [tmp_path / "rows.arrow"])


def test_a_failed_sort_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_rows, "SORTED_TOKENS", 1)

    def torn() -> object:
        yield table_of([(5, 2, 1)])
        yield table_of([(4, 2, 1)])
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_sorted(tmp_path / "rows.arrow", torn(), EMPTY)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_shard_out_of_a_stream_has_the_bytes_of_one_cut_out_of_a_table(tmp_path: Path) -> None:
    table = pa.table({"input_ids": pa.array([[n] * (n % 4 + 1) for n in range(9000)], pa.large_list(pa.int32()))})
    write_arrow(tmp_path / "cut.arrow", iter(table.to_batches(max_chunksize=4096)), table.schema)
    own = (one.take(list(range(one.num_rows))).combine_chunks() for one in in_batches(table))
    write_shard(tmp_path / "streamed.arrow", own, table.schema)
    assert (tmp_path / "streamed.arrow").read_bytes() == (tmp_path / "cut.arrow").read_bytes()
