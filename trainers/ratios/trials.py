"""The sampling ratios over task groups that train the best proxy model, found by few short trainings.

Each trial is a real training by the proxy's recipe with other weights, and its score the weighted sum
of abilities. An ability is scored by the probability the model gives to held-out answers of its group:
exp of minus their mean loss, between 0 and 1. Trials are kept in `trials.jsonl`; called again, the
search goes on after the last.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from schemas.errors import WrongCall
from schemas.manifest import Manifest, load_manifest
from schemas.nearest import nearest
from schemas.recipe import Name, Seed, Strict
from storage.places import make_folder, remove_tree
from storage.publishing import append_line
from storage.yaml_files import read_yaml, validated
from trainers.loop.records import read_log
from trainers.ratios.search import best_point, first_points, propose
from trainers.stage import TrainConfig, load_stage

TRIALS = "trials.jsonl"


class RatiosConfig(Strict):
    """Which proxy is trained, over which groups, and what counts how much.

    `groups` are components of the proxy's mixture; `abilities` weigh the score of each group.
    """

    name: Name
    proxy: str
    groups: list[str] = Field(min_length=2)
    abilities: dict[str, float]
    trials: int = Field(20, ge=4)
    initial: int = Field(6, ge=2)
    seed: Seed = 1


def load_ratios(path: Path) -> tuple[RatiosConfig, TrainConfig]:
    """The recipe of a search and its proxy's; anything wrong is a `WrongCall`."""
    config = validated(RatiosConfig, read_yaml(path), path)
    for name in config.abilities:
        if name not in config.groups:
            raise WrongCall(f"{path}: ability '{name}' is no group{nearest(name, config.groups)}")
    return config, load_stage(path.parent / config.proxy)


def check_groups(config: RatiosConfig, proxy: TrainConfig, manifest: Manifest) -> None:
    """Refuse groups that the proxy's mixture has not."""
    parts = list(manifest.mixtures[proxy.data.mixture].components) if proxy.data.mixture in manifest.mixtures else []
    for name in config.groups:
        if name not in parts:
            raise WrongCall(f"mixture '{proxy.data.mixture}' has no component '{name}'{nearest(name, parts)}")


def with_weights(proxy: TrainConfig, groups: list[str], weights: list[float], seed: int) -> TrainConfig:
    """The proxy's recipe with these ratios; validation tells losses by component at the end of training."""
    data = proxy.data.model_copy(update={"weights": dict(zip(groups, weights, strict=True)), "phases": []})
    log = proxy.log.model_copy(update={"tensorboard": False})
    return proxy.model_copy(update={"data": data, "log": log, "seed": seed})


def trial(
    config: RatiosConfig, proxy: TrainConfig, manifest: Path, out: Path, seed: int, weights: list[float]
) -> dict[str, Any]:
    """One training from scratch, scored; its folder is removed again."""
    from trainers.train import train_stage

    remove_tree(out)
    train_stage(with_weights(proxy, config.groups, weights, seed), manifest, out, quiet=True)
    last = read_log(out / "log.jsonl")[-1]
    losses = {name.split("/")[-1]: value for name, value in last["validation_by_component"].items()}
    missing = [name for name in config.abilities if name not in losses]
    if missing:
        raise WrongCall(
            f"group '{missing[0]}' has nothing held out to be scored by; raise data.validation of the proxy"
        )
    remove_tree(out)
    total = sum(config.abilities.values())
    score = sum(weight * math.exp(-losses[name]) for name, weight in config.abilities.items()) / total
    return {"weights": weights, "score": score, "losses": losses}


def search(config: RatiosConfig, proxy: TrainConfig, manifest: Path, out: Path) -> Iterator[dict[str, Any]]:
    """Trials one after the other, those done before first; each is written before the next begins.

    Every trial has a seed of its own, so that the model of all trials sees the noise of training and
    does not take one seed's luck for a better ratio.
    """
    make_folder(out)
    path = out / TRIALS
    done = read_log(path)
    yield from done
    begin = first_points(config.initial, len(config.groups), config.seed)
    while len(done) < config.trials:
        if len(done) < config.initial:
            point = begin[len(done)]
        else:
            points = np.array([one["weights"] for one in done])
            point = propose(points, np.array([one["score"] for one in done]), config.seed)
        found = {
            "trial": len(done) + 1,
            **trial(
                config, proxy, manifest, out / "trial", proxy.seed + len(done), [round(float(x), 6) for x in point]
            ),
        }
        done.append(found)
        append_line(path, json.dumps(found))
        yield found


def chosen(config: RatiosConfig, trials: list[dict[str, Any]]) -> dict[str, float]:
    """The ratios to train with, by group."""
    point, _ = best_point(np.array([one["weights"] for one in trials]), np.array([one["score"] for one in trials]))
    return {name: round(float(share), 4) for name, share in zip(config.groups, point, strict=True)}


def main() -> None:
    """Entry of the process that trains: CONFIG MANIFEST OUT; trials are told as JSON lines."""
    from schemas.errors import CurateError

    path, manifest, out = (Path(argument) for argument in sys.argv[1:4])
    try:
        config, proxy = load_ratios(path)
        check_groups(config, proxy, load_manifest(manifest))
        for one in search(config, proxy, manifest, out):
            print(json.dumps(one), flush=True)
    except CurateError as error:
        print(f"error: {error}", file=sys.stderr)
        os._exit(error.exit_status)


if __name__ == "__main__":
    main()
