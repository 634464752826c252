"""A whole run: take the folder, prepare, let the engine perform the graph, write the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.earlier import report_earlier
from pipelines.engines.engine import ENGINES
from pipelines.engines.interrupts import interrupts_here_alone
from pipelines.finish import finish, forget_persons
from pipelines.prepare import checked, make_run
from pipelines.run_folder import RunFolder
from pipelines.tasks import take_over_first
from schemas.manifest import Manifest
from storage.lease import leased
from storage.places import Place, resolved


def execute(
    recipe: Path,
    data: Path | None,
    folder: Place,
    engine: str = "datatrove",
    workers: int = 1,
    options: Sequence[str] = (),
    watch: Callable[[RunFolder], None] | None = None,
    against: Sequence[Place] = (),
    replaces: Sequence[Place] = (),
    reuse: Sequence[Place] = (),
    keep_intermediates: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Manifest:
    """Run a recipe up to its shards and manifest; called again on the same folder it resumes.

    `watch` is called once the folder is ready, before work begins (for progress); `say` is told in
    words what a user should know. Once it has ended, a run that takes out persons forgets the names of files
    that name one, unless `keep_intermediates`. The folder is leased while the run lasts.
    """
    chosen = ENGINES.get(engine)
    asked, plan = checked(recipe, data, against, reuse)
    folder = resolved(folder)
    with leased(folder, f"curate run {recipe.name}", say):
        run = make_run(recipe, asked, plan, folder, against, replaces, reuse, say)
        run.log("run", engine=engine, workers=workers, partitions=len(run.plan.partitions))
        if watch:
            watch(run)
        with interrupts_here_alone():
            take_over_first(run)
            chosen.run(run.path, workers, options)
        manifest = finish(run)
        if against or replaces:
            report_earlier(run)
        if keep_intermediates:
            say(
                f"kept as they are: {run.path / 'plan.json'} and the engine's logs; "
                "where the names of your files name persons, so do these"
            )
        else:
            forget_persons(run)
        return manifest
