"""Training beside its peers, same work in the same run: steps beside transformers' Trainer, data beside Megatron's.

python benchmarks/training.py [--parts step data start save]

Needs a curated run (default: the demo's); for `step` also accelerate (pip install accelerate).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STAGE = """
name: bench
model: {{family: qwen2, layers: {layers}, hidden: {hidden}, heads: 8, kv_heads: 2, ffn: {ffn}}}
data: {{mixture: pretrain, sequence_length: {length}, validation: 0}}
batch: {{micro: {micro}, global: {batch}}}
parallel: {{data: {ranks}}}
schedule: {{steps: {steps}, warmup: 2, learning_rate: 1.0e-3}}
checkpoint: {{every: {every}, keep: 1}}
log: {{tensorboard: false}}
"""
SIZES = {
    "small": {"layers": 4, "hidden": 256, "ffn": 688, "length": 256, "batch": 8},
    "medium": {"layers": 8, "hidden": 512, "ffn": 1376, "length": 512, "batch": 4},
}

# By these the Trainer would wrap its model for data parallelism.
RENDEZVOUS = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}


def stage(folder: Path, size: str, steps: int, every: int = 100_000, ranks: int = 1) -> Path:
    path = folder / f"{size}-{every}-{ranks}.yaml"
    shape = SIZES[size]
    path.write_text(STAGE.format(steps=steps, every=every, ranks=ranks, micro=shape["batch"] // ranks, **shape))
    return path


def measure_steps(folder: Path, run: Path, steps: int) -> None:
    """Each size in a process of its own."""
    for size in SIZES:
        command = _half(run, size, steps)
        subprocess.run(command, check=True, env={**os.environ, "TOKENIZERS_PARALLELISM": "false"})


def _half(run: Path, size: str, steps: int) -> list[str]:
    """This script again, as one side of the pairs of steps."""
    told = ("--side-by-side", size, "--run", str(run), "--steps", str(steps))
    return [sys.executable, "-W", "ignore", __file__, *told]


def side_by_side(run: Path, size: str, steps: int) -> None:
    """Our steps here, and between them those of transformers' Trainer in a process of its own.

    Same threads, model, batches and precision; AdamW, clipping at 1, fp32. One waits while the other
    steps, so the machine's other load meets both alike.
    """
    import torch

    from schemas.manifest import load_manifest
    from trainers.loop.stopping import StopSignals
    from trainers.parallel.groups import start_parallel
    from trainers.stage import load_stage
    from trainers.start import find_start
    from trainers.train import experiment

    torch.set_num_threads(os.cpu_count() or 1)
    shape = SIZES[size]
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        config, manifest = load_stage(stage(Path(scratch), size, steps + 5)), load_manifest(run)
        start_parallel(config)
        start, out = find_start(config, manifest), Path(scratch) / "out"
        mine = experiment(config, manifest, run, out, start, steps, True, StopSignals())
        torch.save(
            [torch.from_numpy(mine.source.data[n].tokens) for n in range(shape["batch"] * steps)],
            Path(scratch) / "rows.pt",
        )
        command = [*_half(run, size, steps), "--peer", scratch]
        environment = {name: value for name, value in os.environ.items() if name not in RENDEZVOUS}
        peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        mine.hooks = [_turns(peer, ours, theirs)]
        mine.train()
        peer.communicate()
    tokens = shape["batch"] * shape["length"]
    mine_speed, peer_speed = (tokens / statistics.median(times[3:]) for times in (ours, theirs))
    ratio = statistics.median(b / a for a, b in zip(ours[3:], theirs[3:], strict=True))
    print(
        f"step {size}: ours {mine_speed:,.0f} tokens/s, transformers' Trainer {peer_speed:,.0f}; median ratio of {len(ours) - 3} pairs {ratio:.2f}"
    )


def _turns(peer: subprocess.Popen[str], ours: list[float], theirs: list[float]) -> Any:
    """A hook that lets the peer take its step after each of ours, and notes how long both took."""
    from trainers.loop.experiment import Experiment, Hook, Step

    assert peer.stdin is not None
    assert peer.stdout is not None
    go, said = peer.stdin, peer.stdout

    class Turns(Hook):
        started = 0.0

        def begin(self, run: Experiment) -> None:
            while said.readline().strip() != "ready":
                assert peer.poll() is None, "the peer ended early; is accelerate installed?"
            self.started = time.perf_counter()

        def after(self, run: Experiment, step: Step) -> None:
            ours.append(time.perf_counter() - self.started)
            print("go", file=go, flush=True)
            theirs.append(float(said.readline()))
            if step.number < run.last:
                self.begin(run)

    return Turns()


def peer_steps(run: Path, size: str, steps: int, folder: Path) -> None:
    """transformers' Trainer, which waits for its turn before each step and says how long the step took."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Trainer, TrainerCallback, TrainingArguments

    from schemas.manifest import load_manifest
    from trainers.model.architecture import padded_vocabulary

    torch.set_num_threads(os.cpu_count() or 1)
    shape, manifest = SIZES[size], load_manifest(run)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=padded_vocabulary(manifest.tokenizer.vocabulary), hidden_size=shape["hidden"], intermediate_size=shape["ffn"],
            num_hidden_layers=shape["layers"], num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=True, use_cache=False,
        )
    )  # fmt: skip
    rows = [{"input_ids": tokens, "labels": tokens} for tokens in torch.load(folder / "rows.pt", weights_only=True)]

    class InTurn(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *args: Any, **more: Any) -> None:
            print("ready", flush=True)
            sys.stdin.readline()
            self.started = time.perf_counter()

        def on_step_end(self, *args: Any, **more: Any) -> None:
            print(time.perf_counter() - self.started, flush=True)

    settings = TrainingArguments(
        output_dir=str(folder / "peer"), per_device_train_batch_size=shape["batch"], max_steps=steps, learning_rate=1e-3, weight_decay=0.1,
        adam_beta2=0.95, max_grad_norm=1.0, logging_strategy="no", save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    Trainer(model=model, args=settings, train_dataset=rows, callbacks=[InTurn()]).train()


def measure_data(folder: Path, run: Path, size: str = "small") -> None:
    """Sequences a second read and batched, ours from Arrow and Megatron's from .bin/.idx, interleaved."""
    import numpy as np
    import torch
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder
    from megatron.core.datasets.utils import Split

    from schemas.manifest import load_manifest
    from trainers.data.datasets import stage_data
    from trainers.data.reader import collate
    from trainers.data.windows import EndOfText
    from trainers.stage import load_stage

    manifest = load_manifest(run)
    config = load_stage(stage(folder, size, 500))
    data = stage_data(config, manifest, run, folder / "cache").training
    name = max(data.components, key=lambda one: data.components[one].per_epoch)
    mine = data.components[name]
    builder = IndexedDatasetBuilder(str(folder / "tokens.bin"), dtype=np.int32)
    for row in range(len(mine.tokens)):
        builder.add_item(torch.from_numpy(mine.tokens.get(row).copy()))
        builder.end_document()
    builder.finalize(str(folder / "tokens.idx"))
    indexed = IndexedDataset(str(folder / "tokens"))
    count, batch = 4000, SIZES[size]["batch"]
    settings = GPTDatasetConfig(
        random_seed=17, sequence_length=SIZES[size]["length"], blend=(["x"], None), split="1,0,0", tokenizer=EndOfText(0, 10**6),
        reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False, create_attention_mask=False,
    )  # fmt: skip
    peer = GPTDataset(indexed, "x", np.arange(len(indexed), dtype=np.int32), count, Split.train, settings)
    from trainers.data.windows import Windows, WindowSettings

    windows = Windows(
        mine.tokens,
        WindowSettings(SIZES[size]["length"], 17, EndOfText(0, 10**6), folder / "cache2"),
        count,
        "authority",
        0,
    )
    speeds: dict[str, list[float]] = {"ours": [], "megatron": []}
    for _ in range(5):
        started = time.perf_counter()
        for first in range(0, count, batch):
            collate([windows.sample(number) for number in range(first, first + batch)])
        speeds["ours"].append(count / (time.perf_counter() - started))
        started = time.perf_counter()
        for first in range(0, count, batch):
            samples = [peer[number] for number in range(first, first + batch)]
            {key: torch.stack([one[key] for one in samples]) for key in samples[0]}
        speeds["megatron"].append(count / (time.perf_counter() - started))
    mine_speed, peer_speed = (statistics.median(speeds[one]) for one in speeds)
    print(
        f"data: ours {mine_speed:,.0f} sequences/s of {SIZES[size]['length']} tokens, Megatron's .bin/.idx {peer_speed:,.0f}, ratio {mine_speed / peer_speed:.2f}"
    )


def measure_start(folder: Path, run: Path, shards: int = 1000) -> None:
    """From a process with its libraries loaded to the end of the first step, on a manifest of 1,000 shards."""
    from pipelines.recipes import load_recipe

    recipe = load_recipe(run / "recipe.yaml")
    text = (
        (run / "recipe.yaml")
        .read_text()
        .replace("    shards: 2", f"    shards: {shards // len(recipe.mixtures['pretrain'].components)}")
    )
    (folder / "many.yaml").write_text(
        text.replace("../examples", str(Path(__file__).resolve().parents[1] / "examples"))
    )
    many = folder / "many"
    subprocess.run(
        [sys.executable, "-m", "curate.cli", "run", folder / "many.yaml", "--run-dir", many, "--workers", "2"],
        check=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    code = (
        "import sys, time, json; from pathlib import Path; import trainers.train as t; from trainers.stage import load_stage\n"
        "c = load_stage(Path(sys.argv[1])); s = time.perf_counter()\n"
        "old = t.TrainingLog.write\n"
        "def write(self, step, values, say):\n"
        "    print(time.perf_counter() - s) if step == 1 else None; old(self, step, values, say)\n"
        "t.TrainingLog.write = write\n"
        "t.train_stage(c, Path(sys.argv[2]), Path(sys.argv[3]), 2, quiet=True)\n"
    )
    path = stage(folder, "small", 50)
    for name in ("first start", "second start (indices kept)"):
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, path, many, folder / "start"],
            check=True,
            capture_output=True,
            text=True,
        )
        print(
            f"{name}: first step {float(told.stdout.split()[0]):.2f} s after the libraries are loaded, {shards} shards"
        )
        for checkpoint in (folder / "start" / "checkpoints").glob("step*"):
            __import__("shutil").rmtree(checkpoint)


SAVING = """
import sys
from pathlib import Path
import trainers.train as t
from trainers.loop.checkpoint import Checkpoints
from trainers.parallel.groups import is_first
from trainers.stage import load_stage

complete = Checkpoints._complete


def told(self):
    complete(self)
    if is_first():
        print("save", self.last_blocked, self.last_seconds, flush=True)


Checkpoints._complete = told
t.train_stage(load_stage(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), quiet=True)
"""


def measure_saves(folder: Path, run: Path, ranks: int) -> None:
    """How long a save holds up training, of how long it takes, on some data-parallel ranks."""
    script, out = folder / "saving.py", folder / f"saves-{ranks}"
    script.write_text(SAVING)
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", f"--nproc-per-node={ranks}", script]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // ranks))}
    told = subprocess.run(
        [*command, stage(folder, "medium", 25, every=4, ranks=ranks), run, out],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    saves = [tuple(map(float, line.split()[1:])) for line in told.stdout.splitlines() if line.startswith("save ")]
    size = sum(file.stat().st_size for file in out.glob("checkpoints/step-*/*")) / 1e6
    for number, (blocked, seconds) in enumerate(saves, start=1):
        said = f"save of {size:,.0f} MB, data ranks {ranks}: blocks {blocked:.3f} s of {seconds:.2f} s, {blocked / seconds:.1%}"
        print(said + (" (after the last step: no training to hold up)" if number == len(saves) else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--parts", nargs="+", default=["step", "data", "start", "save"])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--side-by-side", help=argparse.SUPPRESS)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        peer_steps(arguments.run, arguments.side_by_side, arguments.steps, arguments.peer)
        return
    if arguments.side_by_side:
        side_by_side(arguments.run, arguments.side_by_side, arguments.steps)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for part in arguments.parts:
            {
                "step": lambda: measure_steps(folder, arguments.run, arguments.steps),
                "data": lambda: measure_data(folder, arguments.run),
                "start": lambda: measure_start(folder, arguments.run),
                "save": lambda: [measure_saves(folder, arguments.run, ranks) for ranks in (1, 2)],
            }[part]()


if __name__ == "__main__":
    main()
