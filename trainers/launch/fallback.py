"""`--fallback`: damaged checkpoints are set aside, and training goes on from the newest whole one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from schemas.errors import CurateError
from storage.places import remove_tree, rename
from trainers.loop.checksums import damaged_file
from trainers.loop.position import latest, read_position


def set_damaged_aside(out: Path, say: Callable[[str], None]) -> None:
    """Rename each damaged checkpoint at the end of a run, so that the newest one left is whole.

    Nothing is deleted. Raises `CurateError` where no whole one is left: training would begin anew.
    """
    had = newest = latest(out)
    while newest is not None and (what := _damage(newest)) is not None:
        aside = newest.with_name(f"damaged-{newest.name}")
        remove_tree(aside)
        rename(newest, aside)
        say(f"checkpoint {newest.name} is damaged ({what}); it lies in {aside.name} now, the one before is taken")
        newest = latest(out)
    if had is not None and newest is None:
        raise CurateError(f"{out} has no whole checkpoint left; delete the folder to begin anew")


def _damage(folder: Path) -> str | None:
    try:
        read_position(folder)
    except CurateError:
        return "position.json"
    found = damaged_file(folder)
    return found.name if found is not None else None
