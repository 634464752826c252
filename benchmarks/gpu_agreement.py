"""The same small stages on a GPU and on the CPUs beside it: losses step by step, and their largest difference.

    python benchmarks/gpu_agreement.py RUN [CASE…]         RUN: a curated run with mixtures `pretrain` and `ift`

Windows over documents in fp32 and bf16, packs of conversations (flash attention over sequences of
different lengths), LoRA, recomputation. One JSON line each; bf16 differs by its rounding.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGE = """
name: agreement
seed: 5
precision: {precision}
model: {{family: qwen3, layers: 4, hidden: 256, heads: 4, kv_heads: 2, ffn: 512}}
data: {{mixture: {mixture}, validation: 0, sequence_length: 256}}
batch: {{micro: 2, global: 8}}
schedule: {{steps: 12, warmup: 2, learning_rate: 1.0e-3, min_learning_rate: 1.0e-4}}
checkpoint: {{every: 100, keep: 1}}
log: {{tensorboard: false}}
{more}
"""
CASES = {
    "documents fp32": ("fp32", "pretrain", ""),
    "documents bf16": ("bf16", "pretrain", ""),
    "packs fp32": ("fp32", "ift", "stage: ift"),
    "packs bf16": ("bf16", "ift", "stage: ift"),
    "packs bf16, recomputed": ("bf16", "ift", "stage: ift\nrecompute: full"),
    "lora bf16": ("bf16", "ift", "stage: ift\nlora: {rank: 4, alpha: 8}"),
}


def losses(recipe: Path, run: Path, out: Path, gpu: bool) -> tuple[list[float], float]:
    """Losses of a stage, and the median seconds of its later steps."""
    environment = {**os.environ, "CURATE_QUIET": "1", **({} if gpu else {"CUDA_VISIBLE_DEVICES": "-1"})}
    command = [sys.executable, "-W", "ignore", "-m", "trainers.train", str(recipe), str(run), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no words"])[-1])
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [one["loss"] for one in records], records[-1]["tokens_per_second"]


def main() -> None:
    run, only = Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (precision, mixture, more)) in enumerate(CASES.items()):
            if only and not any(one in name for one in only):
                continue
            recipe = Path(folder) / f"{number}.yaml"
            recipe.write_text(STAGE.format(precision=precision, mixture=mixture, more=more))
            started = time.perf_counter()
            told: dict[str, object] = {"case": name}
            try:
                on_gpu, speed = losses(recipe, run, Path(folder) / f"{number}-gpu", gpu=True)
                told |= {"last_loss_gpu": on_gpu[-1], "tokens_per_second_gpu": speed}
                on_cpu, speed = losses(recipe, run, Path(folder) / f"{number}-cpu", gpu=False)
                told |= {"last_loss_cpu": on_cpu[-1], "tokens_per_second_cpu": speed}
                told["largest_difference"] = max(abs(a - b) for a, b in zip(on_gpu, on_cpu, strict=True))
            except RuntimeError as error:
                told["error"] = str(error)
            print(json.dumps({**told, "seconds": round(time.perf_counter() - started, 1)}), flush=True)


if __name__ == "__main__":
    main()
