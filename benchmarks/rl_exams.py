"""GRPO on real exam questions with others held out: both rewards, step by step, whatever they are.

    python benchmarks/rl_exams.py --data ../shared/data --work /tmp/exams --steps 120

A small model drawn at random learns the form (one letter) from a few hundred questions with random letters, then is
rewarded for right ones. It is far too small to know medicine: what is looked at is whether the reward of
questions that it trains on departs from that of questions that it never sees.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

CORPUS = """
name: exams
sources:
  - {name: medqa, files: benchmarks/medqa_input.jsonl, source_type: exam, prompts: benchmark}
  - {name: medmcqa, files: benchmarks/medmcqa_input.jsonl, source_type: exam, prompts: benchmark}
  - {name: mmlu, files: benchmarks/mmlu_medical_input.jsonl, source_type: exam, prompts: benchmark}
  - {name: form, files: FORM, source_type: dialogue, conversation: openai}
steps: [normalise]
dedup: {exact: true, minhash: {ngram: 5, bands: 14, rows: 8}}
tokenizer: {train: {vocab_size: 4000}}
conversations: {template: chatml, max_tokens: 200, too_long: drop}
mixtures:
  form: {kind: conversations, components: [{name: form, where: "source = 'form'"}]}
  exams: {kind: prompts, components: [{name: all}]}
"""
COLD = """
name: cold
stage: cold_start
seed: 5
model: {family: qwen3, layers: 4, hidden: 128, heads: 4, kv_heads: 2, ffn: 384}
data: {mixture: form, sequence_length: 256, validation: 0}
batch: {micro: 8, global: 8}
schedule: {steps: 120, warmup: 8, learning_rate: 3.0e-3, min_learning_rate: 3.0e-4}
checkpoint: {every: 500}
log: {tensorboard: false}
"""
RL = """
name: exams
stage: rl_reasoning
seed: SEED
data: {mixture: exams, sequence_length: 208, validation: 0.2}
batch: {micro: 16, global: 128}
schedule: {steps: STEPS, warmup: 5, decay: constant, learning_rate: 3.0e-4, min_learning_rate: 3.0e-4}
optimizer: {weight_decay: 0.0}
checkpoint: {every: 500}
validation: {every: 10, batches: 1}
log: {tensorboard: false}
rl: {groups: 16, samples: 8, max_tokens: 6, rounds: 1, revisit: 0, held_out_prompts: 300, unparsed: -0.2}
"""


def form(data: Path, count: int) -> list[dict[str, object]]:
    """Questions whose answers are letters at random: the form of an answer, and nothing else."""
    chance = random.Random(3)
    rows = []
    for line in (data / "benchmarks/medmcqa_input.jsonl").read_text(encoding="utf-8").splitlines()[-count:]:
        question = json.loads(line)["question"].split("\nAnswer Choices:")[0]
        rows.append(
            {
                "messages": [
                    {"role": "user", "content": f"{question}\nAnswer with the letter of the right option."},
                    {"role": "assistant", "content": chance.choice("ABCD")},
                ]
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5])
    told = parser.parse_args()
    told.work.mkdir(parents=True, exist_ok=True)
    rows = told.work / "form.jsonl"
    rows.write_text("\n".join(map(json.dumps, form(told.data, 600))))
    (told.work / "corpus.yaml").write_text(CORPUS.replace("FORM", str(rows.resolve())))
    (told.work / "cold.yaml").write_text(COLD)

    def curate(*arguments: object) -> None:
        subprocess.run([sys.executable, "-m", "curate.cli", *map(str, arguments)], check=True)

    run = told.work / "run"
    curate("run", told.work / "corpus.yaml", "--data", told.data, "--run-dir", run, "--workers", 2)
    curate("train", told.work / "cold.yaml", "--manifest", run, "--out", told.work / "cold")
    for seed in told.seeds:
        recipe, out = told.work / f"rl-{seed}.yaml", told.work / f"rl-{seed}"
        recipe.write_text(RL.replace("SEED", str(seed)).replace("STEPS", str(told.steps)))
        curate("train", recipe, "--manifest", run, "--out", out, "--from", told.work / "cold")
        steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        for at in range(0, len(steps), 10):
            part = steps[at : at + 10]
            held = [one["held_out_right_share"] for one in part if "held_out_right_share" in one]
            print(
                json.dumps(
                    {
                        "seed": seed,
                        "steps": f"{part[0]['step']}-{part[-1]['step']}",
                        "right in training": round(sum(one["right_share"] for one in part) / len(part), 3),
                        "right, held out": round(held[0], 3) if held else None,
                        "entropy": round(part[-1]["entropy"], 3),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
