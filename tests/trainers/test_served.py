"""Rollouts by another engine: new weights before each batch, engines that agree, and what a server may do wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from tests.trainers.conftest import job, largest_difference, log, weights
from tests.trainers.ranks import run
from tests.trainers.token_server import token_server
from tests.trainers.uses import COLD, recipe
from trainers.rl.rollout_files import read_rollouts, rollout_file

pytestmark = pytest.mark.slow

VLLM = os.environ.get("CURATE_VLLM_PYTHON")  # the interpreter of an environment of its own, in which vLLM is
SMALL = (("groups: 6, samples: 16", "groups: 3, samples: 8"), ("micro: 24, global: 96", "micro: 6, global: 12"))


def served(url: str, more: str = "") -> tuple[str, str]:
    return "rl: {", f'rl: {{served: {{url: "{url}", model: policy, patience: 3{more}}}, '


@pytest.fixture(scope="session")
def first(asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that answers first, as a server is started with it."""
    from trainers.model.hf_export import export_hf

    folder = tmp_path_factory.mktemp("served") / "first"
    export_hf(asked / "cold", folder, untied=True)
    return folder


def test_every_layout_learns_from_a_servers_answers_alike(asked: Path, first: Path, tmp_path: Path) -> None:
    with token_server(first) as server:
        one = recipe(asked, tmp_path, "one", *SMALL, served(server.url), steps=4)
        run(1, [job(one, asked / "run", tmp_path / "one", stop_after=3), job(one, asked / "run", tmp_path / "one")])
        # Once for each batch; the second call began within one, whose answers were read again.
        assert [Path(folder).name for folder in server.loaded[1:]] == ["step-00000000", "step-00000002"]
        layouts = ("tensor: 2", "pipeline: 2", "data: 2", "context: 2")
        paths = {
            layout: recipe(asked, tmp_path, layout[:4], *SMALL, served(server.url), steps=4, layout=layout)
            for layout in layouts
        }
        run(2, [job(path, asked / "run", tmp_path / f"out-{layout[:4]}") for layout, path in paths.items()])
        other = recipe(asked, tmp_path, "other", *SMALL, served(server.url, ", engine: sglang, every: 2"), steps=8)
        run(1, [job(other, asked / "run", tmp_path / "other")])
    steps = log(tmp_path / "one")
    for step in (steps[0], steps[2]):
        assert step["sampler_drift"] < 1e-4
        assert step["engine_drift"] < 1e-5
        assert step["staleness"] == step["importance_cut_share"] == 0
    rollouts, _ = read_rollouts(tmp_path / "one", 1)
    assert all(len(one.trained or []) == len(one.ids) for one in rollouts)
    for layout in layouts:
        out = tmp_path / f"out-{layout[:4]}"
        assert [one.text for one in read_rollouts(out, 1)[0]] == [one.text for one in rollouts], layout
        assert largest_difference(weights(out), weights(tmp_path / "one")) < 2e-3, layout
    stale = [step["staleness"] for step in log(tmp_path / "other") if "staleness" in step]
    assert stale == [0, 2, 0, 2]
    drifts = [step["engine_drift"] for step in log(tmp_path / "other") if "staleness" in step]
    assert max(drifts[0], drifts[2]) < 1e-5 < min(drifts[1], drifts[3]), "old weights answered the other batches"


def test_a_server_that_fails_delays_or_ends_the_stage_with_nothing_lost(
    asked: Path, first: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with token_server(first) as server:
        path = recipe(asked, tmp_path, "down", *SMALL, served(server.url), steps=4)
        server.down_until = time.monotonic() + 1.5
        run(1, [job(path, asked / "run", out, stop_after=2)])
        begun = rollout_file(out, 0).read_bytes()
        server.down_until = time.monotonic() + 3600
        run(1, [job(path, asked / "run", out, refused="gave no answer for 3 s", status=1)])
        server.down_until, server.stale = 0, True
        refused = "sampler and trainer differ by"
        run(1, [job(path, asked / "run", out, refused=refused, status=1)])
        assert not rollout_file(out, 1).exists(), "nothing is learned from a server that keeps old weights"
        server.stale, server.mute = False, True
        run(1, [job(path, asked / "run", out, refused="tells no token ids", status=1)])
        server.mute = False
        run(1, [job(path, asked / "run", out)])
    assert [step["step"] for step in log(out)] == [1, 2, 3, 4]
    assert rollout_file(out, 0).read_bytes() == begun


@pytest.mark.skipif(VLLM is None, reason="CURATE_VLLM_PYTHON names no interpreter with vLLM")
def test_vllm_samples_what_is_learned(asked: Path, tmp_path: Path) -> None:
    from trainers.model.hf_export import export_hf

    wide = COLD.replace("kv_heads: 2", "kv_heads: 2, head_width: 32").replace("steps: 150", "steps: 40")
    (tmp_path / "cold.yaml").write_text(wide)  # vLLM on CPUs has no heads of 16
    run(1, [job(tmp_path / "cold.yaml", asked / "run", tmp_path / "cold")])
    first = tmp_path / "first"
    export_hf(tmp_path / "cold", first, untied=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [VLLM or "", "-m", "vllm.entrypoints.openai.api_server", "--model", str(first), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--served-model-name", "policy", "--dtype", "float32", "--max-model-len", "128"]
    command += ["--logprobs-mode", "processed_logprobs"]
    told = {**os.environ, "VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with (tmp_path / "vllm.log").open("wb") as words:
        server = subprocess.Popen(command, env=told, stdout=words, stderr=words, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", server)
        drawn = ("max_tokens: 24", "max_tokens: 24, temperature: 0.6, top_p: 0.8")
        path = recipe(tmp_path, tmp_path, "vllm", *SMALL, drawn, served(f"http://127.0.0.1:{port}/v1"), steps=6)
        run(1, [job(path, asked / "run", tmp_path / "out")])
    finally:
        server.terminate()
        server.wait(60)
    steps = log(tmp_path / "out")
    assert all(step["sampler_drift"] < 1e-4 for step in steps[::2]), "at each of three handovers"


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(1)
    raise AssertionError("vLLM did not start")
