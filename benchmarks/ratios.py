"""Ratio optimisation on a real small case: three tasks over real consultations, weighed unequally.

python benchmarks/ratios.py --data ../shared/data/dialogues/zh

The recipe makes three tasks of real dialogues (answer a patient, name the department, write a title); 20
short trainings of a proxy look for the ratios between them; then the ratios found and uniform ones are
each trained with seeds the search never saw.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = """
name: tasks
sources:
  - {name: answer, files: "*.csv", source_type: dialogue, licence: MIT, conversation: {user: "{title}\\n{ask}", assistant: "{answer}", task: answer}}
  - {name: department, files: "*.csv", source_type: dialogue, licence: MIT, conversation: {user: "科室：{ask}", assistant: "{department}", task: department}}
  - {name: title, files: "*.csv", source_type: dialogue, licence: MIT, conversation: {user: "标题：{ask}", assistant: "{title}", task: title}}
steps: [normalise]
dedup: {exact: true, minhash: false}
tokenizer: {train: {vocab_size: 4000}}
conversations: {max_tokens: 256, too_long: drop}
mixtures:
  ift:
    kind: conversations
    components:
      - {name: answer, where: "task = 'answer'"}
      - {name: department, where: "task = 'department'"}
      - {name: title, where: "task = 'title'"}
max_quarantined: 1.0
"""
PROXY = """
name: proxy
stage: ift
model: {family: qwen2, layers: 2, hidden: 96, heads: 4, kv_heads: 2, ffn: 256}
data: {mixture: ift, sequence_length: 256, validation: 0.1}
batch: {micro: 8, global: 8}
schedule: {steps: 120, warmup: 10, learning_rate: 2.0e-3, min_learning_rate: 2.0e-4}
validation: {every: 120, batches: 12}
checkpoint: {every: 1000, keep: 1, asynchronous: false}
"""
SEARCH = """
name: tasks
proxy: proxy.yaml
groups: [answer, department, title]
abilities: {answer: 0.2, department: 0.5, title: 0.3}
trials: 20
initial: 6
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in (
            ("recipe", RECIPE),
            ("proxy", PROXY),
            ("search", SEARCH),
        ):
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        curate = [sys.executable, "-m", "curate.cli"]
        run = folder / "run"
        subprocess.run(
            [*curate, "run", folder / "recipe.yaml", "--data", arguments.data, "--run-dir", run, "--workers", "2"],
            check=True,
        )
        told = subprocess.run(
            [*curate, "train", "ratios", folder / "search.yaml", "--manifest", run, "--out", folder / "out"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(told.stdout.splitlines()[0])
        for line in (folder / "out" / "trials.jsonl").read_text().splitlines():
            one = json.loads(line)
            print(one["trial"], one["weights"], round(one["score"], 5))
        compare(folder, run, found, arguments.seeds)


def compare(folder: Path, run: Path, found: dict[str, float], seeds: list[int]) -> None:
    """Train uniform and found ratios with new seeds, and say whether the difference is outside the noise."""
    from trainers.ratios.trials import load_ratios, trial

    config, proxy = load_ratios(folder / "search.yaml")
    scores: dict[str, list[float]] = {"uniform": [], "found": []}
    for seed in seeds:
        for name, weights in (("uniform", [1 / len(found)] * len(found)), ("found", list(found.values()))):
            scores[name].append(trial(config, proxy, run, folder / "again", seed, weights)["score"])
    for name, values in scores.items():
        print(
            f"{name}: mean {statistics.mean(values):.5f}, standard deviation {statistics.stdev(values):.5f}, {[round(v, 5) for v in values]}"
        )
    differences = [b - a for a, b in zip(scores["uniform"], scores["found"], strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    mean = statistics.mean(differences)
    print(
        f"ratios {found}: {mean:+.5f} over uniform, paired by seed, standard error {error:.5f} ({mean / error:.1f} of it)"
    )


if __name__ == "__main__":
    main()
