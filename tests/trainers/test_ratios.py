"""The search for ratios: its mathematics, and a real search by short trainings that goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the train extra is not installed")

from tests.conftest import REPOSITORY
from tests.pipelines.test_engines import curate
from trainers.ratios.search import best_point, expected_improvement, first_points, propose


def test_first_points_are_uniform_then_spread() -> None:
    points = first_points(6, 3, 1)
    assert points[0].tolist() == pytest.approx([1 / 3] * 3)
    assert points.sum(axis=1) == pytest.approx(np.ones(6))
    apart = [np.linalg.norm(points[i] - points[j]) for i in range(6) for j in range(i)]
    assert min(apart) > 0.3
    assert first_points(6, 3, 1).tolist() == points.tolist()


def test_expected_improvement_is_the_mean_of_what_is_better() -> None:
    stream = np.random.default_rng(0)
    for mean, deviation, best in ((1.0, 0.5, 1.2), (0.0, 1.0, 0.0), (2.0, 0.1, 1.0)):
        drawn = np.maximum(stream.normal(mean, deviation, 400_000) - best, 0).mean()
        found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
        assert found == pytest.approx(drawn, abs=3e-3)


def test_the_search_finds_a_hidden_optimum_better_than_chance() -> None:
    wanted = np.array([0.55, 0.35, 0.10])
    stream = np.random.default_rng(5)

    def score(point: np.ndarray) -> float:
        return float(-((point - wanted) ** 2).sum() + stream.normal(0, 0.005))

    points = first_points(6, 3, 2)
    scores = np.array([score(point) for point in points])
    while len(points) < 20:
        point = propose(points, scores, 2)
        assert point.sum() == pytest.approx(1.0)
        points, scores = np.vstack([points, point]), np.append(scores, score(point))
    found, _ = best_point(points, scores)
    chance = np.random.default_rng(7).dirichlet(np.ones(3), (200, 20))
    distances = np.linalg.norm(chance - wanted, axis=2).min(axis=1)
    assert np.linalg.norm(found - wanted) < np.median(distances)
    assert np.linalg.norm(found - wanted) < 0.12


@pytest.mark.slow
def test_a_real_search_trains_scores_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    proxy = (REPOSITORY / "recipes" / "train" / "ratios-proxy.yaml").read_text()
    (tmp_path / "proxy.yaml").write_text(proxy.replace("steps: 40", "steps: 6").replace("every: 40", "every: 6"))
    recipe = tmp_path / "search.yaml"
    recipe.write_text(
        "name: s\nproxy: proxy.yaml\ngroups: [atomic, composite]\nabilities: {atomic: 1.0, composite: 2.0}\ntrials: 4\ninitial: 2\n"
    )
    call = ("train", "ratios", recipe, "--manifest", corpus, "--out", tmp_path / "out")
    first = curate(*call)
    trials = [json.loads(line) for line in (tmp_path / "out" / "trials.jsonl").read_text().splitlines()]
    assert [one["trial"] for one in trials] == [1, 2, 3, 4]
    assert len({one["score"] for one in trials}) == 4
    for one in trials:
        expected = (np.exp(-one["losses"]["atomic"]) + 2 * np.exp(-one["losses"]["composite"])) / 3
        assert one["score"] == pytest.approx(expected)
    ratios = json.loads(first.stdout)
    assert sum(ratios.values()) == pytest.approx(1.0, abs=1e-3)
    page = (tmp_path / "out" / "ratios.html").read_text()
    assert "best so far" in page
    # Cut off after the third trial, the search goes on to the same fourth.
    (tmp_path / "out" / "trials.jsonl").write_text("".join(json.dumps(one) + "\n" for one in trials[:3]))
    assert curate(*call).stdout == first.stdout
    recipe.write_text(
        recipe.read_text()
        .replace("[atomic, composite]", "[atomic, compsite]")
        .replace("composite: 2.0", "compsite: 2.0")
    )
    assert "did you mean 'composite'?" in curate(*call, status=2).stderr
