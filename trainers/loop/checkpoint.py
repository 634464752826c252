"""Distributed checkpoints that say what they were trained on and how far.

A checkpoint is a folder `step-00000100`, written under a temporary name and renamed when whole, so
that a killed save leaves nothing that looks like a checkpoint. Saving goes on beside training: each
rank forks a writer that holds the state as it was (Megatron-Core's own way), and the folder is
renamed once all writers of all ranks are done.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies.async_utils import AsyncCallsQueue
from megatron.core.dist_checkpointing.strategies.torch import TorchDistSaveShardedStrategy
from torch.distributed.checkpoint.api import CheckpointException

from schemas.errors import CurateError
from storage.json_files import write_json
from storage.places import make_folder, remove_tree, rename
from trainers.loop.checksums import checked_while, write_checksums
from trainers.loop.optimizer import parts_of
from trainers.loop.position import Position, checkpoint_folder, read_position
from trainers.model.saved_weights import check_harmless
from trainers.parallel.groups import is_first
from trainers.stage import CheckpointConfig


def _sharding() -> dict[str, Any]:
    """How the optimizer's state is cut; Megatron adds the process group of the moment, so each call has its own."""
    return {"distrib_optim_sharding_type": "fully_reshardable", "distrib_optim_fully_reshardable_mem_efficient": False}


def model_state(model: Sequence[Any]) -> dict[str, Any]:
    """Sharded weights of this rank's parts of the model."""
    return {f"model{n}": part.module.sharded_state_dict(metadata=_sharding()) for n, part in enumerate(model)}


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Megatron collects garbage before it lists the optimizer's state, which takes longer than all the rest."""
    collect = gc.collect
    gc.collect = lambda *args: 0  # type: ignore[method-assign]
    try:
        yield
    finally:
        gc.collect = collect  # type: ignore[method-assign]


def _state(model: Sequence[Any], optimizer: Any, loading: bool) -> dict[str, Any]:
    _with_empty_moments(optimizer)
    with _without_collecting():
        weights = model_state(model)
        return {**weights, "optimizer": optimizer.sharded_state_dict(weights, is_loading=loading, metadata=_sharding())}


class Checkpoints:
    """Saves of one run, at most one of them under way."""

    def __init__(self, out: Path, settings: CheckpointConfig) -> None:
        self.out, self.settings = out, settings
        self.queue = AsyncCallsQueue()
        self.blocked = 0.0
        self._under_way: tuple[Path, Position, float] | None = None
        self.last_seconds = self.last_blocked = 0.0

    def save(self, model: Sequence[Any], optimizer: Any, position: Position) -> None:
        """Begin to write a checkpoint from all ranks; training may go on when this returns."""
        self.finish()
        started = time.perf_counter()
        temporary = self._temporary(position.step)
        if is_first():
            remove_tree(temporary)
            make_folder(temporary)
        torch.distributed.barrier()
        strategy = TorchDistSaveShardedStrategy("torch_dist", 1, thread_count=1)
        request = dist_checkpointing.save(
            _state(model, optimizer, loading=False),
            str(temporary),
            strategy,
            async_sharded_save=True,
            content_metadata=_sharding(),
        )
        self._under_way = (temporary, position, started)
        self.queue.schedule_async_request(request)
        if not self.settings.asynchronous:
            self.finish()
        self.blocked = self.last_blocked = time.perf_counter() - started

    def poll(self) -> None:
        """Rename a checkpoint that all ranks have finished writing; called once a step by all ranks."""
        self._finalize(blocking=False)

    def finish(self) -> None:
        """Wait for the save under way."""
        self._finalize(blocking=True)

    def give_up(self) -> None:
        """Leave no writer behind where training has failed: alone the save is finished, else only its end is awaited.

        Other ranks may be elsewhere, so that nothing is asked of them.
        """
        if torch.distributed.get_world_size() == 1:
            with contextlib.suppress(CurateError):
                self.finish()
        while self.queue.async_calls:
            self.queue.async_calls.popleft().async_caller.close()
        self._under_way = None

    def _finalize(self, blocking: bool) -> None:
        if self._under_way is None:
            return
        try:
            done = self.queue.maybe_finalize_async_calls(blocking=blocking)
        except (Exception, CheckpointException) as error:
            position = self._under_way[1]
            self._under_way = None
            raise CurateError(
                f"the checkpoint of step {position.step} could not be written to {self.out}: {_first_line(error)}; "
                "the one before is kept, free space and call again to go on"
            ) from error
        if done:
            self._complete()

    def _complete(self) -> None:
        assert self._under_way is not None
        temporary, position, started = self._under_way
        self._under_way = None
        self.last_seconds = time.perf_counter() - started
        if is_first():
            write_json(temporary / "position.json", asdict(position))
        torch.distributed.barrier()
        write_checksums(temporary)
        if is_first():
            target = checkpoint_folder(self.out, position.step)
            remove_tree(target)
            rename(temporary, target)
            self._drop_old()
        torch.distributed.barrier()

    def _temporary(self, step: int) -> Path:
        target = checkpoint_folder(self.out, step)
        return target.with_name(f".{target.name}.part")

    def _drop_old(self) -> None:
        every = self.settings.keep_every
        for old in sorted((self.out / "checkpoints").glob("step-*"))[: -self.settings.keep]:
            if every is None or int(old.name.removeprefix("step-")) % every:
                remove_tree(old)


def _first_line(error: BaseException) -> str:
    if isinstance(error, CheckpointException) and error.failures:  # what went wrong on the first rank that failed
        error = next(iter(error.failures.values()))[0]
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def _with_empty_moments(optimizer: Any) -> None:
    """Give torch's Adam its moments before the first step; Megatron fills them in place on loading."""
    for part in parts_of(optimizer):
        inner = part.optimizer
        for group in inner.param_groups:
            for parameter in group["params"]:
                if not inner.state[parameter]:
                    inner.state[parameter] = {
                        "step": torch.zeros((), dtype=torch.float32),
                        "exp_avg": torch.zeros_like(parameter),
                        "exp_avg_sq": torch.zeros_like(parameter),
                    }


def _with_own_steps(optimizer: Any) -> None:
    """Megatron gives all parameters one step counter on loading, which torch's Adam would advance for each."""
    for part in parts_of(optimizer):
        for state in part.optimizer.state.values():
            if isinstance(state.get("step"), torch.Tensor):
                state["step"] = state["step"].clone()


def save_weights(model: Sequence[Any], folder: Path) -> None:
    """Write the weights alone, from all ranks together, and wait for it."""
    strategy = TorchDistSaveShardedStrategy("torch_dist", 1, thread_count=1)
    dist_checkpointing.save(model_state(model), str(folder), strategy, content_metadata=_sharding())


def restore(folder: Path, model: Sequence[Any], optimizer: Any) -> Position:
    """Load weights and optimizer; layouts other than the saved one are resharded."""
    loaded = _load(_state(model, optimizer, loading=True), folder)
    _set_weights(model, loaded)
    optimizer.load_state_dict(loaded["optimizer"])
    _with_own_steps(optimizer)
    return read_position(folder)


def restore_weights(folder: Path, model: Sequence[Any], left: Callable[[str], bool] = lambda name: False) -> None:
    """Load only the weights of a checkpoint; those whose names are `left` keep what they begin with."""
    state = model_state(model)
    for weights in state.values():
        for name in [one for one in weights if left(one)]:
            del weights[name]
    _set_weights(model, _load(state, folder), left)


def _set_weights(
    model: Sequence[Any], loaded: dict[str, Any], left: Callable[[str], bool] = lambda name: False
) -> None:
    for number, part in enumerate(model):
        missing, unknown = part.module.load_state_dict(loaded[f"model{number}"], strict=False)
        # Megatron's layers have `_extra_state` entries that hold nothing.
        missing = [name for name in missing if not left(name) and not name.endswith("_extra_state")]
        if missing or unknown:
            raise CurateError(f"the checkpoint does not fit the model: {', '.join([*missing, *unknown][:5])}")


def _load(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    def read() -> dict[str, object]:
        check_harmless(folder)
        return dict(dist_checkpointing.load(state, str(folder)))

    try:
        return checked_while(folder, read)
    except CurateError:
        raise
    except (Exception, CheckpointException) as error:
        raise CurateError(
            f"checkpoint {folder} cannot be read: {_first_line(error)}; "
            "delete it, or call again with --fallback, to go on from the one before"
        ) from error
