"""Several jobs on one set of gloo processes: importing torch and Megatron-Core is paid once.

`run(world, jobs)` starts the processes; a job is the name of a function below and its arguments.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
Job = tuple[str, dict[str, Any]]


def run(world: int, jobs: list[Job], timeout: float = 300.0, check: bool = True) -> list[str]:
    """Perform jobs, one after the other, on `world` processes; returns each process's standard error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "jobs.json"
        told.write_text(json.dumps(jobs))
        processes = []
        for rank in range(world):
            environment = {
                **os.environ,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(world),
                "LOCAL_WORLD_SIZE": str(world),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
                "PYTHONWARNINGS": "ignore",
            }
            command = [sys.executable, "-W", "ignore", "-m", "tests.trainers.ranks", str(told)]
            processes.append(
                subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
            )
        errors = [process.communicate(timeout=timeout)[1] for process in processes]
        if check:
            wrong = [error for process, error in zip(processes, errors, strict=True) if process.returncode]
            first = sorted(wrong, key=lambda error: "Connection closed by peer" in error)
            assert not wrong, first[0][-4000:]
        return errors


def train(config: str, manifest: str, out: str, stop_after: int | None = None, refused: str | None = None) -> None:
    """One stage; with `refused` it must end with an error that says so."""
    from schemas.errors import CurateError
    from trainers.stage import load_stage
    from trainers.train import train_stage

    told = None
    try:
        train_stage(load_stage(Path(config)), Path(manifest), Path(out), stop_after, quiet=True)
    except CurateError as error:
        told = str(error)
    assert (told is None) if refused is None else refused in str(told), told


def resave(config: str, manifest: str, source: str, out: str) -> None:
    """Load a checkpoint in the layout of `config`, whichever saved it, and save it again as a model of its own."""
    import shutil

    from schemas.manifest import load_manifest
    from trainers.loop.checkpoint import Checkpoints, restore
    from trainers.loop.optimizer import build_optimizer
    from trainers.loop.position import latest
    from trainers.model.architecture import build_model, wrap_for_data_parallel
    from trainers.parallel import is_first, start_parallel, stop_parallel
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
    saves = Checkpoints(Path(out), stage.checkpoint)
    saves.save(model, optimizer, position)
    saves.finish()
    if is_first():
        shutil.copyfile(Path(source) / "model.json", Path(out) / "model.json")
    stop_parallel()


def logits(config: str, hf: str, tokens: str, out: str) -> None:
    """Logits of a Hugging Face folder's model on sequences of mixed length; the last stage's first rank saves them."""
    import torch
    from megatron.core import parallel_state
    from megatron.core.pipeline_parallel import get_forward_backward_func
    from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region

    from trainers.loop.optimizer import finalize_model_grads
    from trainers.model.architecture import build_model
    from trainers.model.hf_folder import HfFolder
    from trainers.model.initial import load_hf
    from trainers.parallel import start_parallel, stop_parallel
    from trainers.stage import load_stage

    stage, folder = load_stage(Path(config)), HfFolder(Path(hf))
    start_parallel(stage)
    model = build_model(stage, folder.model, folder.vocabulary)
    load_hf(model, folder.model, folder)
    model[0].eval()
    model[0].config.finalize_model_grads_func = finalize_model_grads
    found = []
    for row in json.loads(Path(tokens).read_text()):
        ids = torch.tensor([row])

        def forward(batches: Any, part: Any, ids: Any = ids) -> Any:
            output = part(ids, torch.arange(ids.shape[1])[None], None)
            return output, lambda out: (torch.zeros(()), torch.zeros((), dtype=torch.int), {"logits": out})

        with torch.no_grad():
            told = get_forward_backward_func()(
                forward_step_func=forward, data_iterator=iter([]), model=model, num_microbatches=1,
                seq_length=ids.shape[1], micro_batch_size=1, forward_only=True,
            )  # fmt: skip
        if parallel_state.is_pipeline_last_stage():
            found.append(gather_from_tensor_model_parallel_region(told[0]["logits"])[0, :, : folder.vocabulary])
    if found and parallel_state.get_tensor_model_parallel_rank() == 0:
        torch.save(found, out)
    stop_parallel()


def main() -> None:
    import torch

    from trainers.cpu_layer import activate_cpu_layer

    activate_cpu_layer()
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=120))
    for name, arguments in json.loads(Path(sys.argv[1]).read_text()):
        globals()[name](**arguments)
        torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
