"""The end of a run: add up what the tasks counted, write the manifest, clear away what no task wrote."""

from __future__ import annotations

import subprocess
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl

from dedup.decontamination import flagged_only
from filters.privacy.step import redacted
from pipelines.earlier import parents
from pipelines.notes import write_notes
from pipelines.plan import without_persons
from pipelines.run_folder import RunFolder, recipe_digest
from pipelines.stage import in_order
from pipelines.stages import benchmarks, curate, read, shards, tokenizer, tokens
from pipelines.steps import takes_out_persons
from pipelines.tasks import counts_of, files_of, marker
from schemas.errors import CurateError
from schemas.manifest import (
    LEFT_OUT,
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
    sums_of,
)
from sources.inputs import check_unchanged, sha256_input
from storage.columnar import read_parquet
from storage.json_files import write_json
from storage.places import files_below, remove, remove_tree


def finish(run: RunFolder) -> Manifest:
    """Write and return the manifest of a run whose stages are all done."""
    totals = _totals(run)
    counts = _counts(run, totals)
    manifest = Manifest(
        name=run.recipe.name,
        parents=parents(run),
        seed=run.recipe.seed,
        recipe_digest=recipe_digest(run.recipe, run.classifier_recipes),
        code_version=code_version(),
        tokenizer=_tokenizer(run),
        licences={name: one.documents for name, one in totals["licence"].items()},
        decontaminated_of=_contamination(run),
        counts=counts,
        conversations=_conversations(run),
        inputs=_inputs(run),
        mixtures=_mixtures(run),
        files=_files(run),
        beside=_beside(run),
    ).sealed()
    if counts.read != counts.curated + sum(counts.dropped.values()):
        raise CurateError(f"{run.path}: counts do not add up: {counts}; this is an error of the program")
    clear_away(run)
    write_notes(run)
    write_json(run.path / "manifest.json", manifest.model_dump(mode="json"))
    run.log("finished", digest=manifest.digest)
    return manifest


def forget_persons(run: RunFolder) -> None:
    """Take out of the folder what only a run under way needs and what may name a person: places of files, logs."""
    if not takes_out_persons(run.edits):
        return
    plan = without_persons(run.plan, lambda places: _shown_places(run, places))
    if plan != run.plan:
        write_json(run.path / "plan.json", plan.as_json())
    remove_tree(run.path / "stages" / "datatrove")


def clear_away(run: RunFolder) -> None:
    """Remove files in the stages' folders that no task of this run wrote: those of an earlier recipe here."""
    wanted = {run.path / path for stage in in_order() for path in files_of(run, stage.name)}
    wanted |= {marker(run, stage.name, task) for stage in in_order() for task in stage.tasks(run)}
    folders = [run.path / "stages" / stage.name for stage in in_order()]
    folders += [run.path / name for name in (*curate.FOLDERS, "shards", LEFT_OUT)]
    for folder in folders:
        for path in files_below(folder):
            if path not in wanted:
                remove(path)


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


def _totals(run: RunFolder) -> dict[str, dict[str, Totals]]:
    """Documents, characters and tokens by each column that is counted by, over all partitions."""
    sums: dict[str, dict[str, list[int]]] = {column: {} for column in tokens.COUNTED_BY}
    for counts in counts_of(run, tokens.STAGE):
        for column, values in counts["totals"].items():
            for value, numbers in values.items():
                before = sums[column].get(value, [0, 0, 0])
                sums[column][value] = [a + b for a, b in zip(before, numbers, strict=True)]
    return {
        column: {
            value: Totals(documents=numbers[0], characters=numbers[1], tokens=numbers[2])
            for value, numbers in sorted(values.items())
        }
        for column, values in sums.items()
    }


def _counts(run: RunFolder, totals: dict[str, dict[str, Totals]]) -> Counts:
    dropped: Counter[str] = Counter()
    curated = 0
    for one in counts_of(run, curate.STAGE):
        dropped.update(one["dropped"])
        curated += one["curated"]
    reading = counts_of(run, read.STAGE)
    by_source = list(totals["source"].values())
    return Counts(
        read=sum(one["documents"] for one in reading),
        quarantined=sum(one["quarantined"] for one in reading),
        dropped=dict(sorted(dropped.items())),
        curated=curated,
        total=Totals(
            documents=sum(one.documents for one in by_source),
            characters=sum(one.characters for one in by_source),
            tokens=sum(one.tokens for one in by_source),
        ),
        by_source=totals["source"],
        by_type=totals["source_type"],
        by_language=totals["language"],
        by_authority=totals["authority"],
    )


def _tokenizer(run: RunFolder) -> TokenizerEntry:
    told = counts_of(run, tokenizer.STAGE)[0]
    return TokenizerEntry(file=tokenizer.TOKENIZER_FILE, **told)


def _conversations(run: RunFolder) -> ConversationsEntry | None:
    template = tokenizer.chat_template(run)
    if template is None:
        return None
    told = Counter[str]()
    for one in counts_of(run, tokens.STAGE):
        told.update({name: one[name] for name in ("conversations", "learned_tokens", "cut", "left_out")})
    return ConversationsEntry(
        template=template.name,
        template_digest=template.digest,
        template_file=tokenizer.TEMPLATE_FILE,
        max_tokens=run.recipe.conversations.max_tokens,
        **told,
    )


def hits(run: RunFolder) -> pl.DataFrame:
    """Every overlap with a benchmark that the run found."""
    return pl.concat(
        read_parquet(run.stage_file(curate.STAGE, f"{run.partition_name(number)}.hits.parquet"))
        for number in range(len(run.plan.partitions))
    )


def _inputs(run: RunFolder) -> dict[str, dict[str, str]]:
    """SHA-256 of every file beside the sources, as it is now; one that is no longer what was planned ends the run."""
    told: dict[str, dict[str, str]] = {}
    beside = [(role, file) for role, file in run.plan.named() if role != "source"]
    for (role, file), place in zip(beside, _shown_places(run, [file.uri for _, file in beside]), strict=True):
        check_unchanged(file)
        told.setdefault(f"{role}: {file.source}", {})[place] = sha256_input(file)
    return told


def _shown_places(run: RunFolder, places: list[str]) -> list[str]:
    """Places of files as they may be written down: with marks where the run takes out persons."""
    return redacted(pl.Series("uri", places), places=True).to_list() if takes_out_persons(run.edits) else places


def _contamination(run: RunFolder) -> list[Contamination]:
    if run.recipe.decontaminate is None:
        return []
    items = counts_of(run, benchmarks.STAGE)[0]["items"]
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
    found: dict[tuple[str, str], list[Shard]] = {}
    for task, counts in zip(shards.shard_tasks(run), counts_of(run, shards.STAGE), strict=True):
        mixture, component, _ = task.split("/")
        path = shards.shard_path(run, task).relative_to(run.path).as_posix()
        found.setdefault((mixture, component), []).append(Shard(path=path, **counts))
    return {
        name: MixtureShards(
            kind=mixture.kind,
            components={
                component.name: ComponentShards(
                    weight=component.weight,
                    where=component.where,
                    shards=found[name, component.name],
                    **sums_of(found[name, component.name]),
                )
                for component in mixture.components
            },
        )
        for name, mixture in run.recipe.mixtures.items()
    }


def _files(run: RunFolder) -> list[FileEntry]:
    """The corpus's own files, as the tasks that wrote them tell."""
    rows: dict[str, int] = {}
    names = [run.partition_name(number) for number in range(len(run.plan.partitions))]
    for name, one in zip(names, counts_of(run, curate.STAGE), strict=True):
        rows[f"curated/{name}.parquet"] = one["curated"]
        rows[f"dropped/{name}.parquet"] = one["documents"] - one["curated"]
        rows[f"quarantined/{name}.parquet"] = one["quarantined"]
    files = files_of(run, curate.STAGE)
    return [
        FileEntry(path=path, rows=rows[path], bytes=files[path][0], sha256=files[path][1])
        for folder in curate.FOLDERS
        for path in sorted(rows)
        if path.startswith(f"{folder}/")
    ]


def _beside(run: RunFolder) -> dict[str, str]:
    """SHA-256 of the files, beside tables and shards, that readers of a run go by."""
    files = files_of(run, tokenizer.STAGE)
    files |= {path: told for path, told in files_of(run, tokens.STAGE).items() if path.startswith(f"{LEFT_OUT}/")}
    if run.recipe.decontaminate is not None:
        files |= files_of(run, curate.STAGE, ".hits.parquet")
    kept = (path for path in sorted(files) if path != tokenizer.TOKENIZER_FILE)
    return {path: files[path][1] for path in kept if not path.startswith(f"stages/{tokenizer.STAGE}/")}
