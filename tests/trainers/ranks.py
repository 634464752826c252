"""Jobs on sets of gloo processes that stay for all tests: importing torch and Megatron-Core is paid once.

`run(world, jobs)` hands jobs to the processes of that world; a job is the name of a function below and
its arguments. Where a job fails its processes end, and the next call starts others.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import time
import warnings
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from tests.warm import SERVER, Warm

REPOSITORY = Path(__file__).resolve().parents[2]
Job = tuple[str, dict[str, Any]]


class _Group:
    """Processes that stay for the jobs of many tests, until one of them fails."""

    def __init__(self, world: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.ways: list[Connection] = []
        self.processes: list[Warm] = []
        for rank in range(world):
            told = {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(world),
                "LOCAL_WORLD_SIZE": str(world),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
            }
            ours, theirs = SERVER.Pipe()
            process = Warm(serve, theirs, environment={**os.environ, **told}, cwd=REPOSITORY)
            theirs.close()
            self.ways.append(ours)
            self.processes.append(process)

    def perform(self, jobs: list[Job], timeout: float) -> list[str]:
        """What every process that failed wrote; where one did, all are ended."""
        for way in self.ways:
            way.send(jobs)
        until = time.monotonic() + timeout
        done = [_ended_well(way, until) for way in self.ways]
        if all(done):
            return []
        self.end()
        return [process.written(1) for process, well in zip(self.processes, done, strict=True) if not well]

    def end(self) -> None:
        """The processes end by themselves where they can, else at once."""
        for way in self.ways:
            way.close()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ended_well(way: Connection, until: float) -> bool:
    """Whether a process says that its jobs are done before it ends, and in time."""
    try:
        return way.poll(max(0.0, until - time.monotonic())) and bool(way.recv())
    except (EOFError, OSError):
        return False


_groups: dict[int, _Group] = {}
atexit.register(lambda: [group.end() for group in _groups.values()])


def run(world: int, jobs: list[Job], timeout: float = 300.0, check: bool = True) -> list[str]:
    """Perform jobs, one after the other, on `world` processes; returns what those that failed wrote."""
    if world not in _groups:
        _groups[world] = _Group(world)
    group = _groups[world]
    wrong = group.perform(jobs, timeout)
    if wrong:
        del _groups[world]
    if check:
        first = sorted(wrong, key=lambda error: "Connection closed by peer" in error)
        assert not wrong, first[0][-4000:]
    return wrong


def train(
    config: str,
    manifest: str,
    out: str,
    stop_after: int | None = None,
    refused: str | None = None,
    status: int | None = None,
) -> None:
    """One stage; with `refused` it must end with an error that says so, with `status` one of this exit status."""
    from schemas.errors import CurateError
    from trainers.stage import load_stage
    from trainers.train import train_stage

    told, ended = None, None
    try:
        train_stage(load_stage(Path(config)), Path(manifest), Path(out), stop_after, quiet=True)
    except CurateError as error:
        told, ended = str(error), error.exit_status
    assert (told is None) if refused is None else refused in str(told), told
    assert status is None or ended == status, told


def toys(config: str, manifest: str, out: str) -> None:
    """A stage whose objective looks at a frozen model, and whose batches are made between steps."""
    import torch

    from schemas.manifest import load_manifest
    from tests.trainers.toys import MadeBetween
    from trainers.loop.stopping import StopSignals
    from trainers.parallel.groups import is_first, start_parallel, stop_parallel
    from trainers.stage import load_stage
    from trainers.start import find_start
    from trainers.train import experiment

    loaded, told = load_stage(Path(config)), load_manifest(Path(manifest))
    start_parallel(loaded)
    run = experiment(loaded, told, Path(manifest), Path(out), find_start(loaded, told), None, True, StopSignals())
    run.source.close()
    run.source = MadeBetween(run.source.data, loaded, 0)
    before = [parameter.detach().clone() for part in run.frozen for parameter in part.parameters()]
    run.train()
    after = [parameter for part in run.frozen for parameter in part.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True)), "frozen is frozen"
    if is_first():
        Path(out, "seen.json").write_text(json.dumps(run.source.seen))
    from megatron.core.num_microbatches_calculator import unset_num_microbatches_calculator

    unset_num_microbatches_calculator()
    stop_parallel()


def left_while_saving(config: str, manifest: str, out: str) -> None:
    """Training ends by an error while a save is under way; what the same process saves next is what the model holds."""
    import torch
    from megatron.core.dist_checkpointing.strategies import filesystem_async

    from schemas.errors import CurateError
    from schemas.manifest import load_manifest
    from trainers.loop.checkpoint import checkpoint_folder, save_weights
    from trainers.loop.experiment import Experiment, Hook, Step
    from trainers.loop.stopping import StopSignals
    from trainers.model.saved_weights import SavedWeights
    from trainers.parallel.groups import is_first, start_parallel, stop_parallel
    from trainers.stage import load_stage
    from trainers.start import find_start
    from trainers.train import experiment

    class Fails(Hook):
        def after(self, run: Experiment, step: Step) -> None:
            if step.number == 2:
                raise CurateError("it fails here")

    loaded, told = load_stage(Path(config)), load_manifest(Path(manifest))
    start_parallel(loaded)
    run = experiment(loaded, told, Path(manifest), Path(out), find_start(loaded, told), None, True, StopSignals())
    run.hooks = [*run.hooks, Fails()]
    with contextlib.suppress(CurateError):
        run.train()
    assert run.position.step == 2
    if torch.distributed.get_world_size() == 1:
        assert checkpoint_folder(Path(out), 2).is_dir(), "alone, what was under way is finished"
    time.sleep(0.3)
    assert filesystem_async._get_write_results_queue().empty(), "the next save would take it for its own"
    folder = Path(out) / "weights"
    if is_first():
        folder.mkdir()
    torch.distributed.barrier()
    save_weights(run.model, folder)
    if is_first():
        saved = SavedWeights(folder)
        for name in ("embedding.word_embeddings.weight", "decoder.final_layernorm.weight"):
            assert torch.equal(saved.read(name), dict(run.model[0].module.named_parameters())[name]), name
    from megatron.core.num_microbatches_calculator import unset_num_microbatches_calculator

    unset_num_microbatches_calculator()
    stop_parallel()


def threads(most_more: int, config: str, manifest: str, out: str) -> None:
    """Models of earlier stages, their process groups and gloo's threads are let go when a stage ends."""
    import gc

    for number in range(3):
        train(config, manifest, f"{out}-{number}")
        gc.collect()
        if number == 0:
            before = psutil.Process().num_threads()
    assert psutil.Process().num_threads() <= before + most_more


def waits(seconds: float, limit: float, fails: bool = False) -> None:
    """The first rank works alone for longer than the process group's limit."""
    import time
    from datetime import timedelta

    import torch

    from trainers.parallel import waiting
    from trainers.parallel.groups import is_first

    torch.distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=limit), torch.distributed.group.WORLD)
    waiting.SILENCE_SECONDS = 2.5

    def build() -> int:
        if is_first():
            time.sleep(seconds)
            if fails:
                raise ValueError("no index")
        return 1

    assert waiting.first_alone(build) == 1


def pack_and_alone(config: str, manifest: str) -> None:
    """Losses of packs are those of their conversations alone, token by token."""
    import torch

    from schemas.manifest import load_manifest
    from trainers.data.datasets import stage_data
    from trainers.data.reader import collate
    from trainers.model.architecture import build_model
    from trainers.model.initial import draw
    from trainers.parallel.groups import start_parallel, stop_parallel
    from trainers.stage import load_stage
    from trainers.start import find_start

    stage, told = load_stage(Path(config)), load_manifest(Path(manifest))
    start = find_start(stage, told)
    start_parallel(stage)
    (model,) = build_model(stage, start.model, start.vocabulary)
    draw([model], start.model, start.vocabulary, 3)
    model.eval()
    data = stage_data(stage, told, Path(manifest), Path(config).parent / "cache").training
    for index in range(3):
        batch = collate([data[index]])
        with torch.no_grad():
            packed = model(batch["tokens"], batch["positions"], batch["sequences"], labels=batch["labels"])[0]
            for number in range(int(batch["sequences"].max()) + 1):
                own = batch["sequences"][0] == number
                tokens, labels = batch["tokens"][:, own], batch["labels"][:, own]
                alone = model(tokens, torch.arange(tokens.shape[1])[None], None, labels=labels)[0]
                assert float((packed[own] - alone).abs().max()) < 1e-5
                mask = batch["loss_mask"][0, own]
                assert abs(float((packed[own] * mask).sum() - (alone * mask).sum())) < 1e-5 * max(
                    1.0, float(mask.sum())
                )
    stop_parallel()


def greedy(config: str, manifest: str, out: str, tokens: int) -> None:
    """The likeliest answers to the prompts of a stage of reinforcement learning, prompt and answer, as JSON."""
    from trainers.generation.generate import Asked, generate
    from trainers.generation.sampling import Sampling
    from trainers.rl.difficulty import answering
    from trainers.rl.source import bare
    from trainers.stage import load_stage

    with answering(load_stage(Path(config)), Path(manifest), 1) as (source, model, _):
        asked = [Asked(one.ids, number, range(1)) for number, one in enumerate(source.prompts)]
        sampling = Sampling(temperature=0.0, max_tokens=tokens)
        answers = generate(bare(model), asked, sampling, source.ends, source.vocabulary, 0, 0)
        told = [[list(asked[one.prompt].ids), one.ids] for one in answers]
    Path(out).write_text(json.dumps(told))


def hang(bound: float) -> None:
    """The second rank stands still within its work, and the first one waits for it."""
    import torch

    from trainers.parallel.watchdog import Watchdog, bounded_elsewhere, tick

    rank = torch.distributed.get_rank()
    with Watchdog(bound):
        with bounded_elsewhere("asking a judge"):
            time.sleep(1.5 * bound)
        tick("working")
        if rank == 1:
            tick("sampling token 7 of prompt 3")
            time.sleep(600)
        for _ in range(10):
            time.sleep(bound / 20)
            tick("gathering answers")
        torch.distributed.barrier()


def resave(config: str, manifest: str, source: str, out: str) -> None:
    """Load a checkpoint in the layout of `config`, whichever saved it, and save it again as a model of its own."""
    import shutil

    from schemas.manifest import load_manifest
    from trainers.loop.checkpoint import Checkpoints, restore
    from trainers.loop.optimizer import build_optimizer
    from trainers.loop.position import latest
    from trainers.model.architecture import build_model, wrap_for_data_parallel
    from trainers.parallel.groups import is_first, start_parallel, stop_parallel
    from trainers.stage import load_stage
    from trainers.start import find_start

    stage = load_stage(Path(config))
    start = find_start(stage, load_manifest(Path(manifest)))
    start_parallel(stage)
    model = wrap_for_data_parallel(build_model(stage, start.model, start.vocabulary), overlap=False)
    optimizer = build_optimizer(stage, model)
    newest = latest(Path(source))
    assert newest is not None
    position = restore(newest, model, optimizer)
    _listed_as_by_megatron(model, optimizer)
    saves = Checkpoints(Path(out), stage.checkpoint)
    saves.save(model, optimizer, position)
    saves.finish()
    if is_first():
        shutil.copyfile(Path(source) / "model.json", Path(out) / "model.json")
    stop_parallel()


def _listed_as_by_megatron(model: list[Any], optimizer: Any) -> None:
    """The shares of the optimizer's state on all data ranks are what Megatron gathers: names, places and bits."""
    import torch

    from trainers.loop.checkpoint import _sharding, model_state
    from trainers.loop.optimizer import parts_of
    from trainers.parallel import megatron_changes

    listings = (megatron_changes._state_without_gathering, megatron_changes._gathered_state)
    for part in parts_of(optimizer):
        ours, theirs = (listed(part, model_state(model), metadata=_sharding()) for listed in listings)
        assert len(theirs) > 10
        covered = torch.zeros(len(theirs), 3, dtype=torch.long)
        for number, expected in theirs.items():
            for at, (name, gathered) in enumerate(sorted(expected.items())):
                pieces = gathered.build() if hasattr(gathered, "build") else [gathered]
                whole = torch.full(
                    pieces[0].global_shape, float("nan"), dtype=pieces[0].dtype
                )  # not a number elsewhere
                for piece in pieces:
                    whole[piece.global_slice()] = piece.data
                    if part.data_parallel_group.rank() == 0:
                        covered[number, at] -= piece.data.numel()
                for box in ours.get(number, {}).get(name, []):
                    assert (box.key, box.global_shape) == (pieces[0].key, pieces[0].global_shape)
                    assert box.replica_id[:2] == pieces[0].replica_id[:2]
                    assert torch.equal(box.data, whole[box.global_slice()])
                    covered[number, at] += box.data.numel()
        torch.distributed.all_reduce(covered, group=part.data_parallel_group)
        assert not covered.any(), "each element is on one data rank"


def adopt(config: str, manifest: str, hf: str, out: str) -> None:
    """Load a Hugging Face folder and save it as a checkpoint of ours, untrained."""
    from trainers.loop.checkpoint import Checkpoints
    from trainers.loop.optimizer import build_optimizer
    from trainers.loop.position import Position
    from trainers.model.architecture import build_model, wrap_for_data_parallel
    from trainers.model.card import ModelCard
    from trainers.model.hf_folder import HfFolder
    from trainers.model.initial import load_hf
    from trainers.parallel.groups import is_first, start_parallel, stop_parallel
    from trainers.stage import load_stage

    stage, folder = load_stage(Path(config)), HfFolder(Path(hf))
    start_parallel(stage)
    parts = build_model(stage, folder.model, folder.vocabulary)
    load_hf(parts, folder.model, folder)
    model = wrap_for_data_parallel(parts, overlap=False)
    saves = Checkpoints(Path(out), stage.checkpoint)
    saves.save(model, build_optimizer(stage, model), Position(1, 0, "", "", ""))
    saves.finish()
    if is_first():
        card = ModelCard(model=folder.model, vocabulary=folder.vocabulary, tokenizer_digest="", end_of_text="", stage="cpt", sequence_length=128, manifest_digest="")  # fmt: skip
        (Path(out) / "model.json").write_text(card.model_dump_json())
    stop_parallel()


def logits(config: str, tokens: str, out: str, hf: str | None = None, model: str | None = None) -> None:
    """Logits on sequences of mixed length of a Hugging Face folder's model or of ours; saved by one rank."""
    from trainers.loop.checkpoint import restore_weights
    from trainers.loop.position import latest
    from trainers.model.architecture import build_model, wrap_for_data_parallel
    from trainers.model.card import read_card
    from trainers.model.hf_folder import HfFolder
    from trainers.model.initial import load_hf
    from trainers.parallel.groups import start_parallel, stop_parallel
    from trainers.stage import load_stage

    stage = load_stage(Path(config))
    start_parallel(stage)
    if hf is not None:
        folder = HfFolder(Path(hf))
        parts = build_model(stage, folder.model, folder.vocabulary)
        load_hf(parts, folder.model, folder)
        vocabulary = folder.vocabulary
    else:
        card = read_card(Path(str(model)))
        parts, vocabulary = build_model(stage, card.model, card.vocabulary), card.vocabulary
        newest = latest(Path(str(model)))
        assert newest is not None
        restore_weights(newest, wrap_for_data_parallel(parts, overlap=False))
    _save_logits(parts, vocabulary, Path(tokens), out)
    stop_parallel()


def _save_logits(parts: list[Any], vocabulary: int, tokens: Path, out: str) -> None:
    import torch
    from megatron.core import parallel_state
    from megatron.core.distributed import finalize_model_grads
    from megatron.core.pipeline_parallel import get_forward_backward_func
    from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region

    parts[0].eval()
    parts[0].config.finalize_model_grads_func = finalize_model_grads
    found = []
    for row in json.loads(tokens.read_text()):
        ids = torch.tensor([row])

        def forward(batches: Any, part: Any, ids: Any = ids) -> Any:
            output = part(ids, torch.arange(ids.shape[1])[None], None)
            return output, lambda last: (torch.zeros(()), torch.zeros((), dtype=torch.int), {"logits": last})

        with torch.no_grad():
            told = get_forward_backward_func()(
                forward_step_func=forward, data_iterator=iter([]), model=parts, num_microbatches=1,
                seq_length=ids.shape[1], micro_batch_size=1, forward_only=True,
            )  # fmt: skip
        if parallel_state.is_pipeline_last_stage():
            found.append(gather_from_tensor_model_parallel_region(told[0]["logits"])[0, :, :vocabulary])
    if found and parallel_state.get_tensor_model_parallel_rank() == 0:
        torch.save(found, out)


def serve(way: Connection) -> None:
    """Perform jobs as they come, as one rank of its world."""
    import torch

    from trainers.parallel.cpu_layer import activate_cpu_layer

    warnings.simplefilter("ignore")
    activate_cpu_layer()
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=120))
    os.dup2(2, 1)  # what jobs print goes to standard error
    while True:
        try:
            jobs: list[Job] = way.recv()
        except EOFError:
            break
        try:
            for name, arguments in jobs:
                globals()[name](**arguments)
                torch.distributed.barrier()
        except BaseException:
            time.sleep(1)  # the first rank keeps what ranks tell one another; it ends last
            raise
        way.send(True)
    torch.distributed.destroy_process_group()
