"""Stage 4: train or take the tokenizer, tokenize each partition, gather rows into shards."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.run_folder import RunFolder
from pipelines.stages.read import parquet_frames
from pipelines.steps import text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.errors import CurateError
from schemas.recipe import Mixture
from storage.fingerprints import sha256_file
from storage.json_files import read_json
from storage.publishing import published
from tokenization.chat_template import BUILT_IN, ChatTemplate, built_in
from tokenization.conversations import EncodedConversations, encode_conversations
from tokenization.shards import GRADES, coded, open_shard, shard_name, shard_schema, shuffle_keys, write_shard
from tokenization.tokenizer import TextTokenizer, load_tokenizer, train_tokenizer

STAGE: Final = "tokens"
TOKENIZER_STAGE: Final = "tokenizer"
SHARD_STAGE: Final = "shards"
TOKENIZER_FILE: Final = "tokenizer/tokenizer.json"
TEMPLATE_FILE: Final = "tokenizer/chat_template.jinja"
MAX_REPEATS: Final = 100.0
REPEAT_SEED: Final = 0x7265706561  # apart from the seed of the shards' order
GIVEN_TEMPLATE: Final = "tokenizer/given_template.json"  # the recipe's own, checked when the run is made
GIVEN_TOKENIZER: Final = "tokenizer/given.json"  # the recipe's own file, copied when the run is made


def prepare_tokenizer(run: RunFolder, task: str) -> dict[str, Any]:
    """Train on the curated corpus, or copy the recipe's file, into `tokenizer/`."""
    target = run.path / TOKENIZER_FILE
    wanted = run.recipe.tokenizer
    if wanted.file:
        source = run.path / GIVEN_TOKENIZER
        load_tokenizer(source)
        with published(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        assert wanted.train is not None
        tokenizer = train_tokenizer(_training_texts(run, wanted.train.max_characters), wanted.train.vocab_size)
        with published(target) as temporary:
            tokenizer.save(str(temporary), pretty=False)
    loaded = load_tokenizer(target)
    return {"vocabulary": loaded.vocabulary, "digest": sha256_file(target)}


def _training_texts(run: RunFolder, max_characters: int) -> Iterator[list[str]]:
    """Curated texts; above `max_characters` an even sample of documents by their hash."""
    paths = sorted((run.path / "curated").glob("*.parquet"))
    total = sum(int(frame["text"].str.len_chars().sum()) for path in paths for frame in parquet_frames(path, ["text"]))
    if not total:
        raise CurateError("no document was kept, so there is nothing to train a tokenizer on; see report.html")
    share = min(1.0, max_characters / total)
    limit = np.uint64(min(int(share * 2**64), 2**64 - 1))
    for path in paths:
        for frame in parquet_frames(path, ["id", "text"]):
            chosen = frame.filter(shuffle_keys(frame["id"], run.recipe.seed) <= limit)
            yield chosen["text"].to_list()


@lru_cache(maxsize=1)
def _tokenizer(path: Path, modified: int) -> TextTokenizer:
    return load_tokenizer(path)


def run_tokenizer(run: RunFolder) -> TextTokenizer:
    """The run's tokenizer, loaded once a process."""
    path = run.path / TOKENIZER_FILE
    return _tokenizer(path, path.stat().st_mtime_ns)


def chat_template(run: RunFolder) -> ChatTemplate | None:
    """The run's chat template; None where no source holds conversations."""
    if not any(source.conversation for source in run.recipe.sources):
        return None
    wanted = run.recipe.conversations.template
    if wanted in BUILT_IN:
        return built_in(wanted, run_tokenizer(run))
    name, source, values = read_json(run.path / GIVEN_TEMPLATE)
    return ChatTemplate(name, source, values)


def member_column(mixture: str, component: str) -> str:
    """Name of the column that says whether a row belongs to a component."""
    return f"in:{mixture}/{component}"


def members(frame: pl.DataFrame, mixtures: dict[str, Mixture], seed: int = 0) -> pl.DataFrame:
    """One column of counts a component: how often each document comes, by its SQL conditions.

    A fractional `repeat` is rounded up for as many documents as the fraction says, by the hash of the id.
    """
    context = pl.SQLContext(documents=frame.with_row_index("_row"), eager=True)
    chance = (
        shuffle_keys(frame["id"], seed ^ REPEAT_SEED).cast(pl.Float64) / 2.0**64
        if frame.height
        else pl.Series([], dtype=pl.Float64)
    )
    columns = []
    for mixture_name, mixture in mixtures.items():
        for component in mixture.components:
            name = member_column(mixture_name, component.name)
            query = (
                f"SELECT ({component.where}) AS member, ({component.repeat or 1}) AS times FROM documents ORDER BY _row"
            )
            found = context.execute(query)
            times = found["times"].cast(pl.Float64).fill_null(0.0).clip(0.0, MAX_REPEATS)
            count = times.floor() + (chance < times - times.floor()).cast(pl.Float64)
            member = found["member"].cast(pl.Boolean).fill_null(False)
            columns.append((count * member.cast(pl.Float64)).cast(pl.Int32).alias(name))
    return pl.DataFrame(columns)


def tokenize_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Token ids of one partition with their order key and memberships, sorted by the key."""
    template = chat_template(run)
    tables: list[pa.Table] = []
    tokens_of: list[pl.DataFrame] = []
    watch = Stopwatch()
    talks = Counter({"conversations": 0, "learned_tokens": 0, "cut": 0, "left_out": 0})
    for frame in parquet_frames(run.path / "curated" / f"{task}.parquet"):
        with watch.of("tokenize", text_bytes(frame["text"])):
            ids, turns = _encoded(frame, run, template, talks)
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        columns: dict[str, Any] = {
            "key": shuffle_keys(frame["id"], run.recipe.seed).to_arrow(),
            "doc_id": frame["id"].to_arrow().cast(pa.string()),
            **_codes(frame, run, int(task)),
        }
        for series in _places(frame, lengths, run).iter_columns():
            columns[series.name] = series.to_arrow()
        tables.append(pa.table({**columns, "input_ids": _lists(ids, np.int32), "turns": _lists(turns, np.int16)}))
        tokens_of.append(pl.DataFrame({"id": frame["id"], "tokens": lengths}))
    with published(run.stage_file(STAGE, f"{task}.counts.parquet")) as temporary:
        pl.concat([pl.DataFrame(schema={"id": pl.String, "tokens": pl.Int64}), *tokens_of]).write_parquet(temporary)
    documents = tokens = 0
    with published(run.stage_file(STAGE, f"{task}.arrow")) as temporary:
        table = pa.concat_tables(tables) if tables else pa.table({"key": pa.array([], pa.uint64())})
        table = table.take(pc.sort_indices(table, [("key", "ascending")])).combine_chunks()
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        documents = table.num_rows
        tokens = sum(int(frame["tokens"].sum()) for frame in tokens_of)
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded())
    return {"documents": documents, "tokens": tokens, **talks}


def _encoded(
    frame: pl.DataFrame, run: RunFolder, template: ChatTemplate | None, talks: Counter[str]
) -> tuple[list[Any], list[Any]]:
    """Token ids of every row, and the answers they belong to where a row is a conversation."""
    tokenizer = run_tokenizer(run)
    is_talk = frame["conversation"].is_not_null()
    ids: list[Any] = [[]] * frame.height
    turns: list[Any] = [[]] * frame.height
    documents = (~is_talk).arg_true().to_list()
    for row, document in zip(
        documents, tokenizer.encode_documents(frame["text"].gather(documents).to_list()), strict=True
    ):
        ids[row] = document
    if template is not None and is_talk.any():
        wanted = run.recipe.conversations
        rows = is_talk.arg_true().to_list()
        told: EncodedConversations = encode_conversations(
            frame.filter(is_talk), tokenizer, template, wanted.max_tokens, cut=wanted.too_long == "cut"
        )
        for row, one, answers in zip(rows, told.ids, told.turns, strict=True):
            ids[row], turns[row] = one, answers
        talks.update(told.counts)
    return ids, turns


def _places(frame: pl.DataFrame, lengths: npt.NDArray[np.int64], run: RunFolder) -> pl.DataFrame:
    """How often each row comes in each component.

    Conversations that fit in no way have no tokens, and no place anywhere; mixtures of conversations
    take nothing else.
    """
    talks = {
        member_column(name, component.name)
        for name, mixture in run.recipe.mixtures.items()
        if mixture.kind == "conversations"
        for component in mixture.components
    }
    has_tokens = pl.Series(lengths > 0).cast(pl.Int32)
    is_talk = frame["conversation"].is_not_null().cast(pl.Int32)
    found = members(frame, run.recipe.mixtures, run.recipe.seed)
    return found.select(
        (series * has_tokens * (is_talk if series.name in talks else 1)).alias(series.name)
        for series in found.iter_columns()
    )


def _lists(rows: list[Any], kind: Any) -> pa.LargeListArray:
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    values = np.concatenate([np.asarray(one, dtype=kind) for one in rows]) if rows else np.zeros(0, kind)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def _codes(frame: pl.DataFrame, run: RunFolder, partition: int) -> dict[str, pa.Array]:
    """What shards tell of a document beside its tokens, as numbers."""
    sources = {source.name: number for number, source in enumerate(run.recipe.sources)}
    grades = {grade: number for number, grade in enumerate(GRADES)}
    return {
        "source": frame["source"].replace_strict(sources, return_dtype=pl.Int16).to_arrow(),
        "authority": frame["authority"].fill_null(GRADES[-1]).replace_strict(grades, return_dtype=pl.Int8).to_arrow(),
        "partition": pa.array(np.full(frame.height, partition, np.int32)),
    }


def shard_tasks(run: RunFolder) -> list[str]:
    """One task a shard: `mixture/component/number`."""
    return [
        f"{name}/{component.name}/{number:05d}"
        for name, mixture in run.recipe.mixtures.items()
        for component in mixture.components
        for number in range(mixture.shards)
    ]


def shard_path(run: RunFolder, task: str) -> Path:
    """Where the shard of a task lies in the run."""
    mixture, component, number = task.split("/")
    return run.path / "shards" / mixture / component / shard_name(int(number), run.recipe.mixtures[mixture].shards)


def write_shard_rows(run: RunFolder, task: str) -> dict[str, Any]:
    """Gather the rows of one shard from all partitions, in the order of their keys."""
    mixture, component, number = task.split("/")
    shards = run.recipe.mixtures[mixture].shards
    low, high = _key_range(int(number), shards)
    member = member_column(mixture, component)
    schema = shard_schema(run.recipe.mixtures[mixture].kind == "conversations")
    parts = []
    for partition in range(len(run.plan.partitions)):
        table = open_shard(run.stage_file(STAGE, f"{partition:05d}.arrow"))
        if not table.num_rows:
            continue
        keys = table.column("key").combine_chunks().to_numpy()
        start, stop = np.searchsorted(keys, [low, high])
        rows = table.slice(start, stop - start)
        times = rows.column(member).to_numpy()
        parts.append(rows.take(np.repeat(np.arange(len(times)), times)).select(["key", *schema.names]))
    rows = _in_order(parts, schema, [source.name for source in run.recipe.sources])
    path = shard_path(run, task)
    write_shard(path, rows, schema)
    return {
        "rows": rows.num_rows,
        "tokens": sum(len(chunk.flatten()) for chunk in rows.column("input_ids").chunks),
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
    }


def _in_order(parts: list[pa.Table], schema: pa.Schema, sources: list[str]) -> pa.Table:
    """The rows of a shard by key and id, with names for the numbers of source and grade."""
    if not parts:
        return schema.empty_table()
    table = pa.concat_tables(parts)
    table = table.take(pc.sort_indices(table, [("key", "ascending"), ("doc_id", "ascending")]))
    for name, names, kind in (("source", sources, pa.int16()), ("authority", GRADES, pa.int8())):
        table = table.set_column(table.schema.get_field_index(name), name, coded(table.column(name), names, kind))
    return table.select(schema.names)


def _key_range(number: int, shards: int) -> tuple[np.uint64, np.uint64]:
    """Keys from (inclusive) and to (exclusive) of a shard; the same cut as `shard_numbers`."""
    low = -((-number << 32) // shards)
    high = -((-(number + 1) << 32) // shards)
    return np.uint64(low << 32), np.uint64(min(high << 32, 2**64 - 1))
