"""A whole run: prepare, let the engine perform the graph, write the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.earlier import report_earlier
from pipelines.engines.engine import ENGINES
from pipelines.finish import finish
from pipelines.prepare import prepare_run
from pipelines.run_folder import RunFolder
from schemas.manifest import Manifest


def execute(
    recipe: Path,
    data: Path | None,
    folder: Path,
    engine: str = "datatrove",
    workers: int = 1,
    options: Sequence[str] = (),
    watch: Callable[[RunFolder], None] | None = None,
    against: Sequence[Path] = (),
    replaces: Sequence[Path] = (),
) -> Manifest:
    """Run a recipe up to its shards and manifest; called again on the same folder it resumes.

    `watch` is called once the folder is ready, before work begins (for progress).
    """
    chosen = ENGINES.get(engine)
    run = prepare_run(recipe, data, folder.resolve(), against, replaces)
    run.log("run", engine=engine, workers=workers, partitions=len(run.plan.partitions))
    if watch:
        watch(run)
    chosen.run(run.path, workers, options)
    manifest = finish(run)
    if against or replaces:
        report_earlier(run)
    return manifest
