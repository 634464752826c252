"""Reinforcement learning end to end on a task of minutes: it learns, it resumes to the bit, every layout agrees."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import polars as pl
import psutil
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from schemas.errors import WrongCall
from tests.conftest import SOAK
from tests.trainers.conftest import called, invoked, job, largest_difference, log, weights
from tests.trainers.ranks import run
from tests.trainers.uses import USES, recipe
from tests.warm import training
from trainers.rl.order import Order, Stratum
from trainers.rl.rollout_files import read_rollouts, rollout_file
from trainers.stage import load_stage

pytestmark = pytest.mark.slow


def test_the_reward_rises_and_does_not_where_rewards_tell_nothing(asked: Path, tmp_path: Path) -> None:
    steady = (("min_learning_rate: 1.0e-4", "min_learning_rate: 1.5e-3"), ("rl: {", "rl: {slots: 96, "))
    jobs, seeds = [], (5, 6, 7)
    for seed in seeds:
        path = recipe(asked, tmp_path, f"seed{seed}", *steady, seed=seed, steps=60 if SOAK else 30)
        jobs.append(job(path, asked / "run", tmp_path / f"seed{seed}"))
    control = recipe(asked, tmp_path, "control", *steady, ("rl: {", "rl: {rewards: shuffled, "), steps=30)
    run(1, [*jobs, job(control, asked / "run", tmp_path / "control")])
    for seed in seeds:
        rewards = [step["reward"] for step in log(tmp_path / f"seed{seed}")]
        assert sum(rewards[:3]) / 3 < 0.3
        assert sum(rewards[-5:]) / 5 > 0.8, rewards
        assert log(tmp_path / f"seed{seed}")[0]["sampler_drift"] < 1e-4
    assert sum(step["right_share"] for step in log(tmp_path / "control")[-5:]) / 5 < 0.4


TWO_UPDATES = (("global: 96", "global: 48"), ("rl: {", "rl: {kl: 0.02, "))


def test_stopped_within_a_batch_it_goes_on_with_the_same_answers_and_bits(asked: Path, tmp_path: Path) -> None:
    path = recipe(asked, tmp_path, "parts", *TWO_UPDATES, ("rounds: 1, revisit: 0", "rounds: 3, revisit: 1"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(
        1,
        [
            job(path, asked / "run", whole),
            *(job(path, asked / "run", parts, stop_after=at) for at in (1, 4, 5)),
            job(path, asked / "run", parts),
        ],
    )
    mine, theirs = weights(parts), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    for batch in range(3):
        assert rollout_file(parts, batch).read_bytes() == rollout_file(whole, batch).read_bytes()
    assert [step["loss"] for step in log(parts)] == [step["loss"] for step in log(whole)]


def test_every_layout_samples_the_same_texts_and_learns_the_same(asked: Path, tmp_path: Path) -> None:
    lora = ("data: {mixture", "lora: {rank: 4, alpha: 8}\ndata: {mixture")
    one = {
        "plain": recipe(asked, tmp_path, "plain", *TWO_UPDATES, steps=4),
        "lora": recipe(asked, tmp_path, "lora", *TWO_UPDATES, lora, steps=4),
    }
    run(1, [job(path, asked / "run", tmp_path / f"one-{name}") for name, path in one.items()])
    two = []
    for layout in ("tensor: 2", "data: 2", "pipeline: 2", "context: 2"):
        for name, more in (("plain", ()), ("lora", (lora,))):
            label = f"{layout[:4]}-{name}"
            two.append((name, label, recipe(asked, tmp_path, label, *TWO_UPDATES, *more, steps=4, layout=layout)))
    run(2, [job(path, asked / "run", tmp_path / label) for _, label, path in two])
    for name, label, _ in two:
        alone = tmp_path / f"one-{name}"
        for batch in range(2):
            mine, theirs = read_rollouts(tmp_path / label, batch)[0], read_rollouts(alone, batch)[0]
            assert [one.text for one in mine] == [one.text for one in theirs], label
            assert [one.reward for one in mine] == [one.reward for one in theirs]
        assert [step["loss"] for step in log(tmp_path / label)] == pytest.approx(
            [step["loss"] for step in log(alone)], abs=1e-4
        )
        if name == "plain":
            assert largest_difference(weights(tmp_path / label), weights(alone)) < 2e-3


def test_at_rate_zero_nothing_drifts_over_twenty_steps(asked: Path, tmp_path: Path) -> None:
    still = ("learning_rate: 1.5e-3, min_learning_rate: 1.0e-4", "learning_rate: 0, min_learning_rate: 0")
    small = ("groups: 6, samples: 16", "groups: 3, samples: 8, kl: 0.1, temperature: 0.6, top_p: 0.8")
    path = recipe(asked, tmp_path, "still", still, small, ("micro: 24, global: 96", "micro: 6, global: 12"), steps=20)
    run(1, [job(path, asked / "run", tmp_path / "still")])
    steps = log(tmp_path / "still")
    assert len(steps) == 20
    assert steps[0]["sampler_drift"] < 1e-4
    assert all(step["log_ratio"] < 1e-4 for step in steps)
    assert all(step["clip_low_share"] == step["clip_high_share"] == 0 for step in steps)
    first, last = weights(tmp_path / "still"), weights(asked / "cold")
    assert all(torch.equal(first[name], last[name]) for name in last)


def test_rollouts_tell_everything(asked: Path, tmp_path: Path) -> None:
    path = recipe(
        asked,
        tmp_path,
        "told",
        (
            "rl: {",
            "rl: {scales: {format: {mean: 0.5, deviation: 0.25}}, also: [{verifier: format, reference: {chars: [0, 40]}, weight: 0.5}], temperature: 0.7, top_p: 0.9, ",
        ),
        steps=1,
    )
    run(1, [job(path, asked / "run", tmp_path / "told")])
    rows = pa.ipc.open_file(rollout_file(tmp_path / "told", 0)).read_all().to_pylist()
    assert len(rows) == 96
    for row in rows:
        assert row["text"] is not None
        assert len(row["ids"]) == len(row["log_probabilities"])
        verdicts = json.loads(row["verdicts"])
        assert [one["verifier"] for one in verdicts] == ["format", "format"]
        own, other = ((one["score"] - 0.5) / 0.25 for one in verdicts)
        assert row["reward"] == pytest.approx((own + 0.5 * other) / 1.5)
        assert row["question"].startswith("What is")
    group = [row["reward"] for row in rows if row["number"] == rows[0]["number"]]
    mean = sum(group) / len(group)
    deviation = (sum((one - mean) ** 2 for one in group) / (len(group) - 1)) ** 0.5
    assert rows[0]["advantage"] == pytest.approx((group[0] - mean) / (deviation + 1e-6) if deviation else 0.0)
    record = log(tmp_path / "told")[0]
    assert {
        "reward",
        "flat_groups_share",
        "entropy",
        "kl",
        "clip_high_share",
        "truncated_share",
        "sampled_tokens_per_second",
    } <= set(record)


def test_killed_at_any_moment_it_ends_with_the_same_answers_and_bits(asked: Path, tmp_path: Path) -> None:
    path = recipe(asked, tmp_path, "killed", *TWO_UPDATES, ("every: 500", "every: 2"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(1, [job(path, asked / "run", whole)])
    chance = random.Random(7)
    for batch in (0, 1):  # while it samples, scores, learns or saves, as chance has it
        process = training(path, asked / "run", parts, CURATE_QUIET="1")
        deadline = time.monotonic() + 90
        while not rollout_file(parts, batch).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.8)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        assert not psutil.wait_procs(family, timeout=15)[1]  # neither judges nor writers outlive it
    run(1, [job(path, asked / "run", parts)])
    mine, theirs = weights(parts), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    for batch in range(3):
        assert rollout_file(parts, batch).read_bytes() == rollout_file(whole, batch).read_bytes()
    assert [step["step"] for step in log(parts)] == [step["step"] for step in log(whole)]


def test_prompts_are_chosen_by_how_often_a_model_answers_them_rightly(asked: Path, tmp_path: Path) -> None:
    path = recipe(asked, tmp_path, "measured", steps=1)
    arguments = (
        "train",
        "rl",
        "difficulty",
        path,
        "--manifest",
        asked / "run",
        "--from",
        asked / "cold",
        "--samples",
        8,
    )
    told = Path(called(*arguments).strip())
    rates = pl.read_parquet(told)
    assert rates.height == len(USES)
    assert rates["pass_rate"].is_between(0, 1).all()
    assert rates["samples"].to_list() == [8] * len(USES)
    stamp = told.stat().st_mtime_ns
    called(*arguments)
    assert told.stat().st_mtime_ns == stamp  # all of them were measured before
    middle = float(rates["pass_rate"].sort()[2]) + 1e-9
    chosen = recipe(asked, tmp_path, "chosen", ("rl: {", f"rl: {{pass_rate: [{middle}, 1.0], "), steps=1)
    none = recipe(asked, tmp_path, "none", ("rl: {", "rl: {pass_rate: [0.999, 1.0], "), steps=1)
    run(
        1,
        [
            job(chosen, asked / "run", tmp_path / "chosen"),
            job(none, asked / "run", tmp_path / "none", refused="no prompt of 'rl'"),
        ],
    )
    fitting = set(rates.filter(pl.col("pass_rate") > middle)["prompt"])
    assert {one.prompt for one in read_rollouts(tmp_path / "chosen", 0)[0]} <= fitting
    assert "0 of 96 answers" in invoked("train", "rl", "rescore", tmp_path / "chosen")
    told.unlink()


def test_thoughts_are_closed_and_texts_stop_answers(asked: Path, tmp_path: Path) -> None:
    # Whatever a tiny model writes, a budget of one token is spent and every answer is stopped by a sign of its own.
    opened = [{"prompt": "What is warfarin given for? <think>", "verifier": "format", "reference": {"chars": [0, 400]}}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, opened)))
    path = recipe(asked, tmp_path, "bounded", ("rl: {", "rl: {think_tokens: 3, stop: ['given', '\"}'], "), steps=1)
    run(1, [job(path, asked / "run", tmp_path / "bounded")])
    rollouts = read_rollouts(tmp_path / "bounded", 0)[0]
    stopped = [one for one in rollouts if one.ended and one.ids[-1] not in (1, 2)]
    assert stopped
    assert all("given" not in one.text and '"}' not in one.text for one in rollouts)
    assert not any(value != value for one in rollouts for value in one.log_probabilities)  # no thought was opened


def test_what_cannot_be_is_refused(asked: Path, tmp_path: Path) -> None:
    for changes, told in (
        ((("mixture: rl", "mixture: cold"),), "holds no prompts"),
        ((("sequence_length: 96", "sequence_length: 32"),), "leave no room for rl.max_tokens"),
    ):
        path = recipe(asked, tmp_path, "refused", *changes)
        run(1, [job(path, asked / "run", tmp_path / "refused", refused=told)])
    for *wrong, told in (
        (("tensor: 1", "context: 2"), ("rl: {", "rl: {aggregation: sequence, "), "ratio and aggregation by token"),
        (("steps: 6", "epochs: 1"), "schedule.steps"),
        (("global: 96", "global: 72"), "must be a multiple of batch.global"),
        (("stage: rl_reasoning", "stage: sft"), "no other stage has"),
    ):
        with pytest.raises(WrongCall, match=told):
            load_stage(recipe(asked, tmp_path, "wrong", *wrong))


def test_mastered_prompts_come_again_later_and_the_order_resumes() -> None:
    order = Order([Stratum((0, 1, 2, 3, 4))], 1)
    first = order.take(5)
    assert sorted(first) == [0, 1, 2, 3, 4]
    order.tell(first[0], True, 1)
    assert first[0] not in order.take(4)
    resumed = Order([Stratum((0, 1, 2, 3, 4))], 1)
    resumed.go_on(json.loads(json.dumps(order.state())))
    assert resumed.take(5) == order.take(5)
    assert first[0] in {one for _ in range(3) for one in order.take(5)}
    for number in range(5):
        order.tell(number, True, 3)
    assert len(order.take(7)) == 7  # all mastered: they are asked all the same
