"""Is it worth reading? What the classifier of `recipes/classifiers/quality.yaml` says of documents that it has not seen.

    python benchmarks/quality.py --data ../shared/data

Five folds by a hash of the text; the labels were given by reading. The area under the curve (Mann-Whitney: how often
a good document scores above a poor one), by source: between sources even a rule of origins does well, within one only
what stands in the text tells.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.medicine import line, out_of_fold

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "classifiers" / "quality.yaml"


def main() -> None:
    """Train, score out of fold, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, threshold = out_of_fold(RECIPE, told.data, Path(folder))
    print(f"{rows.height:,} documents out of fold, threshold {threshold:.3f}")
    for name, part in [("all", rows), *((str(source), part) for (source,), part in sorted(rows.group_by("source")))]:
        line(name, part, threshold)
        if (area := area_under_curve(part)) is not None:
            print(f"    area under the curve {area:.3f}")


def area_under_curve(rows: pl.DataFrame) -> float | None:
    """Mann-Whitney's U over all pairs; None where one side is empty."""
    good, poor = (rows.filter(pl.col("is_positive") == side)["score"].to_numpy() for side in (True, False))
    if not len(good) or not len(poor):
        return None
    return float(((good[:, None] > poor).mean() + (good[:, None] >= poor).mean()) / 2)


if __name__ == "__main__":
    main()
