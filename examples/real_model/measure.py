"""How often a model answers held-out questions in the form that is asked for, and rightly, with intervals.

    python examples/real_model/measure.py MANIFEST MODEL [MODEL …]

The likeliest answer to each prompt of the mixture `held`, judged by the verifiers that reward. A line of JSON a model
and task: share in form, share right, each with a 95% Wilson interval (Wilson 1927).
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from schemas.rollout import Rollout
from trainers.rl.difficulty import answering
from trainers.stage import TrainConfig

AT_ONCE = 64
STAGE = {
    "name": "measured",
    "stage": "rl_reasoning",
    "precision": "fp32",
    "data": {"mixture": "held", "sequence_length": 256},
    "schedule": {"steps": 1},
    "batch": {"micro": 1, "global": 1},
    # As good as greedy: a token ten nats below the likeliest comes once in e^1000 draws.
    "rl": {"groups": 1, "samples": 2, "max_tokens": 24, "temperature": 0.01, "slots": 64},
}


def main(manifest: Path, models: list[str]) -> None:
    for model in models:
        config = TrainConfig.model_validate({**STAGE, "parent": model, "batch": {"micro": 1, "global": 2}})
        rollouts: list[Rollout] = []
        with answering(config, manifest, samples=1) as (source, parts, _):
            for at in range(0, len(source.prompts), AT_ONCE):
                numbers = range(len(source.prompts))[at : at + AT_ONCE]
                rollouts += [
                    one for group in source.judged(source.answered(parts, numbers, 0, Counter())) for one in group
                ]
            tasks = [source.prompts[one.number].task for one in rollouts]
        for task in sorted(set(tasks)):
            some = [one for one, told in zip(rollouts, tasks, strict=True) if told == task]
            print(json.dumps({"model": model, "task": task, **_measured(some)}), flush=True)


def _measured(rollouts: list[Rollout]) -> dict[str, Any]:
    form = [_in_form(one.text) for one in rollouts]
    right = [one.state == "right" for one in rollouts]
    answers = Counter(json.loads(one.verdicts)[0]["extracted"] or "nothing" for one in rollouts)
    return {"questions": len(rollouts), "form": _share(form), "right": _share(right), "most": answers.most_common(4)}


def _in_form(text: str) -> bool:
    try:
        told = json.loads(text.split("<|im_end|>")[0])
    except ValueError:
        return False
    return isinstance(told, dict) and set(told) == {"answer"}


def _share(hits: list[bool]) -> list[float]:
    """Share, lower and upper end."""
    count, share, z = len(hits), sum(hits) / len(hits), 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return [round(share, 3), round(middle - half, 3), round(middle + half, 3)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
