"""How hard each prompt is for a model: the share of right answers over some samples, written beside the manifest."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from schemas.canonical import canonical_digest
from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from schemas.rollout import Rollout
from storage.columnar import read_parquet, write_parquet
from trainers.data.integrity import check_tokenizer
from trainers.objectives.objective import objective_of
from trainers.parallel.groups import start_parallel, stop_parallel
from trainers.rl.pass_rates import COLUMNS, pass_rate_file
from trainers.rl.prompts import AskedPrompt
from trainers.rl.source import RolloutSource
from trainers.rl.stage import rollouts_of
from trainers.stage import ParallelConfig, TrainConfig
from trainers.start import find_start, write_card
from trainers.train import first_model

PROMPTS_AT_ONCE = 32


def measure_pass_rates(
    config: TrainConfig, manifest_path: Path, samples: int, told: Callable[[int, int], None] = lambda done, all: None
) -> Path:
    """Answer every prompt of the stage's mixture `samples` times; what was measured of this model before is kept.

    `told` hears how many of how many prompts are done. Returns the file, `trainers.rl.pass_rates`.

    Raises:
        WrongCall: where the recipe is no stage of reinforcement learning, or has no parent.
    """
    with answering(config, manifest_path, max(2, samples)) as (source, model, asked):
        folder = manifest_path if manifest_path.is_dir() else manifest_path.parent
        path = pass_rate_file(folder, config.data.mixture)
        _measure(source, model, path, asked, told)
    return path


@contextmanager
def answering(
    config: TrainConfig, manifest_path: Path, samples: int
) -> Iterator[tuple[RolloutSource, Sequence[Any], str]]:
    """All prompts of a stage's mixture, its parent that answers them, and a digest of both, in this process alone.

    Raises:
        WrongCall: where the recipe is no stage of reinforcement learning, or has no parent.
    """
    if config.rl is None or config.parent is None:
        raise WrongCall("give the recipe of an rl stage, and the model that answers (--from)")
    folder = manifest_path if manifest_path.is_dir() else manifest_path.parent
    manifest = load_manifest(manifest_path)
    check_tokenizer(manifest, folder)
    # All prompts, by the rules alone: neither reward models nor judges say how hard a question is.
    changes: dict[str, Any] = {"samples": samples, "pass_rate": None, "reward_models": [], "gold": None, "scales": {}}
    rl = config.rl.model_copy(update={**changes, "served": None, "judge": None, "principles": None, "also": []})
    data = config.data.model_copy(update={"validation": 0.0})
    batch = config.batch.model_copy(update={"global_": rl.groups * rl.samples})
    alone = config.model_copy(update={"rl": rl, "data": data, "batch": batch, "parallel": ParallelConfig()})
    start = find_start(alone, manifest)
    asked = canonical_digest([start.parents, samples, rl.temperature, rl.top_p, rl.top_k, rl.max_tokens, config.seed])
    start_parallel(alone)
    try:
        with tempfile.TemporaryDirectory() as beside:
            write_card(Path(beside), alone, start, manifest, folder)
            model = first_model(alone, start, drawn=True)
            learned = rollouts_of(alone, manifest, folder, Path(beside), start.vocabulary, 0, objective_of(alone))
            try:
                yield learned.source, model, asked[:16]
            finally:
                learned.source.close()
    finally:
        stop_parallel()


def _measure(
    source: RolloutSource, model: Sequence[Any], path: Path, asked: str, told: Callable[[int, int], None]
) -> None:
    known = read_parquet(path) if path.exists() else pl.DataFrame(schema=COLUMNS)
    if known.columns != list(COLUMNS):  # measured by an earlier version
        known = pl.DataFrame(schema=COLUMNS)
    done = set(known.filter(pl.col("model") == asked)["prompt"])
    left = [number for number, one in enumerate(source.prompts) if one.id not in done]
    told(len(source.prompts) - len(left), len(source.prompts))
    for at in range(0, len(left), PROMPTS_AT_ONCE):
        numbers = left[at : at + PROMPTS_AT_ONCE]
        groups = source.judged(source.answered(model, numbers, 0, Counter()))
        rows = [_row(source.prompts[group[0].number], group, asked) for group in groups]
        new = pl.DataFrame(rows, schema=COLUMNS)
        known = pl.concat([known.filter(~pl.col("prompt").is_in(new["prompt"].to_list())), new]).sort("prompt")
        write_parquet(path, known)
        told(len(source.prompts) - len(left) + at + len(numbers), len(source.prompts))


def _row(prompt: AskedPrompt, group: Sequence[Rollout], asked: str) -> dict[str, Any]:
    judged = [one for one in group if one.reward is not None]
    return {
        "prompt": prompt.id,
        "task": prompt.task or None,
        "verifier": prompt.verifier,
        "samples": len(group),
        "failed": len(group) - len(judged),
        "pass_rate": sum(one.state == "right" for one in judged) / len(judged) if judged else None,
        "mean_score": sum(one.reward or 0.0 for one in judged) / len(judged) if judged else None,
        "mean_square": sum((one.reward or 0.0) ** 2 for one in judged) / len(judged) if judged else None,
        "model": asked,
    }
