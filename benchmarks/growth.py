"""Ten times the input should cost at most eleven times the time: each place that once grew faster, small and ten times as large.

    python benchmarks/growth.py

One JSON line each: what, seconds of both sizes (the best of five, in turns), their ratio. Then the time of a
query of `curate similar` over 100,000 documents, after the index is built.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import torch

from dedup.decontamination import cut_spans
from dedup.lsh_index import build, near
from dedup.minhash import MinHashConfig, signatures
from dedup.paragraphs import LINES
from pipelines import plan as planned
from pipelines import tasks
from pipelines.execute import execute
from pipelines.finish import finish
from pipelines.plan import Plan
from pipelines.run_folder import RunFolder, unwritten
from pipelines.stage import STAGES
from pipelines.stages import merge, paragraphs, shards
from schemas.conversation import Conversation, Turn
from schemas.recipe import Recipe
from sources.inputs import InputFile
from storage.columnar import write_arrow, write_parquet
from textcolumns.columns import TextColumn
from tokenization.chat_template import built_in
from tokenization.conversations import encode_conversations
from tokenization.shards import shard_schema, shuffle_keys
from tokenization.tokenizer import END_OF_TEXT, TextTokenizer
from tokenization.training import train_tokenizer
from trainers.model.bounds import bounds_of, remember_bounds

FINISHED = """
name: finished
sources: [{{name: docs, files: "docs/*.txt", source_type: textbook}}]
steps: [normalise]
dedup: {{exact: true, paragraphs: {{min_documents: 3}}}}
decontaminate: {{benchmarks: [{{name: exam, files: exam.jsonl}}]}}
tokenizer: {{train: {{vocab_size: 300}}}}
mixtures: {{pretrain: {{components: [{{name: all}}], shards: {shards}}}}}
"""
GOAL = 11.0
TIMES = 10


ROUNDS = 5


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def told(name: str, make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Time both sizes; what `make` prepares is not timed."""
    works = [make(count) for count in (size, TIMES * size)]
    rounds = [[seconds_of(work) for work in works] for _ in range(ROUNDS)]  # in turns: other load meets both
    small, large = map(min, zip(*rounds, strict=True))
    print(
        json.dumps(
            {
                "what": name,
                "small": round(small, 4),
                "large": round(large, 4),
                "ratio": round(large / small, 2),
                "goal": GOAL,
            }
        ),
        flush=True,
    )


def spans(count: int) -> Callable[[], object]:
    text = "A sentence about the heart and its valves. " * count
    found = [(start, start + 20) for start in range(0, len(text) - 30, 215)]
    return lambda: cut_spans(text, found)


def packed_bounds(rows: int) -> Callable[[], object]:
    """Bounds of packed sequences, asked for by as many layers: found once a micro-batch, whatever the layers."""
    packs = torch.arange(64).repeat_interleave(16).repeat(rows, 1)

    def work() -> None:
        remember_bounds(packs, packs)
        for _ in range(32):
            bounds_of(packs)

    return work


def conversations(count: int) -> Callable[[], object]:
    trained = train_tokenizer(iter([["the heart has four valves and each opens one way " * 50]]), 400)
    tokenizer = TextTokenizer(trained, END_OF_TEXT, trained.token_to_id(END_OF_TEXT))
    talk = Conversation(
        turns=(Turn(role="user", content="What is a valve?"), Turn(role="assistant", content="It opens one way."))
    )
    frame = pl.DataFrame({"text": [talk.text()] * count, "conversation": [talk.beside()] * count})
    return lambda: encode_conversations(frame, tokenizer, built_in("chatml", tokenizer), 256, cut=True)


def a_run(folder: Path, partitions: int, shard_count: int) -> RunFolder:
    """A run of so many partitions that exists as far as the two stages look."""
    recipe = Recipe.model_validate(
        {
            "name": "growth",
            "sources": [{"name": "s", "files": "*", "source_type": "web"}],
            "dedup": {"paragraphs": {"min_documents": 3}},
            "mixtures": {"pretrain": {"components": [{"name": "all"}], "shards": shard_count}},
        }
    )
    plan = Plan(tuple((InputFile("s", f"{n}", f"{n}", 1),) for n in range(partitions)), ())
    run = unwritten(recipe, plan, {})
    object.__setattr__(run, "path", folder)
    run.__dict__["identity"] = str(folder)
    return run


def repeated_lines(partitions: int) -> Callable[[], object]:
    folder = Path(tempfile.mkdtemp())
    run = a_run(folder, partitions, 1)
    chance = np.random.default_rng(1)
    for number in range(partitions):
        lines = pl.DataFrame(
            {
                "row": chance.integers(0, 50, 2000).astype(np.uint32),
                "line": chance.integers(0, 2**63, 2000).astype(np.uint64),
            },
            schema=LINES,
        )
        write_parquet(run.stage_file("annotate", f"{number:05d}.lines.parquet"), lines.sort("line"), row_group_size=500)
        write_parquet(
            run.stage_file("annotate", f"{number:05d}.prints.parquet"),
            pl.DataFrame({"id": [str(n) for n in range(50)]}),
        )
    for name in ("decisions.parquet", "replaced.parquet"):
        write_parquet(run.stage_file("cluster", name), pl.DataFrame(schema={"row": pl.UInt32, "dropped_by": pl.String}))

    def work() -> None:
        paragraphs._repeated.cache_clear()
        for level in paragraphs.levels(run):
            for task in level:
                paragraphs.find_repeated(run, task)
        for _ in range(partitions):  # as each partition's task asks
            paragraphs.all_repeated(run)

    return work


def shuffled_shards(partitions: int) -> Callable[[], object]:
    folder = Path(tempfile.mkdtemp())
    run = a_run(folder, partitions, max(1, partitions // 8))
    for number in range(partitions):
        ids = pl.Series([f"{number:016x}{row:016x}" for row in range(40)])
        keys = shuffle_keys(ids, 17)
        order = keys.arg_sort()
        table = pa.table(
            {
                "key": keys.gather(order).to_arrow(),
                "doc_id": ids.gather(order).to_arrow().cast(pa.string()),
                "tokens": pa.array([60] * 40, pa.int64()),
                "source": pa.array([0] * 40, pa.int16()),
                "authority": pa.array([0] * 40, pa.int8()),
                "partition": pa.array([number] * 40, pa.int32()),
                "in:pretrain/all": pa.array([1] * 40, pa.int32()),
                "input_ids": pa.array([list(range(60))] * 40, pa.large_list(pa.int32())),
            }
        )
        write_arrow(run.stage_file("tokens", f"{number:05d}.arrow"), iter([table]), table.schema)
    assert shard_schema("documents")

    def work() -> None:
        for level in merge.levels(run):
            for task in level:
                merge.join_files(run, task)
        for task in shards.shard_tasks(run):
            shards.write_shard_rows(run, task)

    return work


def finished(partitions: int) -> Callable[[], object]:
    """The manifest of a run whose tasks are done: every marker is read, every file counted."""
    folder = Path(tempfile.mkdtemp())
    (folder / "docs").mkdir()
    for number in range(partitions):
        (folder / "docs" / f"{number:05d}.txt").write_text(f"Sentence {number} on the heart and its valves. " * 3)
    (folder / "exam.jsonl").write_text('{"question": "Which valve lies left?", "options": {"A": "mitral"}}\n')
    (folder / "recipe.yaml").write_text(FINISHED.format(shards=max(1, partitions // 8)))
    with mock.patch.object(planned, "PARTITION_BYTES", 1):
        execute(folder / "recipe.yaml", folder, folder / "run", engine="serial")

    def work() -> None:
        tasks._DONE.clear()  # as in a process of its own
        finish(RunFolder(folder / "run"))

    return work


def similar(documents: int) -> None:
    """A query over so many documents, the index being there."""
    chance = np.random.default_rng(2)
    words = np.array([f"word{number}" for number in range(5000)])
    texts = [" ".join(row) for row in words[chance.integers(0, 5000, (documents, 40))]]
    config = MinHashConfig()
    started = time.perf_counter()
    index = build(signatures(TextColumn(pl.Series(texts)), config), config)
    built = time.perf_counter() - started
    query = signatures(TextColumn(pl.Series([texts[7]])), config)
    seconds = min(seconds_of(lambda: near(index, query, 0.0)) for _ in range(ROUNDS))
    print(
        json.dumps(
            {
                "what": f"near documents of {documents:,}",
                "build_seconds": round(built, 2),
                "query_seconds": round(seconds, 5),
                "goal": 1.0,
            }
        )
    )


def main() -> None:
    STAGES.names()
    cases: list[tuple[str, Any, int]] = [
        ("spans cut out of one text", spans, 20_000),
        ("bounds of packed sequences, over 32 layers", packed_bounds, 100),
        ("conversations by a chat template", conversations, 300),
        ("repeated lines over partitions", repeated_lines, 100),
        ("shards over partitions, both ten times as many", shuffled_shards, 100),
        ("the manifest over partitions and shards", finished, 40),
    ]
    for name, make, size in cases:
        told(name, make, size)
    similar(100_000)


if __name__ == "__main__":
    main()
