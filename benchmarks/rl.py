"""Sampling beside transformers' `generate`: the same weights, prompts, samples and threads, in turns.

    python benchmarks/rl.py --threads 2 --tokens 64 --vllm /path/to/vllm/bin/python --run runs/demo

64 ragged prompts of 8 to 96 tokens, 8 samples each, no answer ends by itself. transformers gets its best
way on a processor: left-padded batches of as many rows as we have slots, with its cache. With --vllm, the interpreter of
an environment in which vLLM is, it samples the same behind them. With --run, a demo's run with its models, a line
says where the time of a step of GRPO goes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SHAPES = {
    "demo-sized": {"family": "qwen3", "layers": 4, "hidden": 128, "heads": 4, "kv_heads": 2, "ffn": 384},
    "8 layers": {"family": "qwen3", "layers": 8, "hidden": 512, "heads": 8, "kv_heads": 4, "ffn": 1536},
}
VOCABULARY = 8000


def main() -> None:
    """Print a line for each side and shape, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--vllm", type=Path)
    parser.add_argument("--run", type=Path)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import torch

    torch.set_num_threads(arguments.threads)
    for name, shape in SHAPES.items():
        measure(name, shape, arguments)
    if arguments.run is not None:
        measure_step(arguments.run)


def measure(name: str, shape: dict[str, object], arguments: argparse.Namespace) -> None:
    """One shape, both sides in turns."""
    import numpy as np
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from trainers.generation.generate import Asked, generate
    from trainers.generation.sampling import Sampling
    from trainers.model.architecture import build_model
    from trainers.model.config import ModelConfig
    from trainers.model.families import to_hf_config
    from trainers.model.hf_folder import HfFolder
    from trainers.model.initial import load_hf
    from trainers.parallel.groups import start_parallel, stop_parallel
    from trainers.stage import TrainConfig

    model = ModelConfig.model_validate(shape)
    stage = TrainConfig.model_validate(
        {"name": "b", "model": shape, "schedule": {"steps": 1}, "data": {"sequence_length": 256}}
    )
    told = to_hf_config(model, VOCABULARY, 256, "float32")
    theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(**told)).eval()
    chance = np.random.default_rng(1)
    prompts = [chance.integers(10, VOCABULARY, int(chance.integers(8, 97))).tolist() for _ in range(64)]
    by_vllm = None
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        if arguments.vllm is not None:
            by_vllm = sample_by_vllm(folder, prompts, arguments)
        start_parallel(stage)
        (ours,) = build_model(stage, model, VOCABULARY)
        load_hf([ours], model, HfFolder(Path(folder)))
    asked = [Asked(tuple(one), number, range(8)) for number, one in enumerate(prompts)]
    count = 64 * 8 * arguments.tokens

    def sample_ours() -> float:
        begun = time.perf_counter()
        answers = generate(
            [ours], asked, Sampling(max_tokens=arguments.tokens), frozenset(), VOCABULARY, 1, 1, arguments.slots
        )
        assert sum(len(one.ids) for one in answers) == count
        return count / (time.perf_counter() - begun)

    def sample_theirs() -> float:
        begun = time.perf_counter()
        rows = [one for one in prompts for _ in range(8)]
        for at in range(0, len(rows), arguments.slots):
            part = rows[at : at + arguments.slots]
            width = max(map(len, part))
            ids = torch.tensor([[0] * (width - len(one)) + one for one in part])
            mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in part])
            with torch.no_grad():
                theirs.generate(
                    ids,
                    attention_mask=mask,
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=arguments.tokens,
                    min_new_tokens=arguments.tokens,
                    pad_token_id=0,
                )
        return count / (time.perf_counter() - begun)

    sample_ours()
    pairs = [(sample_ours(), sample_theirs()) for _ in range(arguments.turns)]
    mine, others = (sorted(one)[len(pairs) // 2] for one in zip(*pairs, strict=True))
    print(
        json.dumps(
            {
                "model": name,
                "ours tokens/s": round(mine),
                "transformers tokens/s": round(others),
                "ratio": round(mine / others, 2),
                **({} if by_vllm is None else {"vLLM tokens/s": round(by_vllm), "to vLLM": round(mine / by_vllm, 2)}),
            }
        ),
        flush=True,
    )
    stop_parallel()


def sample_by_vllm(folder: str, prompts: list[list[int]], arguments: argparse.Namespace) -> float:
    """vLLM's tokens a second, on as many cores as we take."""
    (Path(folder) / "prompts.json").write_text(json.dumps(prompts))
    command = [arguments.vllm, Path(__file__).with_name("vllm_sampling.py"), folder, f"{folder}/prompts.json"]
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{arguments.threads - 1}",
    }
    done = subprocess.run(
        [*map(str, command), str(arguments.tokens), str(arguments.turns)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    told = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return float(json.loads(told)["tokens_per_second"])


def measure_step(run: Path) -> None:
    """Where the time of a step goes: the demo's stage of GRPO, twenty steps with a KL term to the first model."""
    from statistics import median

    with tempfile.TemporaryDirectory() as folder:
        text = (Path(__file__).parents[1] / "recipes/train/rl-small.yaml").read_text()
        text = text.replace("steps: 50", "steps: 20").replace("rl: {", "rl: {kl: 0.01, ")
        (Path(folder) / "rl.yaml").write_text(text)
        command = [sys.executable, "-m", "curate.cli", "train", f"{folder}/rl.yaml", "--manifest", str(run)]
        command += ["--out", f"{folder}/rl", "--from", str(run / "models/cold_start")]
        subprocess.run(command, check=True, capture_output=True)
        lines = (Path(folder) / "rl/log.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in lines][5:]
    whole = median(one["seconds"] for one in steps)
    parts = {"sampling": "sampling_seconds", "scoring": "scoring_seconds", "log-probabilities": "frozen_seconds"}
    shares = {name: round(median(one[key] / one["seconds"] for one in steps), 3) for name, key in parts.items()}
    shares["update"] = round(1 - sum(shares.values()), 3)
    print(json.dumps({"step of GRPO": round(whole, 3), **shares}), flush=True)


if __name__ == "__main__":
    main()
