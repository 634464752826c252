"""Carry out what `earlier.json` lists: an earlier run again, in a new folder, without those documents.

Nothing of the earlier run is touched. Files that hold none of the documents are linked; tables and shards that do
are written again, the documents stand in `dropped/` with why, and the manifest names its parents: the earlier run
and the one whose list was carried out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.earlier import REPORT, replaced_runs
from pipelines.run_folder import APPLIED, RunFolder
from pipelines.stages.tokenizer import chat_template, run_tokenizer
from pipelines.stages.tokens import STAGE as TOKENS
from pipelines.stages.tokens import counted_of, prompts_of, totals_of
from schemas.errors import CurateError, WrongCall
from schemas.manifest import LEFT_OUT, ComponentShards, FileEntry, Manifest, Shard, Totals, load_manifest, sums_of
from storage.columnar import ParquetRows, parquet_frames, read_parquet, scan_parquet, write_parquet
from storage.fingerprints import sha256_file
from storage.json_files import read_json, write_json
from storage.places import Place, empty, files_below, resolved
from storage.publishing import link_or_copy
from tokenization.conversations import encode_conversations
from tokenization.preferences import pairs_of
from tokenization.shards import in_batches, open_shard, shard_schema, write_shard

TABLES: Final = ("curated", "dropped")
# What of a run's folder is made anew, or is of no use without the process that wrote it.
NOT_LINKED: Final = ("manifest.json", "report.html", "lease.json", "log.jsonl", REPORT, APPLIED)


def to_apply(folder: Place) -> list[tuple[RunFolder, pl.DataFrame]]:
    """Earlier runs of which a run lists documents, each with columns id, by and why."""
    later = folder if folder.is_dir() else folder.parent
    path = later / REPORT
    if not path.exists():
        raise WrongCall(f"{path} does not exist; `curate run … --against EARLIER` writes it")
    told = read_json(path)
    rows = [(one["manifest"], one["id"], what, one["why"]) for what in told for one in told[what]]
    columns = dict.fromkeys(("manifest", "id", "by", "why"), pl.String())
    listed = pl.DataFrame(rows, schema=columns, orient="row").unique(
        ["manifest", "id"], keep="first", maintain_order=True
    )
    run = RunFolder(resolved(later))
    known = {load_manifest(one.path).digest: one for one in (*run.against, *replaced_runs(run))}
    for digest in listed["manifest"].unique():
        if digest not in known:
            raise WrongCall(f"{path} names a run of digest {digest[:12]}, which is not where it was; move it back")
    parts = {digest: listed.filter(pl.col("manifest") == digest).drop("manifest") for digest in known}
    return [(known[digest], gone) for digest, gone in parts.items() if gone.height]


def without(earlier: RunFolder, gone: pl.DataFrame, later: str, to: Place) -> Manifest:
    """Write the earlier run without the documents `gone` (id, by, why) into the new folder `to`.

    `later` is the digest of the run whose list this is.
    """
    if not empty(to):
        raise WrongCall(f"{to} is not empty; choose a new folder")
    before = load_manifest(earlier.path)
    ids = gone["id"].to_list()
    lost = scan_parquet(sorted(_curated(earlier.path))).filter(pl.col("id").is_in(ids)).collect()
    if lost.is_empty():
        raise CurateError(f"{earlier.path} holds none of the documents any more")
    entries = {entry.path: entry for entry in before.files}
    mixtures = {
        name: mixture.model_copy(
            update={
                "components": {
                    part: _component(earlier.path, to, one, mixture.kind, ids)
                    for part, one in mixture.components.items()
                }
            }
        )
        for name, mixture in before.mixtures.items()
    }
    for name in sorted(path.name for path in _curated(earlier.path) if _holds(path, ids)):
        entries |= _tables(earlier.path, to, name, gone)
    beside = before.beside | left_out_without(earlier.path, to, ids)
    for path in files_below(earlier.path):
        name = path.relative_to(earlier.path).as_posix()
        if name not in NOT_LINKED and not (to / name).exists():
            link_or_copy(path, to / name)
    write_json(to / APPLIED, {"of": before.digest, "listed_by": later, "documents": lost.height})
    manifest = before.model_copy(
        update={
            "parents": [before.digest, later],
            "mixtures": mixtures,
            "beside": beside,
            "files": [entries[one.path] for one in before.files],
            "licences": _less(before.licences, Counter(lost["licence"].fill_null("unknown"))),
            **_counts(earlier, before, lost, gone),
        }
    ).sealed()
    write_json(to / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def _curated(folder: Place) -> Iterator[Path]:
    yield from (folder / "curated").glob("*.parquet")


def _holds(table: Path, ids: list[str]) -> bool:
    return not scan_parquet(table).filter(pl.col("id").is_in(ids)).head(1).collect().is_empty()


def _component(folder: Place, to: Place, part: ComponentShards, kind: str, ids: list[str]) -> ComponentShards:
    shards = [_shard(folder, to, shard, kind, ids) for shard in part.shards]
    return part.model_copy(update={**sums_of(shards), "shards": shards})


def _shard(folder: Place, to: Place, shard: Shard, kind: str, ids: list[str]) -> Shard:
    rows = open_shard(folder / shard.path)
    kept = pc.invert(pc.is_in(rows.column("doc_id"), value_set=pa.array(ids, pa.string())))
    if pc.all(kept).as_py() in (True, None):
        link_or_copy(folder / shard.path, to / shard.path)
        return shard
    rest = rows.filter(kept)
    told = write_shard(to / shard.path, in_batches(rest), shard_schema(kind))
    return Shard.model_validate({"path": shard.path, **told})


def left_out_without(folder: Place, to: Place, ids: list[str]) -> dict[str, str]:
    """Write again the tables of what is in no shard that name a lost document; returns their SHA-256 by path."""
    digests = {}
    for source in sorted((folder / LEFT_OUT).glob("*.parquet")):
        rows = read_parquet(source)
        kept = rows.filter(~pl.col("id").is_in(ids))
        if kept.height < rows.height:
            target = to / LEFT_OUT / source.name
            write_parquet(target, kept)
            digests[f"{LEFT_OUT}/{source.name}"] = sha256_file(target)
    return digests


def _tables(folder: Place, to: Place, name: str, gone: pl.DataFrame) -> dict[str, FileEntry]:
    """One partition's tables: its lost documents move from `curated` to `dropped`, behind those there."""
    moved: list[pl.DataFrame] = []
    entries = {}
    for table in TABLES:
        source, target = folder / table / name, to / table / name
        columns = dict(scan_parquet(source).collect_schema())
        rows = 0
        with ParquetRows(target, columns) as whole:
            for frame in parquet_frames(source):
                is_lost = (
                    frame["id"].is_in(gone["id"].to_list()) if table == "curated" else pl.Series([False] * frame.height)
                )
                moved.append(frame.filter(is_lost))
                whole.append(frame.filter(~is_lost))
                rows += frame.height - int(is_lost.sum())
            if table == "dropped":
                late = pl.concat(moved).join(gone, on="id", how="left", maintain_order="left")
                whole.append(late.with_columns(dropped_by="by", drop_reason="why"))
                rows += late.height
        path = f"{table}/{name}"
        entries[path] = FileEntry(path=path, rows=rows, bytes=target.stat().st_size, sha256=sha256_file(target))
    return entries


def _counts(run: RunFolder, before: Manifest, lost: pl.DataFrame, gone: pl.DataFrame) -> dict[str, Any]:
    """The counts of the manifest less those of the lost documents."""
    files = sorted((run.path / "stages" / TOKENS).glob("*.counts.parquet"))
    if not files:
        raise WrongCall(f"{run.path} lost its `stages/` folder, which holds the counts of each document")
    tokens = pl.concat(read_parquet(path) for path in files)
    lengths = lost.join(tokens, on="id", how="left", maintain_order="left")["tokens"].fill_null(0)
    known = counted_of(lost, lengths.to_numpy())
    sums = totals_of(known)
    counts = before.counts
    total = [known.height, int(known["characters"].sum()), int(known["tokens"].sum())]
    by = Counter(lost.select("id").join(gone, on="id")["by"])
    told: dict[str, Any] = {
        "counts": counts.model_copy(
            update={
                "curated": counts.curated - lost.height,
                "dropped": dict(sorted((Counter(counts.dropped) + by).items())),
                "total": _totals_less(counts.total, total),
                "by_source": _groups_less(counts.by_source, sums["source"]),
                "by_type": _groups_less(counts.by_type, sums["source_type"]),
                "by_language": _groups_less(counts.by_language, sums["language"]),
                "by_authority": _groups_less(counts.by_authority, sums["authority"]),
            }
        )
    }
    template = chat_template(run)
    talks = lost.filter(pl.col("conversation").is_not_null())
    if before.conversations is not None and template is not None and talks.height:
        told["conversations"] = _talks_less(run, before, talks)
    return told


def _talks_less(run: RunFolder, before: Manifest, talks: pl.DataFrame) -> Any:
    wanted, template, had = run.recipe.conversations, chat_template(run), before.conversations
    assert template is not None
    assert had is not None
    plain = talks.filter(~prompts_of(talks) & ~pairs_of(talks))
    found = encode_conversations(plain, run_tokenizer(run), template, wanted.max_tokens, cut=wanted.too_long == "cut")
    return had.model_copy(update={name: getattr(had, name) - count for name, count in found.counts.items()})


def _totals_less(had: Totals, lost: list[int]) -> Totals:
    return Totals(documents=had.documents - lost[0], characters=had.characters - lost[1], tokens=had.tokens - lost[2])


def _groups_less(had: Mapping[str, Totals], lost: Mapping[str, list[int]]) -> dict[str, Totals]:
    less = {name: _totals_less(one, lost.get(name, [0, 0, 0])) for name, one in had.items()}
    return {name: one for name, one in less.items() if one.documents}


def _less(had: Mapping[str, int], lost: Counter[str]) -> dict[str, int]:
    return {name: count - lost[name] for name, count in had.items() if count > lost[name]}
