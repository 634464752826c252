"""Learning rates are Megatron-Core's, batches ramp, spikes are told from ordinary steps, shares are cut into boxes."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.loop.records import cut_log, newest_first
from trainers.loop.schedule import learning_rate
from trainers.loop.spikes import SpikeWatch
from trainers.parallel.boxes import boxes
from trainers.stage import BatchConfig, ScheduleConfig, SpikeConfig


@pytest.mark.parametrize("decay", ["cosine", "linear", "constant", "inverse-square-root", "wsd"])
def test_rates_are_those_of_megatron(decay: str) -> None:
    scheduler_module = pytest.importorskip(
        "megatron.core.optimizer_param_scheduler", reason="the train extra is not installed"
    )
    schedule = ScheduleConfig(
        steps=100, warmup=10, decay=decay, learning_rate=2e-3, min_learning_rate=1e-4, decay_share=0.2
    )  # type: ignore[arg-type]
    optimizer: Any = SimpleNamespace(param_groups=[{}])
    theirs = scheduler_module.OptimizerParamScheduler(
        optimizer, init_lr=0.0, max_lr=2e-3, min_lr=1e-4, lr_warmup_steps=10, lr_decay_steps=100,
        lr_decay_style="WSD" if decay == "wsd" else decay, start_wd=0.0, end_wd=0.0, wd_incr_steps=100,
        wd_incr_style="constant", wsd_decay_steps=20, lr_wsd_decay_style="linear",
    )  # fmt: skip
    for step in range(1, 101):
        theirs.step(1)
        assert learning_rate(schedule, step, 100) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step


def test_a_continued_stage_warms_up_from_where_the_last_ended() -> None:
    schedule = ScheduleConfig(steps=50, warmup=10, learning_rate=1e-3, min_learning_rate=1e-4, start_learning_rate=1e-4)
    assert learning_rate(schedule, 1, 50) == pytest.approx(1.9e-4)
    assert learning_rate(schedule, 10, 50) == pytest.approx(1e-3)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 64)), max_size=4), st.integers(0, 120))
def test_a_ramp_counts_every_sample(parts: list[tuple[int, int]], step: int) -> None:
    ramp = [{"until": until, "global": size} for until, size in sorted(dict(parts).items())]
    batch = BatchConfig.model_validate({"global": 64, "ramp": ramp})
    assert batch.before(step) == sum(batch.at(one) for one in range(1, step + 1))


def records(count: int) -> list[dict[str, Any]]:
    return [{"loss_by": {"component": {"a": 2.0 + 0.01 * n, "b": 5.0}}, "grad_norm": 1.0} for n in range(count)]


def test_spikes_are_told_by_component() -> None:
    watch = SpikeWatch(SpikeConfig(loss_factor=1.5, norm_factor=10), records(20)[::-1], ["a", "b"])
    assert watch.reason({"b": 5.2}, {"b": 100}, 1.1) is None, "a hard component alone is no spike"
    assert "such a batch usually has" in str(watch.reason({"a": 4.0, "b": 5.0}, {"a": 900, "b": 10}, 1.0))
    assert "gradient norm 11" in str(watch.reason({"a": 2.1}, {"a": 10}, 11.0))
    assert "is nan" in str(watch.reason({"a": math.nan}, {"a": 10}, 1.0))
    assert "norm is inf" in str(watch.reason({"a": 2.0}, {"a": 10}, math.inf))
    assert watch.reason({"new": 99.0}, {"new": 10}, 1.0) is None, "what was never seen has no usual loss"
    assert watch.count == 4
    assert SpikeWatch(SpikeConfig(), [{"spike": "skip"}, *records(12)], ["a"], 1).count == 1


def test_a_watch_reads_no_more_of_a_log_than_its_windows_hold() -> None:
    settings = SpikeConfig(window=10, loss_factor=1.5)
    rare = [{"loss_by": {"component": {"rare": float(n)}}, "grad_norm": 1.0} for n in range(3)]
    read: list[int] = []

    def log(newest: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for record in newest:
            read.append(1)
            yield record

    watch, whole = (SpikeWatch(settings, log(newest), ["a", "b"]) for newest in (records(500)[::-1], records(10)[::-1]))
    assert len(read) == 20
    assert watch.reason({"a": 11.0}, {"a": 10}, 1.0) is not None
    assert whole.reason({"a": 3.0}, {"a": 10}, 1.0) is None
    read.clear()
    watch = SpikeWatch(settings, log([*records(40)[::-1], *rare]), ["a", "rare"])
    assert len(read) == 43, "a component seldom drawn is looked for to the beginning"


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 40), st.integers(1, 60))
def test_a_log_is_cut_after_the_last_record_that_is_kept(batches: list[int], samples: int, cut_off: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        ends = np.cumsum(batches).tolist()
        lines = [json.dumps({"step": n, "end": end}) + "\n" for n, end in enumerate(ends)]
        path.write_text("".join(lines) + '{"step": 99, "torn": 1, "filling": "' + "x" * cut_off)
        assert [record["end"] for _, record in newest_first(path)] == ends[::-1]
        cut_log(path, lambda record: record["end"] <= samples)
        assert path.read_text() == "".join(line for line, end in zip(lines, ends, strict=True) if end <= samples)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.data())
def test_stretches_cut_into_boxes_cover_a_tensor_once_and_in_order(shape: list[int], data: st.DataObject) -> None:
    size = math.prod(shape)
    whole = np.arange(size).reshape(shape)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4)))
    elements: list[int] = []
    for start, end in itertools.pairwise([0, *cuts, size]):
        made = list(boxes(start, end, shape))
        assert len(made) <= 2 * len(shape) - 1
        for box in made:
            inside = tuple(slice(at, at + count) for at, count in zip(box.offset, box.shape, strict=True))
            elements.extend(whole[inside].ravel())
    assert elements == list(range(size))
