"""One stage of training: what its recipe says, put together and run, resumable to the bit.

Run by `curate train`, or on every process of a cluster under torchrun or srun:
`torchrun --nproc-per-node 8 -m trainers.train CONFIG MANIFEST OUT`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from megatron.core.num_microbatches_calculator import (
    init_num_microbatches_calculator,
    unset_num_microbatches_calculator,
)

from schemas.errors import EXIT_FAILED, CurateError, WrongCall, told_by_system
from schemas.manifest import Manifest, load_manifest
from storage.json_files import read_whole_json, write_json
from storage.lease import leased
from trainers.data.datasets import StageData, in_order, stage_data
from trainers.data.integrity import ShardCheck, check_tokenizer
from trainers.loop import checkpoint
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.experiment import Experiment, Hook
from trainers.loop.hooks.logging import Logging, SaidBlend
from trainers.loop.hooks.saving import Saving
from trainers.loop.hooks.shards import CheckedShards
from trainers.loop.hooks.spikes import Spikes
from trainers.loop.hooks.stopping import Stopping
from trainers.loop.hooks.validation import Validation
from trainers.loop.optimizer import build_optimizer, group_factors
from trainers.loop.position import Position, latest, read_position
from trainers.loop.resuming import APPENDED, LENGTHS, Change, appended_data, check_same_run
from trainers.loop.source import BatchSource, ShardSource
from trainers.loop.stopping import StopSignals
from trainers.loop.training_log import TrainingLog
from trainers.model.architecture import PackedGPTModel, build_model, wrap_for_data_parallel
from trainers.model.initial import draw, load_hf
from trainers.model.lora import is_adapter
from trainers.model.reward_head import is_head
from trainers.objectives.objective import objective_of
from trainers.parallel.groups import is_first, start_parallel, stop_parallel
from trainers.parallel.waiting import first_alone
from trainers.parallel.watchdog import Watchdog
from trainers.preference.quality_hook import RewardQuality
from trainers.rl.stage import rollouts_of
from trainers.stage import TrainConfig, load_stage
from trainers.start import Start, find_start, trajectory_digest, write_card


def train_stage(
    config: TrainConfig,
    manifest_path: Path,
    out: Path,
    stop_after: int | None = None,
    quiet: bool = False,
    signals: StopSignals | None = None,
) -> None:
    """Train to the end of the schedule, to `stop_after`, or until asked to stop; goes on where `out` ends."""
    folder = manifest_path if manifest_path.is_dir() else manifest_path.parent
    manifest = load_manifest(manifest_path)
    check_tokenizer(manifest, folder)
    start = find_start(config, manifest)
    start_parallel(config)
    try:
        with _only_writer(out, config.name), _watched(config):
            experiment(config, manifest, folder, out, start, stop_after, quiet, signals or StopSignals()).train()
    finally:
        unset_num_microbatches_calculator()
        stop_parallel()


def _watched(config: TrainConfig) -> contextlib.AbstractContextManager[object]:
    """Reinforcement learning waits for samplers, servers and judges: what hangs there is named."""
    return contextlib.nullcontext() if config.rl is None else Watchdog(config.rl.hang_seconds)


@contextlib.contextmanager
def _only_writer(out: Path, name: str) -> Iterator[None]:
    """The first rank holds the folder's lease; where it cannot, all ranks are refused with its words."""
    with contextlib.ExitStack() as held:
        refused: list[str | None] = [None]
        if is_first():
            try:
                held.enter_context(leased(out, f"training {name}", lambda text: print(text, file=sys.stderr)))
            except WrongCall as error:
                refused = [f"{out} is {error}"]
        torch.distributed.broadcast_object_list(refused, 0)
        if refused[0]:
            raise WrongCall(refused[0])
        yield


def experiment(
    config: TrainConfig,
    manifest: Manifest,
    folder: Path,
    out: Path,
    start: Start,
    stop_after: int | None,
    quiet: bool,
    signals: StopSignals,
) -> Experiment:
    """A stage that learns from shards, ready to train from where `out` ends."""
    whole = partial(trajectory_digest, start=start)
    trajectory = whole(config)
    resumed = latest(out)
    changes: list[Change] = []
    if resumed:
        changes = check_same_run(read_position(resumed), manifest.digest, config, whole, resumed)
    appended = appended_data(config, manifest, out, resumed)
    check = ShardCheck(manifest, folder, config, appended)
    init_num_microbatches_calculator(
        torch.distributed.get_rank(), None, config.batch.global_, config.batch.micro, config.parallel.data
    )
    objective = objective_of(config)
    data = None
    if config.rl is None:
        ordered = in_order(config, _order_before(out)) if resumed and config.data.order is None else config
        cache = out / "dataset-cache"
        data = first_alone(lambda: stage_data(ordered, manifest, folder, cache, objective.samples, appended))
        if resumed and data.order == "megatron" and any(change.field in (*LENGTHS, APPENDED) for change in changes):
            _check_within_an_epoch(data, out)
    model = first_model(config, start, drawn=resumed is None)
    frozen: list[Any] = []
    if objective.frozen:  # beside adapters the base is there already, and nothing changes it
        frozen = model if config.lora is not None else frozen_model(config, start)
    optimizer = build_optimizer(config, model)
    factors = group_factors(config, optimizer)
    position = Position(0, 0, manifest.digest, config.data.mixture, trajectory)
    if resumed:
        position = checkpoint.restore(resumed, model, optimizer)
    digests = list(dict.fromkeys((position.trajectory_digest, trajectory)))
    position = replace(position, trajectory_digest=trajectory)
    log = TrainingLog(out, position, config.log, config.name, quiet)
    for change in changes:
        log.event(position.step, "changed", reason=str(change), **asdict(change))
    total = config.schedule.steps or 0 if data is None else data.steps
    if total and config.schedule.warmup >= total:
        raise WrongCall(
            f"schedule.warmup ({config.schedule.warmup}) must be below the length of the run, {total} steps; shorten it"
            " or give more tokens"
        )
    if is_first():
        kept = _kept(data, out, changes, position.step, digests)
        joined = {"appended": [one.told() for one in appended]} if appended else {}
        write_json(out / "train.json", {**_settings(config, total, manifest, folder), **kept, **joined})
        write_card(out, config, start, manifest, folder, [one.manifest.digest for one in appended])
    torch.distributed.barrier()
    source: BatchSource
    if data is None:
        learned = rollouts_of(config, manifest, folder, out, start.vocabulary, position.step, objective)
        source, hooks = learned.source, learned.hooks(check, log, Checkpoints(out, config.checkpoint), signals)
    else:
        source = ShardSource(data.training, config, position.samples)
        hooks = _hooks(config, out, data, check, log, signals)
    return Experiment(
        config=config,
        shape=start.model,
        vocabulary=start.vocabulary,
        out=out,
        model=model,
        optimizer=optimizer,
        factors=factors,
        objective=objective,
        source=source,
        position=position,
        total=total,
        last=min(total, stop_after or total),
        hooks=hooks,
        frozen=frozen,
    )


def _hooks(
    config: TrainConfig, out: Path, data: StageData, check: ShardCheck, log: TrainingLog, signals: StopSignals
) -> list[Hook]:
    """In the order in which they see a step: a record holds its validation, a save comes after its record."""
    saves = Checkpoints(out, config.checkpoint)
    return [
        CheckedShards(check),
        Validation(data.validation),
        *([RewardQuality(data.validation)] if config.reward is not None else []),
        Logging(log),
        Spikes(log, saves, list(data.training.components)),
        SaidBlend(log, data.training),
        Saving(saves, check),
        Stopping(signals, saves),
    ]


def _settings(config: TrainConfig, steps: int, manifest: Manifest, folder: Path) -> dict[str, Any]:
    """What `train.json` says: the recipe, its length in steps, and the data."""
    return {
        "name": config.name,
        "stage": config.model_dump(mode="json", by_alias=True),
        "total_steps": steps,
        "manifest": str(folder.resolve()),
        "manifest_digest": manifest.digest,
    }


def _order_before(out: Path) -> str:
    """In which order the run read its data so far; runs of before there was a choice: Megatron's."""
    told = read_whole_json(out / "train.json")
    return str(told.get("order", "megatron")) if isinstance(told, dict) else "megatron"


def _kept(data: StageData | None, out: Path, changes: list[Change], step: int, digests: list[str]) -> dict[str, Any]:
    """What `train.json` keeps for whoever goes on: the order of the data, digests so far, what was changed when."""
    told = read_whole_json(out / "train.json")
    before = told if isinstance(told, dict) and step else {}
    changed = [*before.get("changed", []), *({"step": step, **asdict(one)} for one in changes)]
    others = [one for one in before.get("trajectories", []) if one not in digests]
    return {
        **({"order": data.order} if data else {}),
        "trajectories": [*others, *digests],  # the last is the recipe's own
        **({"changed": changed} if changed else {}),
    }


def _check_within_an_epoch(data: StageData, out: Path) -> None:
    """Megatron draws the order of all epochs at once: a longer run has another order from its first step on."""
    again = data.training.blend.epochs({name: one.per_epoch for name, one in data.training.components.items()})
    if any(count > 1 for count in again.values()):
        raise WrongCall(
            f"the data of {out} are read in Megatron's order, which a run of more than one epoch changes from its "
            f"first step on; start another run from it (another --out, parent: {out})"
        )


def first_model(config: TrainConfig, start: Start, drawn: bool) -> list[Any]:
    """The model that is trained, with its first weights where nothing will be restored into it."""
    parts = build_model(config, start.model, start.vocabulary)
    if drawn and start.kind != "checkpoint":
        _fill(parts, config, start)
    model = wrap_for_data_parallel(parts, overlap=torch.cuda.is_available())
    if drawn and start.kind == "checkpoint":
        _restore_parent(start, model)
    for part in model:
        part.broadcast_params()
    return model


def frozen_model(config: TrainConfig, start: Start) -> list[Any]:
    """A second model with the weights that the stage starts from, which nothing changes: no gradients, no optimizer."""
    parts = build_model(config.model_copy(update={"lora": None}), start.model, start.vocabulary)
    if start.kind == "checkpoint":
        _restore_parent(start, [SimpleNamespace(module=part) for part in parts])
    else:
        _fill(parts, config, start)
    for part in parts:
        part.eval()
        part.requires_grad_(False)
    return parts


def _fill(parts: list[PackedGPTModel], config: TrainConfig, start: Start) -> None:
    if start.hf is not None:
        load_hf(parts, start.model, start.hf)
    else:
        draw(parts, start.model, start.vocabulary, config.seed)


def _restore_parent(start: Start, model: list[Any]) -> None:
    assert start.folder is not None
    newest = latest(start.folder)
    assert newest is not None
    scored = start.stage == "reward_model"  # its head goes on; adapters it has none, they were merged
    checkpoint.restore_weights(newest, model, lambda name: is_adapter(name) or (is_head(name) and not scored))


def _told_by_the_main_thread(told: threading.ExceptHookArgs) -> None:
    """A library's writer that runs out of space fails again in the main thread, where it is told in one line."""
    if not isinstance(told.exc_value, OSError):
        threading.__excepthook__(told)


def main() -> None:
    """Entry for torchrun and srun: CONFIG MANIFEST OUT [STOP_AFTER]."""
    threading.excepthook = _told_by_the_main_thread
    signals = StopSignals()
    signals.listen()
    config, manifest, out = (Path(argument) for argument in sys.argv[1:4])
    stop_after = int(sys.argv[4]) if len(sys.argv) > 4 else None
    if not torch.cuda.is_available() and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    try:
        quiet = bool(os.environ.get("CURATE_QUIET"))
        train_stage(load_stage(config), manifest, out, stop_after, quiet, signals)
    except CurateError as error:
        if int(os.environ.get("RANK", "0")) == 0:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:  # a full disk, a folder that vanished: no fault of the code
        if os.environ.get("CURATE_DEBUG"):
            raise
        print(f"error: {told_by_system(error, out)}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    finally:
        signals.close()


if __name__ == "__main__":
    main()
