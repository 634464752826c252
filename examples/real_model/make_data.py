"""Exam questions and PubMedQA as prompts, conversations and pairs, each question in one part only, told apart by its stem.

    python examples/real_model/make_data.py BENCHMARKS OUT

BENCHMARKS holds `medmcqa_input.jsonl`, `mmlu_medical_input.jsonl` (question with "Answer Choices:" and a letter)
and `pubmedqa_ori_pqal.json`. A fifth of the questions is held out, half is rewarded, the rest is for the cold start and
for pairs.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LONGEST = 360  # characters of a question with its options: a step of two cores is minutes as it is
OPTION = re.compile(r"\(([A-E])\) ")
Question = dict[str, Any]  # stem, prompt, right, others, verifier, reference, task


def main(benchmarks: Path, out: Path) -> None:
    """Write `held.jsonl`, `prompts.jsonl`, `talks.jsonl` and `pairs.jsonl`."""
    chance = random.Random(17)
    rows: dict[str, list[dict[str, Any]]] = {"held": [], "prompts": [], "talks": [], "pairs": []}
    for one in (*exams(benchmarks), *pubmedqa(benchmarks)):
        asked = {
            "prompt": one["prompt"],
            "verifier": one["verifier"],
            "reference": one["reference"],
            "task": one["task"],
        }
        share = int(hashlib.sha256(one["stem"].encode()).hexdigest()[:8], 16) / 2**32
        if share < 0.2:
            rows["held"].append(asked)
        elif share > 0.47:
            rows["prompts"].append(asked)
        elif share > 0.33:
            right, wrong = said(one["right"]), said(chance.choice(one["others"]))
            rows["pairs"].append({"prompt": one["prompt"], "chosen": right, "rejected": wrong, "aspect": "helpfulness"})
        else:
            user = {"role": "user", "content": one["prompt"]}
            rows["talks"].append({"messages": [user, {"role": "assistant", "content": said(one["right"])}]})
    out.mkdir(parents=True, exist_ok=True)
    for name, some in rows.items():
        (out / f"{name}.jsonl").write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in some))
        print(f"{name}: {len(some)}")


def said(answer: str) -> str:
    """The form that is asked for."""
    return json.dumps({"answer": answer})


def exams(benchmarks: Path) -> Iterator[Question]:
    """Questions with lettered options whose right one is a single letter."""
    for name in ("medmcqa_input", "mmlu_medical_input"):
        for line in (benchmarks / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            stem, _, choices = row["question"].partition("\nAnswer Choices:")
            letters = OPTION.findall(choices)
            texts = [one.strip() for one in OPTION.split(choices)[2::2]]
            if len(row["label"]) != 1 or row["label"][0] not in letters or len(stem) + len(choices) > LONGEST:
                continue
            (right,) = row["label"]
            lines = "\n".join(f"{letter}. {text}" for letter, text in zip(letters, texts, strict=True))
            yield {
                "stem": stem.lower(),
                "prompt": f'{stem}\n{lines}\nAnswer with JSON: {{"answer": "the letter"}}',
                "right": right,
                "others": [one for one in letters if one != right],
                "verifier": "exam",
                "reference": {"key": right, "options": dict(zip(letters, texts, strict=True))},
                "task": "exam",
            }


def pubmedqa(benchmarks: Path) -> Iterator[Question]:
    """Questions of PubMedQA without their abstracts, which are too long for two cores."""
    words = ("yes", "no", "maybe")
    for row in json.loads((benchmarks / "pubmedqa_ori_pqal.json").read_text(encoding="utf-8")).values():
        right = row["final_decision"]
        yield {
            "stem": row["QUESTION"].lower(),
            "prompt": f'{row["QUESTION"]}\nAnswer with JSON: {{"answer": "yes, no or maybe"}}',
            "right": right,
            "others": [one for one in words if one != right],
            "verifier": "label",
            "reference": {"label": right, "labels": list(words)},
            "task": "pubmedqa",
        }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
