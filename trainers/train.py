"""One stage of training: next-token prediction over blended samples, resumable to the bit.

Run by `curate train`, or on every process of a cluster under torchrun or srun:
`torchrun --nproc-per-node 8 -m trainers.train CONFIG MANIFEST OUT`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from megatron.core.num_microbatches_calculator import (
    init_num_microbatches_calculator,
    unset_num_microbatches_calculator,
)

from schemas.errors import CurateError
from schemas.manifest import Manifest, load_manifest
from storage.json_files import write_json
from storage.places import remove
from trainers.data.datasets import Blended, StageData, stage_data
from trainers.data.integrity import ShardCheck, check_tokenizer
from trainers.data.reader import BatchReader
from trainers.loop import checkpoint
from trainers.loop.checkpoint import Checkpoints
from trainers.loop.forward import run_micro_batches
from trainers.loop.measures import by_part, memory_bytes, utilisation
from trainers.loop.optimizer import apply_gradients, build_optimizer, gradient_norm, group_factors, set_rate
from trainers.loop.position import STOPPED, Position, check_same_run, latest, read_position
from trainers.loop.records import newest_first, read_log
from trainers.loop.spikes import SpikeWatch
from trainers.loop.stopping import StopSignals
from trainers.loop.training_log import TrainingLog
from trainers.loop.validation import validate
from trainers.model.architecture import build_model, wrap_for_data_parallel
from trainers.model.initial import draw, load_hf
from trainers.parallel.groups import is_first, start_parallel, stop_parallel
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
        _Run(config, manifest, folder, out, start, quiet, signals or StopSignals()).train(stop_after)
    finally:
        unset_num_microbatches_calculator()
        stop_parallel()


class _Run:
    """Everything one process holds while it trains."""

    def __init__(
        self,
        config: TrainConfig,
        manifest: Manifest,
        folder: Path,
        out: Path,
        start: Start,
        quiet: bool,
        signals: StopSignals,
    ) -> None:
        self.config, self.out, self.start, self.quiet, self.signals = config, out, start, quiet, signals
        self.manifest, self.folder = manifest, folder
        self.check = ShardCheck(manifest, folder, config)
        trajectory = trajectory_digest(config, start)
        resumed = latest(out)
        if resumed:
            check_same_run(read_position(resumed), manifest.digest, config.data.mixture, trajectory, resumed)
        init_num_microbatches_calculator(
            torch.distributed.get_rank(), None, config.batch.global_, config.batch.micro, config.parallel.data
        )
        self.data: StageData = _first_alone(lambda: stage_data(config, manifest, folder, out / "dataset-cache"))
        self.model = self._model(drawn=resumed is None)
        self.optimizer = build_optimizer(config, self.model)
        self.factors = group_factors(config, self.optimizer)
        self.position = Position(0, 0, manifest.digest, config.data.mixture, trajectory)
        if resumed:
            self.position = checkpoint.restore(resumed, self.model, self.optimizer)
        self.saves = Checkpoints(out, config.checkpoint)

    def _model(self, drawn: bool) -> list[Any]:
        config, start = self.config, self.start
        parts = build_model(config, start.model, start.vocabulary)
        if drawn and start.kind == "drawn":
            draw(parts, start.model, start.vocabulary, config.seed)
        elif drawn and start.hf is not None:
            load_hf(parts, start.model, start.hf)
        model = wrap_for_data_parallel(parts, overlap=torch.cuda.is_available())
        if drawn and start.kind == "checkpoint":
            assert start.folder is not None
            newest = latest(start.folder)
            assert newest is not None
            checkpoint.restore_weights(newest, model)
        for part in model:
            part.broadcast_params()
        return model

    def train(self, stop_after: int | None) -> None:
        """Step until the end; save, validate and log on the way."""
        config, out = self.config, self.out
        last = min(self.data.steps, stop_after or self.data.steps)
        log = TrainingLog(out, self.position, config.log, config.name, self.quiet)
        if is_first():
            write_json(out / "train.json", self._settings())
            write_card(out, config, self.start, self.manifest, self.folder)
            remove(out / STOPPED)
        torch.distributed.barrier()
        watch = self._watch()
        reader = BatchReader(self.data.training, config, self.position.samples)
        self._say_blend(log)
        for part in self.model:
            part.train()
        saved = self.position.step
        try:
            while self.position.step < last:
                step = self.position.step + 1
                values, stop, went_back = self._step(step, reader, log, watch)
                if went_back:
                    torch.distributed.barrier()
                    log.rewind(self.position.step)
                    torch.distributed.barrier()
                    watch = self._watch()
                    reader.close()
                    reader = BatchReader(self.data.training, config, self.position.samples)
                    continue
                if step % config.validation.every == 0 or step == self.data.steps:
                    values |= self._validate()
                log.write(step, values, say=step == 1 or step % 10 == 0 or step == last)
                self.saves.poll()
                if step % config.checkpoint.every == 0 or step == last or stop:
                    self.check.wait()
                    self.saves.save(self.model, self.optimizer, self.position)
                    saved = step
                if stop and step < last:
                    self._stopped(step)
                    break
            self.check.wait()
            self.saves.finish()
        finally:
            reader.close()
            log.close()
        assert saved == self.position.step

    def _watch(self) -> SpikeWatch:
        """What is ordinary by the steps so far, and how many were not; the same on every rank."""
        events = read_log(self.out / "events.jsonl")
        count = sum(1 for one in events if one["event"] == "spike")
        records = (record for _, record in newest_first(self.out / "log.jsonl"))
        return SpikeWatch(self.config.spikes, records, list(self.data.training.components), count)

    def _settings(self) -> dict[str, Any]:
        """What `train.json` says: the recipe, its length in steps, and the data."""
        return {
            "name": self.config.name,
            "stage": self.config.model_dump(mode="json", by_alias=True),
            "total_steps": self.data.steps,
            "manifest": str(self.folder.resolve()),
            "manifest_digest": self.manifest.digest,
        }

    def _step(
        self, step: int, reader: BatchReader, log: TrainingLog, watch: SpikeWatch
    ) -> tuple[dict[str, Any], bool, bool]:
        """One optimizer step; returns what to log, whether a stop was asked for, and whether it went back."""
        config, size = self.config, self.config.batch.at(step)
        started, waited = time.perf_counter(), reader.waited
        rate = set_rate(config, self.optimizer, self.factors, step, self.data.steps)
        for part in self.model:
            part.zero_grad_buffer()
        self.optimizer.zero_grad()
        stop = self.signals.asked or self.check.failed()
        losses = run_micro_batches(config, self.model, reader, config.micro_batches(step), False, stop)
        if losses.stop_asked:
            self.check.raise_if_failed()
        if not losses.tokens:
            documents = documents_of(self.data.training, self.position.samples, size)
            raise CurateError(
                f"step {step}: not one token of its batch is learned (documents {', '.join(documents[:5])}, …): "
                "their answers are masked; look at conversations.template of the recipe"
            )
        norm = gradient_norm(self.optimizer, losses.tokens)
        first = self.position.samples
        parts, tokens = by_part(losses, self.data.training.tags)
        spike = watch.reason(parts["component"], tokens, norm)
        action = config.spikes.action if spike else None
        if spike is None or action == "record":
            apply_gradients(self.optimizer, norm, config.optimizer.clip, losses.tokens)
        if spike:
            self._spike(step, first, size, spike, log, watch)
            if action == "rollback" and self._roll_back(first + size):
                return {}, losses.stop_asked, True
        self.position = replace(self.position, step=step, samples=first + size)
        seconds = time.perf_counter() - started
        speed = size * config.data.sequence_length / seconds
        values: dict[str, Any] = {
            "loss": losses.mean,
            "grad_norm": norm,
            "learning_rate": rate,
            "tokens": (first + size) * config.data.sequence_length,
            "learned_tokens": losses.tokens,
            "first_sample": first,
            "batch": size,
            "tokens_per_second": speed,
            "mfu": utilisation(config, self.start.model, self.start.vocabulary, speed),
            "data_wait_share": (reader.waited - waited) / seconds,
            "memory_bytes": memory_bytes(),
            "loss_by": parts,
        }
        if self.saves.blocked:
            values["save_blocked_seconds"] = self.saves.blocked
            self.saves.blocked = 0.0
        if spike:
            values["spike"] = action
        return values, losses.stop_asked, False

    def _spike(self, step: int, first: int, size: int, reason: str, log: TrainingLog, watch: SpikeWatch) -> None:
        documents = documents_of(self.data.training, first, size)
        action = self.config.spikes.action
        log.event(step, "spike", reason=reason, action=action, first_sample=first, batch=size, documents=documents)
        if action == "stop" or watch.count > self.config.spikes.most:
            why = "" if action == "stop" else f" (more than spikes.most, {self.config.spikes.most})"
            raise CurateError(
                f"step {step}: {reason}{why}; its {len(documents)} documents are in {self.out / 'events.jsonl'}, "
                f"see them with `curate trace --step {step} --checkpoint {self.out}`; lower the learning rate, "
                "or go on past them with spikes: {action: skip}"
            )

    def _roll_back(self, samples: int) -> bool:
        """Back to the last checkpoint, and on with the data after the spike; False where there is none."""
        self.saves.finish()
        newest = latest(self.out)
        if newest is None:
            return False
        position = checkpoint.restore(newest, self.model, self.optimizer)
        self.position = replace(position, samples=samples)
        return True

    def _validate(self) -> dict[str, Any]:
        data = self.data.validation
        return {} if data is None else validate(self.config, self.model, data, self.start.vocabulary)

    def _stopped(self, step: int) -> None:
        self.saves.finish()
        if is_first():
            write_json(self.out / STOPPED, {"step": step, "reason": "asked to stop"})
            print(f"step {step}  asked to stop: saved, call again to go on", file=sys.stderr, flush=True)

    def _say_blend(self, log: TrainingLog) -> None:
        if self.position.step:
            return
        blend = self.data.training.blend
        epochs = blend.epochs({name: one.per_epoch for name, one in self.data.training.components.items()})
        shown = ", ".join(f"{name} {times:.2f} times" for name, times in epochs.items())
        log.event(0, "blend", reason=f"over {self.data.steps} steps each document comes: {shown}", epochs=epochs)
        for name, at in blend.ran_out.items():
            log.event(0, "cap", reason=f"{name} reaches data.max_epochs at sample {at}; others take its share")


def _first_alone(build: Callable[[], StageData]) -> StageData:
    """The first rank writes Megatron's sample indices before the others read them."""
    built = build() if is_first() else None
    torch.distributed.barrier()
    return built or build()


def documents_of(data: Blended, first: int, size: int) -> list[str]:
    """Ids of all documents in a step's samples, each once."""
    return sorted({document for index in range(first, first + size) for _, document in data.documents(index)})


def main() -> None:
    """Entry for torchrun and srun: CONFIG MANIFEST OUT [STOP_AFTER]."""
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
    finally:
        signals.close()


if __name__ == "__main__":
    main()
