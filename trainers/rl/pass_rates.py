"""How often a model answers each prompt rightly: measured once, kept beside the manifest, chosen by in a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from schemas.errors import WrongCall
from storage.columnar import read_parquet

if TYPE_CHECKING:
    from trainers.rl.prompts import AskedPrompt

COLUMNS = {
    "prompt": pl.String(),  # id of the document that the prompt is
    "task": pl.String(),
    "verifier": pl.String(),
    "samples": pl.Int32(),
    "failed": pl.Int32(),  # answers without a verdict, which count for nothing
    "pass_rate": pl.Float64(),  # share of right answers; null where none had a verdict
    "mean_score": pl.Float64(),
    "mean_square": pl.Float64(),  # of the scores
    "model": pl.String(),
}


def pass_rate_file(folder: Path, mixture: str) -> Path:
    """Where the pass rates of a mixture's prompts lie."""
    return folder / f"pass-rates-{mixture}.parquet"


def scales(rates: pl.DataFrame) -> list[tuple[str, float, float]]:
    """Mean and deviation of the scores that each verifier gave, as `rl.scales` wants them."""
    told = (
        rates.group_by("verifier")
        .agg(pl.col("mean_score").mean().alias("mean"), pl.col("mean_square").mean().alias("square"))
        .drop_nulls()
        .with_columns((pl.col("square") - pl.col("mean") ** 2).clip(0).sqrt().alias("deviation"))
        .sort("verifier")
    )
    return list(told.select("verifier", "mean", "deviation").iter_rows())


def between(
    prompts: Mapping[str, AskedPrompt], low: float, high: float, folder: Path, mixture: str
) -> dict[str, AskedPrompt]:
    """Prompts whose pass rate lies between two bounds, neither of which is reached.

    Raises:
        WrongCall: where nothing was measured, or nothing is left.
    """
    path = pass_rate_file(folder, mixture)
    if not path.exists():
        raise WrongCall(
            f"rl.pass_rate needs {path}; measure it: curate train rl difficulty RECIPE --manifest {folder} --from MODEL"
        )
    rates = read_parquet(path)
    fitting = set(rates.filter((pl.col("pass_rate") > low) & (pl.col("pass_rate") < high))["prompt"])
    chosen = {name: one for name, one in prompts.items() if name in fitting}
    if not chosen:
        measured = rates.filter(pl.col("prompt").is_in(list(prompts)))["pass_rate"].drop_nulls()
        least, most = measured.min(), measured.max()
        told = f"they lie from {least!r} to {most!r}" if len(measured) else "none of them was measured"
        raise WrongCall(f"no prompt of '{mixture}' has a pass rate between {low} and {high}: {told}")
    return chosen
