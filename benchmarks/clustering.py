"""Grouping and clustering of synthetic band hashes: time and memory, from 1 to 10 million documents.

    python benchmarks/clustering.py --millions 1 3 10 --workers 2

Files are as the `annotate` stage writes them. A tenth of the documents are near duplicates of another,
agreeing in some of their bands; every cluster is known, and what is found is compared with it. What it costs that the
one who stays judges its cluster (signatures compared) is told apart; goal: under 5% of the whole.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dedup.clustering import choose, components, judged_by_the_kept, linked, members
from dedup.editions import parsed

BANDS = 14
ROWS_A_FILE = 250_000
DUPLICATES = 0.1
SHARED_BANDS = 3
SIGNATURE = 112  # bytes
CHANGED = 0.1  # of a copy's signature
COLUMNS = ["id", "exact", "authority", "quality", "edition", "published", "characters", "signature"]


def write_prints(folder: Path, documents: int, seed: int) -> None:
    """Fingerprint files with ids, band hashes and what the choice needs."""
    rng = np.random.default_rng(seed)
    for number, first in enumerate(range(0, documents, ROWS_A_FILE)):
        rows = min(ROWS_A_FILE, documents - first)
        bands = rng.integers(0, 2**64, (rows, BANDS), dtype=np.uint64)
        signatures = rng.integers(0, 256, (rows, SIGNATURE), dtype=np.uint8)
        # A duplicate follows the document before it and agrees with it in three bands.
        copies = np.flatnonzero(rng.random(rows) < DUPLICATES)
        copies = copies[copies > 0]
        for copy in copies:
            bands[copy, (copy + np.arange(SHARED_BANDS)) % BANDS] = bands[
                copy - 1, (copy + np.arange(SHARED_BANDS)) % BANDS
            ]
            signatures[copy] = np.where(
                rng.random(SIGNATURE) < CHANGED, rng.integers(0, 256, SIGNATURE), signatures[copy - 1]
            )
        ids = pl.Series("id", [f"{value:032x}" for value in range(first, first + rows)])
        frame = pl.DataFrame({"id": ids, "copy": pl.Series(np.isin(np.arange(rows), copies))})
        columns = [pl.Series(f"band_{band:03d}", bands[:, band]) for band in range(BANDS)]
        rest = frame.select(
            exact="id",
            authority=pl.lit("C"),
            quality=pl.lit(None, pl.Float64),
            edition=pl.lit(None, pl.String),
            published=pl.lit(None, pl.String),
            characters=pl.lit(1000),
            signature=pl.Series([one.tobytes() for one in signatures]),
        )
        pl.concat([frame, rest, pl.DataFrame(columns)], how="horizontal").write_parquet(
            folder / f"{number:05d}.parquet"
        )


def group_band(folder: Path, band: str, documents: int) -> int:
    """Edges of one band, written beside; returns how many."""

    def frames() -> Iterator[pl.DataFrame]:
        first = 0
        for path in sorted(folder.glob("0*.parquet")):
            keys = pl.read_parquet(path, columns=[band])[band]
            yield pl.DataFrame(
                [pl.Series("row", np.arange(first, first + len(keys), dtype=np.uint32)), keys.alias("key")]
            )
            first += len(keys)

    edges = linked(frames, documents)
    edges.write_parquet(folder / f"edges-{band}.parquet")
    return edges.height


class Peak:
    """Peak resident memory of this process and its children together, in MiB."""

    def __enter__(self) -> Peak:
        self.peak, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            total = 0.0
            for one in processes:
                try:
                    total += one.memory_info().rss / 2**20
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for millions in arguments.millions:
        documents = int(millions * 1e6)
        folder = Path(tempfile.mkdtemp(prefix="curate-clustering-"))
        try:
            write_prints(folder, documents, 17)
            copies = sum(
                int(pl.read_parquet(path, columns=["copy"])["copy"].sum()) for path in folder.glob("0*.parquet")
            )
            with Peak() as memory:
                started = time.perf_counter()
                names = [f"band_{band:03d}" for band in range(BANDS)]
                with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
                    edges = sum(pool.map(group_band, [folder] * BANDS, names, [documents] * BANDS))
                grouped = time.perf_counter() - started
                clusters = members(
                    components(documents, (pl.read_parquet(folder / f"edges-{name}.parquet") for name in names))
                )
                first, parts = 0, []
                for path in sorted(folder.glob("0*.parquet")):
                    frame = pl.read_parquet(path, columns=COLUMNS)
                    rows = pl.Series(np.arange(first, first + frame.height, dtype=np.uint32))
                    frame = frame.with_columns(row=rows, superseded=False, held=False)
                    parts.append(frame.join(clusters, on="row", how="semi"))
                    first += frame.height
                candidates = pl.concat(parts)
                candidates = candidates.hstack(parsed(candidates["edition"]))
                chosen = choose(clusters, candidates)
                judging = time.perf_counter()
                decided = judged_by_the_kept(clusters, candidates, chosen)
                ended = time.perf_counter()
                seconds = ended - started
            dropped = int(decided["dropped_by"].is_not_null().sum())
            print(
                f"{millions:g} million documents, {edges:,} edges: {seconds:.1f} s ({grouped:.1f} s grouping, "
                f"{ended - judging:.2f} s judging: {(ended - judging) / seconds:.1%}), "
                f"peak {memory.peak:,.0f} MiB over all processes; {dropped:,} dropped of {copies:,} planted",
                flush=True,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
