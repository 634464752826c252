"""Tracing steps and documents on a manifest of ten million rows: seconds, because nothing is scanned.

python benchmarks/lineage.py [--rows 10000000]

Writes a synthetic run (curated files with ids, shards in the order of their keys, a manifest) and a
training log of 100,000 steps over it, then times `curate trace` both ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

ROWS_A_PARTITION = 50_000
SHARDS = 64
TOKENS = 16
STAGE = """
name: lineage
model: {family: llama, layers: 1, hidden: 16, heads: 2, kv_heads: 1, ffn: 16}
data: {mixture: pretrain, sequence_length: 128, validation: 0}
batch: {micro: 8, global: 8}
schedule: {steps: 100000}
"""


def write_run(folder: Path, rows: int) -> list[str]:
    """A synthetic finished run; returns some of its ids."""
    from schemas.document import document_columns
    from schemas.manifest import ComponentShards, Counts, Manifest, MixtureShards, Shard, TokenizerEntry, Totals
    from storage.fingerprints import sha256_file
    from storage.json_files import write_json
    from tokenization.shards import (
        GRADES,
        coded,
        in_batches,
        shard_name,
        shard_numbers,
        shard_schema,
        shuffle_keys,
        write_shard,
    )

    ids = np.array([f"{n:032x}" for n in range(rows)])
    (folder / "curated").mkdir(parents=True)
    (folder / "dropped").mkdir()
    (folder / "tokenizer").mkdir()
    columns = document_columns(["characters"])
    empty = pl.DataFrame(schema=columns)
    for part, start in enumerate(range(0, rows, ROWS_A_PARTITION)):
        mine = pl.DataFrame({"id": ids[start : start + ROWS_A_PARTITION]}).with_columns(
            pl.lit("a text").alias("text"), pl.lit("made").alias("source")
        )
        pl.concat([empty, mine], how="diagonal_relaxed").select(list(columns)).write_parquet(
            folder / "curated" / f"{part:05d}.parquet"
        )
    empty.write_parquet(folder / "dropped" / "00000.parquet")
    keys = shuffle_keys(pl.Series(ids), 17)
    numbers = shard_numbers(keys, SHARDS).to_numpy()
    order = np.lexsort((ids, keys.to_numpy()))
    schema = shard_schema("documents")
    shards = []
    for number in range(SHARDS):
        chosen = order[numbers[order] == number]
        count = len(chosen)
        lists = pa.LargeListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int64) * TOKENS), pa.array(np.ones(count * TOKENS, np.int32))
        )
        table = pa.table(
            {
                "doc_id": pa.array(ids[chosen], pa.string()),
                "input_ids": lists,
                "source": coded(pa.array(np.zeros(count, np.int16)), ["made"], pa.int16()),
                "authority": coded(pa.array(np.zeros(count, np.int8)), GRADES, pa.int8()),
                "partition": pa.array((chosen // ROWS_A_PARTITION).astype(np.int32)),
            }
        )
        path = folder / "shards" / "pretrain" / "all" / shard_name(number, SHARDS)
        write_shard(path, in_batches(table), schema)
        shards.append(
            Shard(
                path=path.relative_to(folder).as_posix(),
                rows=count,
                tokens=count * TOKENS,
                bytes=path.stat().st_size,
                sha256=sha256_file(path),
            )
        )
    (folder / "tokenizer" / "tokenizer.json").write_text("{}")
    total = Totals(documents=rows, characters=rows * 6, tokens=rows * TOKENS)
    manifest = Manifest(
        name="lineage", seed=17, recipe_digest="0", code_version="0", licences={}, decontaminated_of=[], files=[],
        tokenizer=TokenizerEntry(file="tokenizer/tokenizer.json", digest=sha256_file(folder / "tokenizer" / "tokenizer.json"), vocabulary=100, end_of_text="e", end_of_text_id=0),
        counts=Counts(read=rows, quarantined=0, dropped={}, curated=rows, total=total, by_source={}, by_type={}, by_language={}, by_authority={}),
        mixtures={"pretrain": MixtureShards(components={"all": ComponentShards(weight=1.0, where="true", documents=rows, tokens=rows * TOKENS, shards=shards)})},
    ).sealed()  # fmt: skip
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return [str(one) for one in ids[:: rows // 5]]


def write_model(folder: Path, run: Path) -> None:
    """What a training of 100,000 steps would have left of its log."""
    from schemas.manifest import load_manifest
    from storage.json_files import write_json
    from trainers.stage import load_stage

    (folder / "stage.yaml").parent.mkdir(parents=True, exist_ok=True)
    (folder / "stage.yaml").write_text(STAGE)
    config = load_stage(folder / "stage.yaml")
    settings = {
        "name": "lineage",
        "stage": config.model_dump(mode="json", by_alias=True),
        "total_steps": 100_000,
        "manifest": str(run),
        "manifest_digest": load_manifest(run).digest,
    }
    write_json(folder / "train.json", settings)
    with (folder / "log.jsonl").open("w") as file:
        for step in range(1, 100_001):
            file.write(
                json.dumps({"step": step, "loss": 2.0, "first_sample": (step - 1) * 8, "batch": 8, "grad_norm": 1.0})
                + "\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run, model = Path(scratch) / "run", Path(scratch) / "model"
        started = time.perf_counter()
        some = write_run(run, arguments.rows)
        write_model(model, run)
        print(f"{arguments.rows:,} rows written in {time.perf_counter() - started:.0f} s")
        trace = [sys.executable, "-m", "curate.cli", "trace"]
        calls = {
            "document to shards": [*trace, str(run), "--document", some[3]],
            "step to documents, first time (indices are built)": [
                *trace,
                "--step",
                "77777",
                "--checkpoint",
                str(model),
            ],
            "step to documents": [*trace, "--step", "55555", "--checkpoint", str(model)],
            "document to steps": [*trace, "--document", some[2], "--checkpoint", str(model)],
        }
        for name, call in calls.items():
            started = time.perf_counter()
            told = subprocess.run(call, check=True, capture_output=True, text=True).stdout
            print(f"{name}: {time.perf_counter() - started:.2f} s, {len(told.splitlines())} lines")


if __name__ == "__main__":
    main()
