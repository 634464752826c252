"""Tokenize each partition of the corpus; rows lie in the order of their keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, partitions, stage
from pipelines.stages.curate import STAGE as CURATE
from pipelines.stages.tokenizer import STAGE as TOKENIZER
from pipelines.stages.tokenizer import chat_template, holds_conversations, run_tokenizer
from pipelines.steps import text_bytes
from pipelines.stopwatch import Stopwatch
from schemas.conversation import turns_in
from schemas.manifest import LEFT_OUT
from schemas.prompt import PROMPT_START
from storage.columnar import parquet_frames, write_parquet
from storage.places import Place
from tokenization.chat_template import ChatTemplate, prompt_ids
from tokenization.conversations import EncodedConversations, encode_conversations
from tokenization.mixtures import member_column, members
from tokenization.preferences import encode_pairs, pairs_of
from tokenization.shards import GRADES, lists_of, shuffle_keys
from tokenization.sorted_rows import cuts, write_sorted

STAGE: Final = "tokens"
LEFT_OUT_COLUMNS: Final = pl.Schema({name: pl.String() for name in ("id", "source", "uri", "title", "why")})
BYTES_A_PIECE: Final = 8 << 20
NO_ROWS: Final = pa.schema({"key": pa.uint64()})
COUNTED_BY: Final = ("source", "source_type", "language", "authority", "licence")
COUNTED: Final = {
    "id": pl.String(),
    **{name: pl.String() for name in COUNTED_BY},
    "characters": pl.Int64(),
    "tokens": pl.Int64(),
}


def _writes(run: RunFolder, task: str) -> list[Place]:
    left_out = [_left_out_path(run, task)] if holds_conversations(run) else []
    return [run.stage_file(STAGE, f"{task}.arrow"), run.stage_file(STAGE, f"{task}.counts.parquet"), *left_out]


def _left_out_path(run: RunFolder, task: str) -> Place:
    return run.path / LEFT_OUT / f"{task}.parquet"


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    """Weights and numbers of shards are not among them: they change no token."""
    return {
        "conversations": run.recipe.conversations.model_dump(mode="json"),
        "mixtures": {
            name: [mixture.kind, [[one.name, one.where, one.repeat] for one in mixture.components]]
            for name, mixture in run.recipe.mixtures.items()
        },
        "sources": [source.name for source in run.recipe.sources],
        "seed": run.recipe.seed,
    }


@stage(
    STAGE,
    title="tokenize",
    version=3,
    after=(TOKENIZER,),
    tasks=partitions,
    reads=lambda run, task: [
        Outputs(CURATE, task, f"curated/{task}.parquet"),
        Outputs(TOKENIZER, ending=".json"),
        Outputs(TOKENIZER, ending=".jinja"),
    ],
    writes=_writes,
    settings=_settings,
)
def tokenize_partition(run: RunFolder, task: str) -> dict[str, Any]:
    """Token ids of one partition with their order key and memberships, sorted by the key."""
    counted: list[pl.DataFrame] = [pl.DataFrame(schema=COUNTED)]
    left_out: list[pl.DataFrame] = [pl.DataFrame(schema=LEFT_OUT_COLUMNS)]
    watch = Stopwatch()
    talks = Counter({"conversations": 0, "learned_tokens": 0, "cut": 0, "left_out": 0})

    def tables() -> Iterator[pa.Table]:
        for whole in parquet_frames(run.path / "curated" / f"{task}.parquet"):
            for frame in _pieces(whole):
                table, lengths = _tokenized(frame, run, int(task), talks, watch)
                counted.append(counted_of(frame, lengths))
                left_out.append(_left_out(frame, lengths, run))
                yield table

    write_sorted(run.stage_file(STAGE, f"{task}.arrow"), tables(), NO_ROWS)
    told = pl.concat(counted, rechunk=True)
    write_parquet(run.stage_file(STAGE, f"{task}.counts.parquet"), told.select("id", "tokens"))
    if holds_conversations(run):
        write_parquet(_left_out_path(run, task), pl.concat(left_out, rechunk=True))
    run.log("profile", stage=STAGE, task=task, profile=watch.rounded(), encoder=run_tokenizer(run).backend)
    return {"documents": told.height, "tokens": int(told["tokens"].sum()), **talks, "totals": totals_of(told)}


def _pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """A frame in parts of at most `BYTES_A_PIECE` of text, or one document: lists of ids take nine times their text."""
    sizes = frame["text"].str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()
    for start, stop in cuts(sizes, frame.height, BYTES_A_PIECE):
        yield frame.slice(start, stop - start)


def _tokenized(
    frame: pl.DataFrame, run: RunFolder, partition: int, talks: Counter[str], watch: Stopwatch
) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Rows of a frame as shards and merges need them, and the tokens of each."""
    template = chat_template(run)
    pairs = None
    with watch.of("tokenize", text_bytes(frame["text"])):
        ids, turns = _encoded(frame, run, template, talks)
        if run.recipe.holds_preferences and template is not None:
            pairs = encode_pairs(frame, run_tokenizer(run), template, run.recipe.conversations.max_tokens)
            for row, chosen in pairs.chosen.items():
                ids[row] = chosen
            talks.update(pairs.counts)
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    columns: dict[str, Any] = {
        "key": shuffle_keys(frame["id"], run.recipe.seed).to_arrow(),
        "doc_id": frame["id"].to_arrow().cast(pa.string()),
        "tokens": pa.array(lengths),
        **_codes(frame, run, partition),
    }
    for series in _places(frame, lengths, run).iter_columns():
        columns[series.name] = series.to_arrow()
    if run.recipe.holds_prompts:
        columns.update(_of_prompts(frame))
    if pairs is not None:
        columns.update(pairs.columns())
    table = pa.table({**columns, "input_ids": lists_of(ids, np.int32), "turns": lists_of(turns, np.int16)})
    return table, lengths


def _left_out(frame: pl.DataFrame, lengths: npt.NDArray[np.int64], run: RunFolder) -> pl.DataFrame:
    """Rows that no shard holds since they are too long: `LEFT_OUT_COLUMNS`."""
    wanted = run.recipe.conversations
    how = f"longer than {wanted.max_tokens} tokens (conversations.max_tokens)"
    cut = pl.lit(f"not even its first answer fits: {how}" if wanted.too_long == "cut" else how)
    is_talk = ~prompts_of(frame) & ~pairs_of(frame)
    gone = pl.Series(lengths == 0) & frame["conversation"].is_not_null()
    why = pl.when(is_talk).then(cut).otherwise(pl.lit(how))
    return frame.with_columns(why=why).filter(gone).select(LEFT_OUT_COLUMNS.names()).cast(LEFT_OUT_COLUMNS)


def totals_of(counted: pl.DataFrame) -> dict[str, dict[str, list[int]]]:
    """Documents, characters and tokens by each of the columns that a manifest counts by."""
    told = {}
    for column in COUNTED_BY:
        groups = counted.group_by(column).agg(pl.len(), pl.col("characters", "tokens").sum()).sort(column)
        told[column] = {row[0]: list(row[1:]) for row in groups.iter_rows()}
    return told


def counted_of(frame: pl.DataFrame, lengths: npt.NDArray[np.int64]) -> pl.DataFrame:
    """What the manifest counts of each document: `COUNTED`; `lengths` are its tokens, shape (rows,)."""
    return frame.select(
        "id",
        "source",
        "source_type",
        pl.col("language").fill_null("unknown"),
        pl.col("authority").fill_null("ungraded"),
        pl.col("licence").fill_null("unknown"),
        characters=pl.col("text").str.len_chars().cast(pl.Int64),
        tokens=pl.Series(lengths),
    )


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
    is_prompt = prompts_of(frame)
    is_talk = is_talk & ~is_prompt & ~pairs_of(frame)
    if template is not None and is_prompt.any():
        rows = is_prompt.arg_true().to_list()
        for row, text in zip(rows, frame["text"].gather(rows), strict=True):
            asked = prompt_ids(tokenizer, template, turns_in(text))
            fits = len(asked) <= run.recipe.conversations.max_tokens
            ids[row] = asked if fits else []
            talks.update(prompts=1, prompts_left_out=not fits)
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

    Conversations that fit in no way have no tokens, and no place anywhere; mixtures of conversations,
    prompts or preferences take nothing else, and no prompt or pair is a document.
    """
    has_tokens = pl.Series(lengths > 0).cast(pl.Int32)
    is_prompt = prompts_of(frame)
    is_pair = pairs_of(frame)
    is_talk = frame["conversation"].is_not_null() & ~is_prompt & ~is_pair
    fits = {
        "conversations": is_talk,
        "prompts": is_prompt,
        "preferences": is_pair,
        "documents": ~is_prompt & ~is_pair,
    }
    kinds = {
        member_column(name, component.name): fits[mixture.kind].cast(pl.Int32)
        for name, mixture in run.recipe.mixtures.items()
        for component in mixture.components
    }
    found = members(frame, run.recipe.mixtures, run.recipe.seed)
    return found.select(
        (series * has_tokens * kinds[series.name]).alias(series.name) for series in found.iter_columns()
    )


def prompts_of(frame: pl.DataFrame) -> pl.Series:
    """Which rows are prompts, shape (rows,)."""
    return frame["conversation"].str.starts_with(PROMPT_START).fill_null(False)


def _of_prompts(frame: pl.DataFrame) -> dict[str, pa.Array]:
    """What prompts tell beside their tokens; empty for other rows."""
    asked = prompts_of(frame)
    told = [json.loads(beside) if one else {} for beside, one in zip(frame["conversation"], asked, strict=True)]
    texts = [
        "\n\n".join(turn.content for turn in turns_in(text)) if one else ""
        for text, one in zip(frame["text"], asked, strict=True)
    ]
    return {
        "prompt": pa.array(texts, pa.string()),
        "verifier": pa.array([one.get("verifier", "") for one in told], pa.string()),
        "reference": pa.array([json.dumps(one.get("reference", {}), ensure_ascii=False) for one in told], pa.string()),
        "task": frame["task"].to_arrow().cast(pa.string()),
        "difficulty": frame["difficulty"].cast(pl.Int64).to_arrow(),
    }


def _codes(frame: pl.DataFrame, run: RunFolder, partition: int) -> dict[str, pa.Array]:
    """What shards tell of a document beside its tokens, as numbers."""
    sources = {source.name: number for number, source in enumerate(run.recipe.sources)}
    grades = {grade: number for number, grade in enumerate(GRADES)}
    return {
        "source": frame["source"].replace_strict(sources, return_dtype=pl.Int16).to_arrow(),
        "authority": frame["authority"].fill_null(GRADES[-1]).replace_strict(grades, return_dtype=pl.Int8).to_arrow(),
        "partition": pa.array(np.full(frame.height, partition, np.int32)),
    }
