"""The end of a run: count everything, write the manifest, and check it again later."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dedup.decontamination import flagged_only
from pipelines.earlier import parents
from pipelines.graph import counts_of
from pipelines.prepare import recipe_digest
from pipelines.run_folder import RunFolder
from pipelines.stages import curate, read, tokens
from schemas.errors import CurateError
from schemas.manifest import (
    ComponentShards,
    Contamination,
    ConversationsEntry,
    Counts,
    FileEntry,
    Manifest,
    MixtureShards,
    Shard,
    TokenizerEntry,
    Totals,
    load_manifest,
)
from storage.fingerprints import sha256_file
from storage.json_files import write_json
from storage.publishing import write_text
from tokenization.shards import open_shard

FOLDERS = ("curated", "dropped", "quarantined")


def finish(run: RunFolder) -> Manifest:
    """Write and return the manifest of a run whose stages are all done."""
    counted = _counted(run)
    counts = _counts(run, counted)
    manifest = Manifest(
        name=run.recipe.name,
        parents=parents(run),
        seed=run.recipe.seed,
        recipe_digest=recipe_digest(run.recipe, run.classifier_recipes),
        code_version=code_version(),
        tokenizer=_tokenizer(run),
        licences=dict(sorted(counted.group_by("licence").agg(pl.len()).iter_rows())),
        decontaminated_of=_contamination(run),
        counts=counts,
        conversations=_conversations(run),
        mixtures=_mixtures(run),
        files=_files(run),
    ).sealed()
    if counts.read != counts.curated + sum(counts.dropped.values()):
        raise CurateError(f"{run.path}: counts do not add up: {counts}; this is an error of the program")
    write_json(run.path / "manifest.json", manifest.model_dump(mode="json"))
    run.log("finished", digest=manifest.digest)
    return manifest


def code_version() -> str:
    """The package's version, with the commit where the code runs from a checkout."""
    try:
        number = version("curate-medical")
    except PackageNotFoundError:
        number = "0"
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return number
    told = subprocess.run(["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return f"{number}+{told.stdout.strip()}" if told.returncode == 0 else number


def _counted(run: RunFolder) -> pl.DataFrame:
    """One row a curated document, without text: source, type, language, grade, characters, tokens."""
    frames = []
    for number in range(len(run.plan.partitions)):
        name = run.partition_name(number)
        documents = pl.scan_parquet(run.path / "curated" / f"{name}.parquet").select(
            "id",
            "source",
            "source_type",
            pl.col("language").fill_null("unknown"),
            pl.col("authority").fill_null("ungraded"),
            pl.col("licence").fill_null("unknown"),
            pl.col("text").str.len_chars().cast(pl.Int64).alias("characters"),
        )
        token_counts = pl.scan_parquet(run.stage_file(tokens.STAGE, f"{name}.counts.parquet"))
        frames.append(documents.join(token_counts, on="id", how="left").collect())
    return pl.concat(frames).with_columns(pl.col("tokens").fill_null(0))


def _totals(frame: pl.DataFrame, column: str) -> dict[str, Totals]:
    groups = frame.group_by(column).agg(pl.len().alias("documents"), pl.col("characters", "tokens").sum()).sort(column)
    return {
        row[column]: Totals(**{k: row[k] for k in ("documents", "characters", "tokens")}) for row in groups.to_dicts()
    }


def _counts(run: RunFolder, counted: pl.DataFrame) -> Counts:
    dropped: Counter[str] = Counter()
    curated = 0
    for one in counts_of(run, curate.STAGE):
        dropped.update(one["dropped"])
        curated += one["curated"]
    reading = counts_of(run, read.STAGE)
    return Counts(
        read=sum(one["documents"] for one in reading),
        quarantined=sum(one["quarantined"] for one in reading),
        dropped=dict(sorted(dropped.items())),
        curated=curated,
        total=Totals(
            documents=counted.height, characters=int(counted["characters"].sum()), tokens=int(counted["tokens"].sum())
        ),
        by_source=_totals(counted, "source"),
        by_type=_totals(counted, "source_type"),
        by_language=_totals(counted, "language"),
        by_authority=_totals(counted, "authority"),
    )


def _tokenizer(run: RunFolder) -> TokenizerEntry:
    loaded = tokens.run_tokenizer(run)
    return TokenizerEntry(
        file=tokens.TOKENIZER_FILE,
        digest=sha256_file(run.path / tokens.TOKENIZER_FILE),
        vocabulary=loaded.vocabulary,
        end_of_text=loaded.end_of_text,
        end_of_text_id=loaded.end_of_text_id,
    )


def _conversations(run: RunFolder) -> ConversationsEntry | None:
    template = tokens.chat_template(run)
    if template is None:
        return None
    write_text(run.path / tokens.TEMPLATE_FILE, template.source)
    told = Counter[str]()
    for one in counts_of(run, tokens.STAGE):
        told.update({name: one[name] for name in ("conversations", "learned_tokens", "cut", "left_out")})
    return ConversationsEntry(
        template=template.name,
        template_digest=template.digest,
        template_file=tokens.TEMPLATE_FILE,
        max_tokens=run.recipe.conversations.max_tokens,
        **told,
    )


def hits(run: RunFolder) -> pl.DataFrame:
    """Every overlap with a benchmark that the run found."""
    return pl.concat(
        pl.read_parquet(run.stage_file(curate.STAGE, f"{run.partition_name(number)}.hits.parquet"))
        for number in range(len(run.plan.partitions))
    )


def _contamination(run: RunFolder) -> list[Contamination]:
    if run.recipe.decontaminate is None:
        return []
    items = counts_of(run, curate.BENCHMARK_STAGE)[0]["items"]
    every = hits(run)
    found = (
        every.filter(~flagged_only(every)).group_by("benchmark").agg(pl.col("item").n_unique(), pl.col("id").n_unique())
    )
    by_name = {row[0]: row[1:] for row in found.iter_rows()}
    return [
        Contamination(
            benchmark=name,
            items=total,
            items_unchecked=unchecked,
            items_found=by_name.get(name, (0, 0))[0],
            documents=by_name.get(name, (0, 0))[1],
        )
        for name, (total, unchecked) in sorted(items.items())
    ]


def _mixtures(run: RunFolder) -> dict[str, MixtureShards]:
    shards: dict[tuple[str, str], list[Shard]] = {}
    for task, counts in zip(tokens.shard_tasks(run), counts_of(run, tokens.SHARD_STAGE), strict=True):
        mixture, component, _ = task.split("/")
        path = tokens.shard_path(run, task).relative_to(run.path).as_posix()
        shards.setdefault((mixture, component), []).append(Shard(path=path, **counts))
    return {
        name: MixtureShards(
            kind=mixture.kind,
            components={
                component.name: ComponentShards(
                    weight=component.weight,
                    where=component.where,
                    documents=sum(shard.rows for shard in shards[name, component.name]),
                    tokens=sum(shard.tokens for shard in shards[name, component.name]),
                    shards=shards[name, component.name],
                )
                for component in mixture.components
            },
        )
        for name, mixture in run.recipe.mixtures.items()
    }


def _files(run: RunFolder) -> list[FileEntry]:
    entries = []
    for folder in FOLDERS:
        for path in sorted((run.path / folder).glob("*.parquet")):
            rows = pq.read_metadata(path).num_rows
            relative = path.relative_to(run.path).as_posix()
            entries.append(FileEntry(path=relative, rows=rows, bytes=path.stat().st_size, sha256=sha256_file(path)))
    return entries


def verify(folder: Path) -> Iterator[str]:
    """Recompute every checksum and count of a run; yields each path checked, raises at the first that differs."""
    manifest = load_manifest(folder)
    base = folder if folder.is_dir() else folder.parent
    _verify_file(base, manifest.tokenizer.file, None, manifest.tokenizer.digest)
    yield manifest.tokenizer.file
    for entry in manifest.files:
        path = _verify_file(base, entry.path, entry.bytes, entry.sha256)
        _verify_number(entry.path, "rows", entry.rows, pq.read_metadata(path).num_rows)
        yield entry.path
    for mixture in manifest.mixtures.values():
        for component in mixture.components.values():
            for shard in component.shards:
                path = _verify_file(base, shard.path, shard.bytes, shard.sha256)
                table = open_shard(path)
                _verify_number(shard.path, "rows", shard.rows, table.num_rows)
                found = sum(len(chunk.flatten()) for chunk in table.column("input_ids").chunks)
                _verify_number(shard.path, "tokens", shard.tokens, found)
                yield shard.path
    counts = manifest.counts
    rows: dict[str, Any] = dict.fromkeys(FOLDERS, 0)
    for entry in manifest.files:
        rows[entry.path.split("/")[0]] += entry.rows
    for name, wanted in (
        ("curated", counts.curated),
        ("dropped", sum(counts.dropped.values())),
        ("quarantined", counts.quarantined),
    ):
        _verify_number("manifest.json", f"{name} documents", wanted, rows[name])
    _verify_number("manifest.json", "read documents", counts.read, counts.curated + sum(counts.dropped.values()))


def _verify_file(base: Path, name: str, size: int | None, digest: str) -> Path:
    path = base / name
    if not path.is_file():
        raise CurateError(f"{path} is missing; the manifest names it")
    if size is not None and path.stat().st_size != size:
        raise CurateError(f"{path} differs: {path.stat().st_size} bytes, the manifest says {size}")
    if sha256_file(path) != digest:
        raise CurateError(f"{path} differs: its SHA-256 is not the manifest's")
    return path


def _verify_number(name: str, what: str, wanted: int, found: int) -> None:
    if wanted != found:
        raise CurateError(f"{name} differs: {found} {what}, the manifest says {wanted}")
