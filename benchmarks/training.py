"""Training beside its peers, same work in the same run: steps beside transformers' Trainer, data beside Megatron's.

python benchmarks/training.py [--parts step data start save]

Needs a curated run (default: the demo's); for `step` also accelerate (pip install accelerate).
"""

from __future__ import annotations

import argparse
import itertools
import json
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
batch: {{micro: {batch}, global: {batch}}}
schedule: {{steps: {steps}, warmup: 2, learning_rate: 1.0e-3}}
checkpoint: {{every: {every}, keep: 1}}
log: {{tensorboard: false}}
"""
SIZES = {
    "small": {"layers": 4, "hidden": 256, "ffn": 688, "length": 256, "batch": 8},
    "medium": {"layers": 8, "hidden": 512, "ffn": 1376, "length": 512, "batch": 4},
}


def stage(folder: Path, size: str, steps: int, every: int = 100_000) -> Path:
    path = folder / f"{size}-{every}.yaml"
    path.write_text(STAGE.format(steps=steps, every=every, **SIZES[size]))
    return path


def ours(folder: Path, run: Path, size: str, steps: int, round_: int) -> float:
    """Median tokens a second of our steps, in a process of its own."""
    out = folder / f"{size}-{round_}"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "trainers.train",
        str(stage(folder, size, steps)),
        str(run),
        str(out),
    ]
    subprocess.run(command, check=True, env={**os.environ, "CURATE_QUIET": "1"})
    speeds = [json.loads(line)["tokens_per_second"] for line in (out / "log.jsonl").read_text().splitlines()]
    return statistics.median(speeds[3:])


def theirs(folder: Path, run: Path, size: str, steps: int) -> float:
    """Median tokens a second of transformers' Trainer on the same model, batches, precision and threads."""
    command = [sys.executable, "-W", "ignore", __file__, "--trainer", size, "--run", str(run), "--steps", str(steps)]
    told = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    )
    return float(told.stdout.strip().splitlines()[-1])


def trainer(run: Path, size: str, steps: int) -> None:
    """The peer, alone in its process: the same tokens in the same order, AdamW, clipping at 1, fp32."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Trainer, TrainerCallback, TrainingArguments

    from schemas.manifest import load_manifest
    from trainers.data.datasets import stage_data
    from trainers.model.architecture import padded_vocabulary
    from trainers.stage import load_stage

    with tempfile.TemporaryDirectory() as scratch:
        config = load_stage(stage(Path(scratch), size, steps))
        manifest = load_manifest(run)
        data = stage_data(config, manifest, run, Path(scratch) / "cache").training
        shape = SIZES[size]
        rows = [
            {"input_ids": torch.from_numpy(data[i].tokens), "labels": torch.from_numpy(data[i].tokens)}
            for i in range(shape["batch"] * steps)
        ]
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=padded_vocabulary(manifest.tokenizer.vocabulary), hidden_size=shape["hidden"], intermediate_size=shape["ffn"],
                num_hidden_layers=shape["layers"], num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=True, use_cache=False,
            )
        )  # fmt: skip
        times: list[float] = []

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *args: Any, **more: Any) -> None:
                times.append(time.perf_counter())

        settings = TrainingArguments(
            output_dir=scratch, per_device_train_batch_size=shape["batch"], max_steps=steps, learning_rate=1e-3, weight_decay=0.1,
            adam_beta2=0.95, max_grad_norm=1.0, logging_strategy="no", save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        Trainer(model=model, args=settings, train_dataset=rows, callbacks=[Watch()]).train()
        spans = [b - a for a, b in itertools.pairwise(times)]
        print(shape["batch"] * shape["length"] / statistics.median(spans))


def measure_steps(folder: Path, run: Path, steps: int) -> None:
    for size in SIZES:
        pairs = [(ours(folder, run, size, steps, n), theirs(folder, run, size, steps)) for n in range(3)]
        mine, peer = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
        print(
            f"step {size}: ours {mine:,.0f} tokens/s, transformers' Trainer {peer:,.0f}, ratio {mine / peer:.2f} (of {len(pairs)} runs each, interleaved)"
        )


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
    from schemas.recipe_file import load_recipe

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


def measure_saves(folder: Path, run: Path) -> None:
    """How long a save holds up training, of how long it takes."""
    out = folder / "saves"
    path = stage(folder, "medium", 25, every=4)
    code = (
        "import sys; from pathlib import Path; import trainers.train as t; from trainers.stage import load_stage\n"
        "from trainers.loop.checkpoint import Checkpoints\n"
        "old = Checkpoints._complete\n"
        "def complete(self):\n"
        "    old(self); print(self.last_blocked, self.last_seconds, flush=True)\n"
        "Checkpoints._complete = complete\n"
        "t.train_stage(load_stage(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), quiet=True)\n"
    )
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, path, run, out], check=True, capture_output=True, text=True
    )
    pairs = [tuple(map(float, line.split())) for line in told.stdout.splitlines()]
    size = sum(file.stat().st_size for file in out.glob("checkpoints/step-*/*")) / 1e6
    for blocked, seconds in pairs:
        print(f"save of {size:,.0f} MB: blocks {blocked:.3f} s of {seconds:.2f} s, {blocked / seconds:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--parts", nargs="+", default=["step", "data", "start", "save"])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--trainer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trainer:
        trainer(arguments.run, arguments.trainer, arguments.steps)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for part in arguments.parts:
            {
                "step": lambda: measure_steps(folder, arguments.run, arguments.steps),
                "data": lambda: measure_data(folder, arguments.run),
                "start": lambda: measure_start(folder, arguments.run),
                "save": lambda: measure_saves(folder, arguments.run),
            }[part]()


if __name__ == "__main__":
    main()
