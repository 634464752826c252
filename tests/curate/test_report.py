"""The report: one file without network, every section, text escaped, curves once there are any."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from curate.differences import marked_differences
from curate.plots import histogram, line_plot
from curate.report import write_report


def test_a_whole_report(demo_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(demo_run, run)
    model = run / "models" / "m"
    model.mkdir(parents=True)
    steps = [
        {
            "step": n,
            "loss": 5 - n / 10,
            "grad_norm": 1.0,
            "tokens": n * 10,
            "tokens_per_second": 9.0,
            "data_wait_share": 0.01,
        }
        for n in range(1, 9)
    ]
    steps[-1]["validation_loss"] = 4.9
    (model / "log.jsonl").write_text("\n".join(map(json.dumps, steps)))
    page = write_report(run).read_text(encoding="utf-8")
    for heading in (
        "From inputs to corpus",
        "Mixtures",
        "Training: m",
        "What was dropped",
        "Near duplicates",
        "Benchmarks kept out",
        "Retracted articles",
        "Quarantine",
        "Lengths",
    ):
        assert heading in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page
    assert "<script" not in page
    assert "no text layer" in page
    assert "4.900 → 4.200" in page
    assert page.count("<mark>") > 3


def test_differences_are_marked_by_word_and_character() -> None:
    left, right = marked_differences("dose 5 mg daily 患者男", "dose 10 mg daily 患者女")
    assert [text for differs, text in left if differs] == ["5 ", "男"]
    assert [text for differs, text in right if differs] == ["10 ", "女"]


def test_plots_hold_their_points() -> None:
    svg = line_plot({"training": [(1, 5.0), (2, 4.0), (3, 3.5)]}, "step", "loss")
    assert svg.count("<circle") == 3
    assert "polyline" in svg
    assert histogram(np.array([2.0, 2.0, 3.0])).count('class="bar"') == 2
    assert "&lt;b&gt;" in line_plot({"<b>": [(0, 1.0), (1, 2.0)]}, "x", "y")


def test_a_line_that_stays_where_it_is_has_a_scale_of_its_own_size() -> None:
    plot = str(line_plot({"rate": [(1, 2e-4), (40, 2e-4)]}, "step", "learning rate"))
    assert ">0.0002</text>" in plot
    assert ">0.02</text>" not in plot
