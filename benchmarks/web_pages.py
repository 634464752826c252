"""The web part of `medical.yaml` on one core: pages extracted in full, and glanced at first; what is lost by it.

    python benchmarks/web_pages.py ../shared/data/web/pages-0.warc.gz

Both ways read the same archive and run the recipe's steps for pages up to what is kept. Prints seconds, the ratio,
and the pages that the full way keeps and the glance loses.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from filters.glance import glancer
from pipelines.recipes import load_recipe
from pipelines.steps import bind_calls, run_steps
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "medical.yaml"


def kept(archive: Path, source: Source, steps: list, glance: bool) -> tuple[float, set[str], int]:  # type: ignore[type-arg]
    """Seconds, addresses of the pages that no step drops, and how many pages were read."""
    begun = time.perf_counter()
    look = glancer(source.glance) if glance and source.glance else None
    found: set[str] = set()
    read = 0
    for file in find_inputs(source, archive.parent):
        for frame, _ in read_frames(file, source, glance=look):
            done = run_steps(frame, steps)
            read += done.height
            found.update(done.filter(pl.col("dropped_by").is_null())["uri"])
    return time.perf_counter() - begun, found, read


def main() -> None:
    """Run both ways in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    recipe = load_recipe(RECIPE)
    source = next(one for one in recipe.sources if one.name == "pages").model_copy(
        update={"files": [arguments.archive.name]}
    )
    steps = [one for one in bind_calls(recipe.steps) if one.kind.name not in ("phi",)]
    kept(arguments.archive, source, steps, True)  # compiled loops and models are loaded
    times: dict[bool, list[float]] = {True: [], False: []}
    pages: dict[bool, set[str]] = {}
    read = 0
    for _ in range(arguments.rounds):
        for glance in (True, False):
            seconds, pages[glance], read = kept(arguments.archive, source, steps, glance)
            times[glance].append(seconds)
    quick, full = min(times[True]), min(times[False])
    lost = sorted(pages[False] - pages[True])
    print(f"{read} pages: in full {full:.2f} s, glanced at first {quick:.2f} s, {full / quick:.1f} times as fast")
    print(f"kept in full {len(pages[False])}, of them lost at a glance {len(lost)}: {', '.join(lost) or 'none'}")


if __name__ == "__main__":
    main()
