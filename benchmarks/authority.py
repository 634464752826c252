"""Grades of the step `authority` beside 100 documents graded by hand, before the step saw them.

    python benchmarks/authority.py --data ../shared/data

`authority_graded.csv` holds source, uri and grade; the scheme is the head of `filters/authority.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipelines.recipes import load_recipe
from pipelines.steps import bind_calls, run_steps
from schemas.recipe import StepCall
from sources.inputs import find_inputs
from sources.reading import read_frames

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Print agreement, the table of both grades, and each difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    wanted = pl.read_csv(HERE / "authority_graded.csv")
    steps = bind_calls([StepCall(name="normalise"), StepCall(name="authority")])
    frames = []
    for source in load_recipe(HERE.parent / "recipes" / "medical.yaml").sources:
        if source.name not in set(wanted["source"]):
            continue
        for file in find_inputs(source, arguments.data.resolve()):
            for frame, _ in read_frames(file, source):
                chosen = frame.filter(pl.col("uri").is_in(wanted["uri"].to_list()))
                if chosen.height:
                    frames.append(run_steps(chosen, steps))
    found = pl.concat(frames).select("source", "uri", "title", "authority", "authority_reason")
    both = wanted.join(found, on=["source", "uri"], how="left")
    print(f"{both.filter(pl.col('authority').is_null()).height} of {both.height} not found")
    same = both["grade"] == both["authority"]
    print(f"agreement {same.sum()} of {both.height}")
    for grade in "ABCDE":
        given = both.filter(pl.col("authority") == grade)
        if given.height:
            right = (given["grade"] == grade).sum()
            print(f"  {grade}: precision {right}/{given.height}, of {(both['grade'] == grade).sum()} by hand")
    for row in both.filter(~same).iter_rows(named=True):
        print(
            f"  by hand {row['grade']}, graded {row['authority']} ({row['authority_reason']}): {row['uri']} {row['title']}"
        )


if __name__ == "__main__":
    main()
