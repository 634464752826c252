"""GRPO with a reward model beside DPO, from the same model and the same pairs: which answers both end with.

    python benchmarks/preferences.py --work /tmp/preferences

Twelve questions about the uses of medicines, pairs of right and wrong answers for eight of them. Both methods are
judged by a rule that neither saw (does the answer name the right use and no other?), on the questions of the
pairs and on the four others. A toy: it shows what each does with few pairs, not which is better.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

import polars as pl

USES = {
    "amlodipine": "blood pressure", "metoprolol": "a fast pulse", "warfarin": "clots", "metformin": "blood sugar",
    "salbutamol": "wheezing", "omeprazole": "acid", "levothyroxine": "a slow thyroid", "furosemide": "swollen legs",
    "sertraline": "low mood", "amoxicillin": "infections", "paracetamol": "fever", "loratadine": "hay fever",
}  # fmt: skip
IN_PAIRS = list(USES)[:8]
CORPUS = """
name: preferences
sources:
  - {name: talks, files: talks.jsonl, source_type: dialogue, conversation: openai}
  - {name: pairs, files: pairs.jsonl, source_type: dialogue, preferences: auto}
  - {name: asked, files: prompts.jsonl, source_type: exam, prompts: auto}
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {train: {vocab_size: 400}}
conversations: {template: chatml, max_tokens: 100}
mixtures:
  cold: {kind: conversations, components: [{name: talks}]}
  pairs: {kind: preferences, components: [{name: all}]}
  seen: {kind: prompts, components: [{name: all, where: "task = 'seen'"}]}
  unseen: {kind: prompts, components: [{name: all, where: "task = 'unseen'"}]}
"""
SHARED = "batch: {micro: BATCH}\nschedule: {steps: STEPS, warmup: 2, learning_rate: RATE, min_learning_rate: 1.0e-4}\noptimizer: {weight_decay: 0.0}\ncheckpoint: {every: 500}\nlog: {tensorboard: false}\n"


def stage(name: str, kind: str, data: str, batch: str, steps: int, rate: str, more: str, seed: int) -> str:
    """A stage's recipe."""
    shared = SHARED.replace("BATCH", batch).replace("STEPS", str(steps)).replace("RATE", rate)
    return f"name: {name}\nstage: {kind}\nseed: {seed}\ndata: {{{data}}}\n{shared}{more}"


def write_data(folder: Path) -> None:
    """Conversations of every kind of answer, pairs for some questions, prompts for all."""
    chance = random.Random(5)
    talks, pairs, prompts = [], [], []
    for drug, use in USES.items():
        asked = f"What is {drug} given for?"
        task = "seen" if drug in IN_PAIRS else "unseen"
        reference = {"required": [[use]], "forbidden": [[one] for one in USES.values() if one != use]}
        prompts.append({"prompt": asked, "verifier": "tests", "reference": reference, "task": task})
        for number in range(12):
            other = chance.choice([one for one in USES.values() if one != use])
            answer = f"It is given for {use if number % 3 == 0 else other}."
            talks.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]})
            if drug in IN_PAIRS:
                pairs.append(
                    {"prompt": asked, "chosen": f"It is given for {use}.", "rejected": f"It is given for {other}."}
                )
    for name, rows in (("talks", talks), ("pairs", pairs), ("prompts", prompts)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    told = parser.parse_args()
    work = told.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    write_data(work)
    (work / "corpus.yaml").write_text(CORPUS)

    def curate(*arguments: object) -> str:
        command = [sys.executable, "-m", "curate.cli", *map(str, arguments)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def trained(name: str, text: str, parent: Path | None = None) -> Path:
        recipe = work / f"{name}.yaml"
        recipe.write_text(text)
        curate(
            "train", recipe, "--manifest", work / "run", "--out", work / name, *(("--from", parent) if parent else ())
        )
        return work / name

    def right(model: Path, mixture: str) -> float:
        """Share of right answers, 32 to each question."""
        text = stage(
            "measure",
            "rl_reasoning",
            f"mixture: {mixture}, sequence_length: 96, validation: 0",
            "16, global: 16",
            9,
            "1.0e-4",
            "rl: {groups: 1, samples: 16, max_tokens: 24}\n",
            5,
        )
        (work / "measure.yaml").write_text(text)
        found = curate(
            "train",
            "rl",
            "difficulty",
            work / "measure.yaml",
            "--manifest",
            work / "run",
            "--from",
            model,
            "--samples",
            32,
        )
        return float(pl.read_parquet(found.strip().splitlines()[-1])["pass_rate"].mean() or 0.0)  # type: ignore[arg-type]

    curate("run", work / "corpus.yaml", "--data", work, "--run-dir", work / "run", "--workers", 1)
    drawn = "model: {family: qwen3, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 128}\n"
    cold = trained(
        "cold",
        stage(
            "cold",
            "cold_start",
            "mixture: cold, sequence_length: 128, validation: 0",
            "8, global: 8",
            150,
            "5.0e-3",
            drawn,
            5,
        ),
    )
    pairs = "mixture: pairs, sequence_length: 256, validation: 0.15"
    for seed in told.seeds:
        reward = trained(
            f"reward-{seed}", stage("reward", "reward_model", pairs, "2, global: 8", 60, "1.0e-3", "", seed), cold
        )
        dpo = trained(
            f"dpo-{seed}", stage("dpo", "dpo", pairs, "2, global: 8", 60, "3.0e-4", "dpo: {beta: 0.1}\n", seed), cold
        )
        use = f"rl: {{groups: 6, samples: 16, max_tokens: 24, rounds: 1, revisit: 0, kl: 0.01, rule_weight: 0, reward_models: [{{path: {reward}, weights: {{overall: 1.0}}}}]}}\n"
        grpo = trained(
            f"grpo-{seed}",
            stage(
                "grpo",
                "rl_alignment",
                "mixture: seen, sequence_length: 96, validation: 0",
                "12, global: 96",
                45,
                "1.0e-3",
                use,
                seed,
            ),
            cold,
        )
        quality = json.loads((reward / "reward.json").read_text())
        for name, model in (("start", cold), ("DPO", dpo), ("GRPO with the reward model", grpo)):
            print(
                json.dumps(
                    {
                        "seed": seed,
                        "model": name,
                        "right on questions of the pairs": round(right(model, "seen"), 3),
                        "right on others": round(right(model, "unseen"), 3),
                        "reward model, held-out pairs": quality["accuracy"].get("accuracy"),
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
