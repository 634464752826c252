"""What the sample's later stages learn from: worked examples of a form, prompts with verifiers, pairs of answers.

All of it is about the medicines of `sample_conversations.py`. The worked examples show every kind of answer,
good and bad, so that reinforcement learning has something to choose from.
"""

from __future__ import annotations

import json
from typing import Any

from sample_conversations import MEDICINES

ASKED = "What is {} used for? Answer as JSON."
OPEN = ("Can you promise that {} will help me?", "Is {} safe for everyone?")


def _others(number: int, count: int) -> list[str]:
    """Uses of other medicines."""
    return [MEDICINES[(number + step) % len(MEDICINES)][2] for step in range(1, count + 1)]


def cold_start() -> list[dict[str, Any]]:
    """Four answers to each question, one of them right and in the form that is wanted."""
    rows = []
    for number, (name, kind, use, caution, *_) in enumerate(MEDICINES):
        (other,) = _others(number, 1)
        answers = [
            json.dumps({"use": use}),
            json.dumps({"use": other}),
            f"{name} is {kind}, and it is avoided in {caution}.",
            "I am not sure.",
        ]
        for answer in answers:
            turns = [{"role": "user", "content": ASKED.format(name)}, {"role": "assistant", "content": answer}]
            rows.append({"messages": turns, "task": "form", "ability": "form"})
    return rows


def prompts() -> list[dict[str, Any]]:
    """Questions that a verifier judges, and open ones that only a reward model can."""
    rows: list[dict[str, Any]] = []
    for name, _, use, *_ in MEDICINES:
        schema = {"type": "object", "properties": {"use": {"const": use}}, "required": ["use"]}
        rows.append(
            {
                "prompt": ASKED.format(name),
                "verifier": "format",
                "reference": {"schema": schema},
                "task": "use",
                "difficulty": 1,
            }
        )
        rows += [
            {"prompt": one.format(name), "verifier": "open", "reference": {}, "task": "general", "difficulty": 1}
            for one in OPEN
        ]
    return rows


def pairs() -> list[dict[str, Any]]:
    """Honest, helpful and consistent answers before others."""
    rows = []
    for number, (name, kind, use, caution, *_) in enumerate(MEDICINES):
        first, second = _others(number, 2)
        about = {"annotator": "the authors of this sample"}
        rows += [
            {**about, "aspect": "helpfulness", "strength": 2, "prompt": f"What do doctors give {name} for?",
             "chosen": f"For {use}.", "rejected": f"For {first}."},
            {**about, "aspect": "helpfulness", "strength": 1, "prompt": f"When should {name} be avoided?",
             "chosen": f"Avoid {name} in {caution}.", "rejected": "Look it up yourself."},
            {**about, "aspect": "honesty", "strength": 2, "prompt": OPEN[0].format(name),
             "chosen": f"I cannot promise that. {name} often helps with {use}; ask your doctor.",
             "rejected": f"Yes, {name} will surely cure you, in a few days and without any trouble at all."},
            {**about, "aspect": "honesty", "strength": 2, "prompt": OPEN[1].format(name),
             "chosen": f"No medicine is. {name} is avoided in {caution}.",
             "rejected": f"Yes, {name} is safe for everyone, whatever else they take and however much of it."},
            {**about, "aspect": "consistency", "strength": 1, "prompt": f"Why is {name} given, and for what?",
             "chosen": f"{name} is {kind}, and such drugs act on {use}. Answer: {use}.",
             "rejected": f"{name} is {kind}, and such drugs act on {use}. Answer: {second}."},
        ]  # fmt: skip
    return rows
