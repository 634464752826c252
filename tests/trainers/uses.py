"""A task of minutes: six questions whose answers a small model gives a quarter of the time as a verifier wants them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate
from tests.trainers.conftest import job
from tests.trainers.ranks import run

CORPUS = """
name: uses
sources:
  - {name: talks, files: talks.jsonl, source_type: dialogue, conversation: openai}
  - {name: asked, files: prompts.jsonl, source_type: exam, prompts: auto}
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {train: {vocab_size: 400}}
conversations: {template: chatml, max_tokens: 100}
mixtures:
  cold: {kind: conversations, components: [{name: talks}]}
  rl: {kind: prompts, components: [{name: uses}]}
"""
COLD = """
name: cold
stage: cold_start
seed: 5
model: {family: qwen3, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128}
data: {mixture: cold, sequence_length: 128, validation: 0}
batch: {micro: 8, global: 8}
schedule: {steps: 150, warmup: 4, learning_rate: 5.0e-3, min_learning_rate: 1.0e-4}
checkpoint: {every: 500}
log: {tensorboard: false}
"""
RL = """
name: rl
stage: rl_reasoning
seed: SEED
parent: PARENT
parallel: {LAYOUT}
data: {mixture: rl, sequence_length: 96, validation: 0}
batch: {micro: 24, global: 96}
schedule: {steps: STEPS, warmup: 0, learning_rate: 1.5e-3, min_learning_rate: 1.0e-4}
optimizer: {weight_decay: 0.0}
checkpoint: {every: 500}
log: {tensorboard: false}
rl: {groups: 6, samples: 16, max_tokens: 24, rounds: 1, revisit: 0}
"""
USES = {
    "amlodipine": "blood pressure", "metoprolol": "a fast pulse", "warfarin": "clots", "metformin": "blood sugar",
    "salbutamol": "wheezing", "omeprazole": "acid",
}  # fmt: skip


def make(folder: Path) -> Path:
    """A corpus whose conversations answer a quarter of the time as the verifier wants, and a model that learned them."""
    chance = random.Random(5)
    talks, prompts = [], []
    for drug, use in USES.items():
        question = f"What is {drug} given for?"
        schema = {"type": "object", "properties": {"answer": {"enum": [use]}}, "required": ["answer"]}
        prompts.append({"prompt": question, "verifier": "format", "reference": {"schema": schema}})
        for number in range(15):
            other = chance.choice([one for one in USES.values() if one != use])
            kinds = [json.dumps({"answer": use}), json.dumps({"answer": other}), f"It is given for {use}."]
            answer = [*kinds, f"It is given for {other}.", "I am not sure."][number % 5]
            talks.append(
                {
                    "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
                    "n": number,
                }
            )
    (folder / "talks.jsonl").write_text("\n".join(map(json.dumps, talks)))
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    curate("run", write_recipe(folder, CORPUS), "--run-dir", folder / "run", "--workers", 1)
    (folder / "cold.yaml").write_text(COLD)
    run(1, [job(folder / "cold.yaml", folder / "run", folder / "cold")])
    return folder


def recipe(
    asked: Path,
    folder: Path,
    name: str,
    *changes: tuple[str, str],
    seed: int = 5,
    steps: int = 6,
    layout: str = "tensor: 1",
) -> Path:
    text = (
        RL.replace("SEED", str(seed))
        .replace("PARENT", str(asked / "cold"))
        .replace("STEPS", str(steps))
        .replace("LAYOUT", layout)
    )
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path
