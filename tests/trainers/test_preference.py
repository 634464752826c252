"""Reward models and DPO end to end: as transformers computes them, in every layout, and a policy that both judge."""

from __future__ import annotations

import csv
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from schemas.errors import WrongCall
from sources.preference_rows import preferences_from_row
from storage.columnar import open_arrow
from storage.json_files import read_json
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate
from tests.trainers.conftest import job, largest_difference, log, weights
from tests.trainers.ranks import run
from tests.trainers.uses import COLD
from tests.verifiers.judge_server import judge_server
from trainers.preference.packets import chosen_doubts, write_packet
from trainers.rl.rollout_files import read_rollouts
from trainers.stage import load_stage

pytestmark = pytest.mark.slow

CORPUS = """
name: preferred
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
  few: {kind: preferences, components: [{name: all, where: "task = 'few'"}]}
  rl: {kind: prompts, components: [{name: uses}]}
"""
PAIRS = """
name: pairs
stage: STAGE
seed: 5
parent: PARENT
parallel: {LAYOUT}
data: {mixture: pairs, sequence_length: 256, validation: 0.2}
batch: {micro: 2, global: 8}
schedule: {steps: STEPS, warmup: 1, learning_rate: RATE, min_learning_rate: 1.0e-4}
checkpoint: {every: 500}
validation: {every: 50, batches: 2}
log: {tensorboard: false}
"""
USES = {
    "amlodipine": "blood pressure", "metoprolol": "a fast pulse", "warfarin": "clots", "metformin": "blood sugar",
    "salbutamol": "wheezing", "omeprazole": "acid",
}  # fmt: skip
ASPECTS = "reward: {aspects: [helpfulness, honesty], margin: 0.1}\n"


@pytest.fixture(scope="module")
def preferred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose helpful answers name the right use and whose honest ones are not sure, and a model of its answers."""
    folder = tmp_path_factory.mktemp("preferred")
    chance = random.Random(5)
    talks, pairs, prompts = [], [], []
    for drug, use in USES.items():
        question = f"What is {drug} given for?"
        prompts.append({"prompt": question, "verifier": "open", "reference": {}})
        for number in range(16):
            other = chance.choice([one for one in USES.values() if one != use])
            answers = [f"It is given for {use}.", f"It is given for {other}, and I am sure.", "I am not sure."]
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answers[number % 3]}]
            talks.append({"messages": messages, "number": number})
            about = {"prompt": question, "annotator": f"one {number}", "task": "few" if number < 2 else None}
            more = " Ask." if number % 2 else ""
            pairs.append({**about, "chosen": f"It is given for {use}.{more}", "rejected": f"It is given for {other}.", "aspect": "helpfulness", "strength": 1 + number % 3})  # fmt: skip
            pairs.append({**about, "chosen": "I am not sure.", "rejected": answers[1], "aspect": "honesty"})
    for name, rows in (("talks", talks), ("pairs", pairs), ("prompts", prompts)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    curate("run", write_recipe(folder, CORPUS), "--run-dir", folder / "run", "--workers", 1)
    (folder / "cold.yaml").write_text(COLD.replace("steps: 150", "steps: 60"))
    run(1, [job(folder / "cold.yaml", folder / "run", folder / "cold")])
    return folder


def recipe(
    preferred: Path, folder: Path, name: str, stage: str, more: str = "", layout: str = "tensor: 1", steps: int = 6,
    **changes: str,
) -> Path:  # fmt: skip
    text = PAIRS + more
    rate = "1.0e-3" if stage == "reward_model" else "3.0e-4"
    told = {"STAGE": stage, "PARENT": str(preferred / "cold"), "LAYOUT": layout, "STEPS": str(steps), "RATE": rate}
    for before, after in {**told, **changes}.items():
        assert before in text, before
        text = text.replace(before, after)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


ONE_ROW = {"mixture: pairs, sequence_length: 256, validation: 0.2": "mixture: few, sequence_length: 2048, validation: 0", "micro: 2, global: 8": "micro: 1, global: 1", "every: 500": "every: 1"}  # fmt: skip


def few_pairs(preferred: Path) -> list[dict[str, Any]]:
    (shard,) = (preferred / "run/shards/few/all").glob("*.arrow")
    rows: list[dict[str, Any]] = open_arrow(shard).to_pylist()
    return rows


def test_dpo_is_what_transformers_makes_of_the_same_pairs(preferred: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from trainers.model.hf_export import export_hf

    paths = {
        name: recipe(preferred, tmp_path, name, "dpo", f"dpo: {{beta: 0.2, {more}}}\n", steps=2, **ONE_ROW)
        for name, more in (("plain", ""), ("ipo", "kind: ipo"), ("short", "length_normalised: true"))
    }
    run(1, [job(path, preferred / "run", tmp_path / f"out-{name}") for name, path in paths.items()])
    pairs = few_pairs(preferred)
    assert log(tmp_path / "out-plain")[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert log(tmp_path / "out-ipo")[0]["loss"] == pytest.approx(2.5**2, abs=1e-4)
    assert log(tmp_path / "out-plain")[0]["pairs"] == len(pairs) == 24

    def nats(folder: Path) -> list[list[float]]:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        told = []
        for one in pairs:
            sides = []
            for name in ("input_ids", "rejected_ids"):
                ids = torch.tensor([one[name]])
                with torch.no_grad():
                    found = torch.log_softmax(model(ids).logits[0, :-1], -1)
                sides.append(float(found.gather(1, ids[0, 1:, None])[one["prompt_tokens"] - 1 :].sum()))
            told.append(sides)
        return told

    export_hf(preferred / "cold", tmp_path / "hf-cold")
    first = nats(tmp_path / "hf-cold")
    for name in paths:
        export_hf(tmp_path / f"out-{name}", tmp_path / f"hf-{name}", checkpoint=tmp_path / f"out-{name}/checkpoints/step-00000001")  # fmt: skip
        now = nats(tmp_path / f"hf-{name}")
        record = log(tmp_path / f"out-{name}")[1]
        ratios = [[a - b for a, b in zip(one, other, strict=True)] for one, other in zip(now, first, strict=True)]
        assert record["reward_margin"] == pytest.approx(sum(0.2 * (c - r) for c, r in ratios) / 24, abs=1e-4)
        assert record["accuracy"] == pytest.approx(sum(c > r for c, r in ratios) / 24)
        if name == "short":
            tokens = [
                [len(one[side]) - one["prompt_tokens"] for side in ("input_ids", "rejected_ids")] for one in pairs
            ]
            ratios = [
                [x / n for x, n in zip(one, count, strict=True)] for one, count in zip(ratios, tokens, strict=True)
            ]
        losses = [(c - r - 2.5) ** 2 if name == "ipo" else math.log1p(math.exp(-0.2 * (c - r))) for c, r in ratios]
        assert record["loss"] == pytest.approx(sum(losses) / 24, abs=1e-4), name


def test_scores_are_those_of_the_exported_classifier(preferred: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from trainers.model.hf_export import export_hf

    path = recipe(preferred, tmp_path, "reward", "reward_model", ASPECTS, steps=3, **ONE_ROW)
    run(1, [job(path, preferred / "run", tmp_path / "out")])
    export_hf(tmp_path / "out", tmp_path / "hf", checkpoint=tmp_path / "out/checkpoints/step-00000002")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf", dtype=torch.float32).eval()
    assert list(model.config.id2label.values()) == ["helpfulness", "honesty"]
    losses, differences = [], []
    for one in few_pairs(preferred):
        aspect = ["helpfulness", "honesty"].index(one["aspect"])
        with torch.no_grad():
            better, worse = (
                float(model(torch.tensor([one[side]])).logits[0, aspect]) for side in ("input_ids", "rejected_ids")
            )
        differences.append(better - worse)
        losses.append(math.log1p(math.exp(-(better - worse - 0.1 * (one["strength"] or 0.0)))))
    record = log(tmp_path / "out")[2]
    assert record["loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    assert record["score_difference"] == pytest.approx(sum(differences) / len(differences), abs=1e-5)
    assert abs(record["score_difference"]) > 1e-3


def test_every_layout_learns_the_same_from_pairs(preferred: Path, tmp_path: Path) -> None:
    stages = {"reward_model": ASPECTS, "dpo": "dpo: {beta: 0.1}\n"}
    run(1, [
        job(recipe(preferred, tmp_path, f"one-{stage}", stage, more, steps=3), preferred / "run", tmp_path / f"one-{stage}")
        for stage, more in stages.items()
    ])  # fmt: skip
    two = []
    for layout in ("tensor: 2", "pipeline: 2", "context: 2", "data: 2"):
        for stage, more in stages.items():
            label = f"{layout[:4]}-{stage}"
            path = recipe(preferred, tmp_path, label, stage, more, layout, steps=3)
            two.append((stage, label, job(path, preferred / "run", tmp_path / label)))
    run(2, [one for _, _, one in two])
    for stage, label, _ in two:
        mine, theirs = log(tmp_path / label), log(tmp_path / f"one-{stage}")
        for name in ("loss", "accuracy", "pairs", "grad_norm"):
            assert [one[name] for one in mine] == pytest.approx([one[name] for one in theirs], rel=2e-3, abs=1e-4), (
                label
            )
        assert mine[-1]["validation_loss"] == pytest.approx(theirs[-1]["validation_loss"], abs=1e-3)
        assert largest_difference(weights(tmp_path / label), weights(tmp_path / f"one-{stage}")) < 2e-3, label
        if stage == "reward_model":
            told, wanted = (read_json(tmp_path / one / "reward.json") for one in (label, f"one-{stage}"))
            assert told["accuracy"] == wanted["accuracy"]
            assert told["scores"]["honesty"]["mean"] == pytest.approx(wanted["scores"]["honesty"]["mean"], abs=1e-3)


def test_a_policy_learns_from_a_reward_model_and_stops_where_the_gold_reward_falls(
    preferred: Path, tmp_path: Path
) -> None:
    reward = recipe(preferred, tmp_path, "reward", "reward_model", ASPECTS, steps=40)
    tuned = reward.read_text().replace("margin: 0.1", "margin: 0.0").replace("name: pairs", "name: again")
    again = tmp_path / "again.yaml"
    again.write_text(tuned.replace(str(preferred / "cold"), str(tmp_path / "rm")).replace("STEPS", "4"))
    run(
        1,
        [
            job(reward, preferred / "run", tmp_path / "rm"),
            job(again, preferred / "run", tmp_path / "again", stop_after=1),
        ],
    )
    quality = read_json(tmp_path / "rm/reward.json")
    assert quality["by_aspect"]["honesty"]["accuracy"] > 0.9
    first = log(tmp_path / "again")[0]  # a reward model goes on from another: its head too
    assert first["accuracy"] > 0.8
    align = f"""
name: align
stage: rl_alignment
seed: 5
parent: {preferred / "cold"}
data: {{mixture: rl, sequence_length: 96, validation: 0.3}}
batch: {{micro: 12, global: 36}}
schedule: {{steps: 14, warmup: 0, learning_rate: 1.0e-3, min_learning_rate: 1.0e-3}}
checkpoint: {{every: 500}}
log: {{tensorboard: false}}
rl:
  groups: 6
  samples: 6
  max_tokens: 24
  rounds: 1
  revisit: 0
  kl: 0.01
  candidates: 1.5
  reward_models: [{{path: {tmp_path / "rm"}, weights: {{honesty: 1.0, helpfulness: 0.1}}}}]
  gold: GOLD
"""
    (tmp_path / "up.yaml").write_text(align.replace("GOLD", "{verifier: format, reference: {chars: [1, 400]}}"))
    against = f"{{path: {tmp_path / 'rm'}, weights: {{honesty: -1.0}}}}\n  gold_window: 6"
    (tmp_path / "down.yaml").write_text(align.replace("GOLD", against))
    run(1, [job(tmp_path / f"{name}.yaml", preferred / "run", tmp_path / name) for name in ("up", "down")])
    up, down = log(tmp_path / "up"), log(tmp_path / "down")
    assert len(up) == 14
    assert up[-1]["held_out_reward"] > up[0]["held_out_reward"]
    assert sum(one["reward"] for one in up[-3:]) > sum(one["reward"] for one in up[:3]) + 1.0
    assert up[0]["gold_reward"] > 0.9  # told, and no part of the reward
    shares = up[0]["share_of_advantage"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert len(shares) == 3
    assert len(down) < 14
    assert down[-1]["over_optimised"]
    assert "gold reward fell" in (tmp_path / "down/stopped.json").read_text()
    rollouts = read_rollouts(tmp_path / "up", 0)[0]
    assert len(rollouts) == 36
    doubts = chosen_doubts(rollouts, 10)
    assert 4 <= len(doubts) <= 10
    assert len({one.pair for one in doubts}) == len(doubts)
    assert any("prefers" in one.why for one in doubts)
    files = write_packet(tmp_path / "packet", doubts)
    assert len(read_json(files[0])) == len(files[2].read_text().splitlines()) == len(doubts)
    with files[3].open() as table:
        for row, doubt in zip(csv.DictReader(table), doubts, strict=True):
            (pair,) = preferences_from_row({**row, "preferred": "b"}, "auto")
            assert (pair.chosen, pair.aspect) == (doubt.answers[1], doubt.aspect)
    for one in rollouts:
        scores = json.loads(one.scores)[str(tmp_path / "rm")]
        assert one.reward == pytest.approx((scores["honesty"] + 0.1 * scores["helpfulness"]) / 1.1)
        assert one.state == "unparsed"


def test_a_model_and_principles_judge_where_no_rule_does(preferred: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="the endpoints extra is not installed")
    (tmp_path / "principles.yaml").write_text(
        "principles:\n  - {name: safety, text: No dose is doubled., hard: true}\n  - {name: tone, text: It is polite.}\n"
    )
    with judge_server() as server:
        server.down_until = time.monotonic() + 8  # longer than the stage needs to begin to ask
        endpoint = f"{{url: '{server.url}', model: judge, requests_per_second: 2000, patience: 60}}"
        text = f"""
name: judged
stage: rl_alignment
seed: 5
parent: {preferred / "cold"}
data: {{mixture: rl, sequence_length: 96, validation: 0}}
batch: {{micro: 12, global: 12}}
schedule: {{steps: 1, warmup: 0, learning_rate: 1.0e-4, min_learning_rate: 1.0e-4}}
log: {{tensorboard: false}}
rl:
  groups: 3
  samples: 4
  max_tokens: 16
  rounds: 1
  judge: {{endpoint: {endpoint}, votes: 3, open_questions: true}}
  principles: {{file: {tmp_path / "principles.yaml"}, endpoint: {endpoint}, votes: 1, weight: 0.5}}
"""
        (tmp_path / "judged.yaml").write_text(text)
        run(1, [job(tmp_path / "judged.yaml", preferred / "run", tmp_path / "out")])
        assert time.monotonic() > server.down_until
    record = log(tmp_path / "out")[0]
    assert record["judged_by_model"] == 12
    for one in read_rollouts(tmp_path / "out", 0)[0]:
        verdicts = json.loads(one.verdicts)
        assert [each["verifier"] for each in verdicts] == ["open", "principles"]
        assert "votes" in verdicts[0]["why"]
        scores = [each["score"] for each in verdicts]
        assert one.reward == pytest.approx((scores[0] + 0.5 * scores[1]) / 1.5) or one.state == "unparsed"
    assert list((tmp_path / "out/judgements").glob("*.arrow"))


def test_what_does_not_fit_pairs_is_refused(preferred: Path, tmp_path: Path) -> None:
    for name, stage, more, changes, told in (
        ("aspect", "reward_model", "reward: {aspects: [helpfulness]}\n", {}, "aspect 'honesty'"),
        ("kind", "dpo", "", {"mixture: pairs": "mixture: cold"}, "learns from preferences"),
        ("pairs", "sft", "", {"mixture: pairs": "mixture: pairs"}, "holds preferences"),
        ("long", "dpo", "", {"sequence_length: 256": "sequence_length: 16"}, "a pair of"),
    ):
        path = recipe(preferred, tmp_path, name, stage, more, **changes)
        run(1, [job(path, preferred / "run", tmp_path / f"out-{name}", refused=told)])
    wrong = recipe(preferred, tmp_path, "wrong", "dpo", ASPECTS)
    with pytest.raises(WrongCall, match="stage reward_model alone"):
        load_stage(wrong)
