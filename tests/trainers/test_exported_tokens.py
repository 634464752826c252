"""What an exported folder makes of a text and of a conversation is a row of the shards, id by id: five published shapes.

By transformers always; by vLLM where `CURATE_VLLM_PYTHON` names the interpreter of an environment that has it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")

from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate
from tests.tokenization.test_marks import SHAPES, write_shape
from tests.trainers.conftest import job
from tests.trainers.ranks import run
from trainers.model.hf_export import export_hf

pytestmark = pytest.mark.slow
VLLM = os.environ.get("CURATE_VLLM_PYTHON")

CORPUS = """
name: shapes
sources:
  - {name: talks, files: talks.jsonl, source_type: dialogue, conversation: auto}
  - {name: texts, files: texts.jsonl, source_type: literature, text: "{text}"}
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {file: base/tokenizer.json}
conversations: {template: base/chat_template.jinja, max_tokens: 400}
mixtures:
  talks: {kind: conversations, components: [{name: all}]}
  texts: {components: [{name: all, where: "source = 'texts'"}]}
"""
STAGE = """
name: sft
stage: sft
seed: 5
model: {family: llama, layers: 1, hidden: 32, heads: 2, kv_heads: 1, ffn: 64}
data: {mixture: talks, sequence_length: 416, validation: 0}
batch: {micro: 1, global: 1}
schedule: {steps: 1, warmup: 0, learning_rate: 1.0e-3, min_learning_rate: 1.0e-3}
checkpoint: {asynchronous: false}
log: {tensorboard: false}
"""
TALKS = [
    [("user", "Is 5 mg safe?"), ("assistant", "Yes, with food."), ("user", "血压?"), ("assistant", "偏高。")],
    [("user", "Dose of metformin 1 g, eGFR 28?"), ("assistant", "Do not give it: below 30 it is contraindicated.")],
    [("user", "μg/mL ≥ 10⁹ \U0001f489"), ("assistant", "1. one\n\n2. two")],
    [("user", "a b\nc"), ("assistant", '1. one; 2. two (tab, quote: "a")')],
]
ENDS = ("llama3", "mistral")  # templates whose last mark is the end itself; the others write a line's end behind it
TEXTS = ["Aspirin 81 mg\n每日一次", "The mitral valve has two leaflets."]


def exported(folder: Path, names: list[str]) -> None:
    """For each shape a corpus, a model of one step, and its exported folder."""
    for name in names:
        (folder / name / "base").mkdir(parents=True)
        write_shape(SHAPES[name], folder / name / "base")
        rows = [{"messages": [{"role": role, "content": text} for role, text in one]} for one in TALKS]
        (folder / name / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / name / "texts.jsonl").write_text("\n".join(json.dumps({"text": one}) for one in TEXTS))
        recipe = write_recipe(folder / name, CORPUS)
        curate("run", recipe, "--run-dir", folder / name / "run", "--workers", 1)
    (folder / "sft.yaml").write_text(STAGE)
    run(1, [job(folder / "sft.yaml", folder / name / "run", folder / name / "model") for name in names])
    for name in names:
        export_hf(folder / name / "model", folder / name / "exported")


def rows_of(run_dir: Path, mixture: str) -> list[list[int]]:
    """Ids of all rows of a mixture, sorted."""
    files = sorted((run_dir / "shards" / mixture).rglob("*.arrow"))
    return sorted(ids for one in files for ids in pa.ipc.open_file(one).read_all().column("input_ids").to_pylist())


def messages(talk: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in talk]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    exported(folder, list(SHAPES))
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_transformers_makes_the_rows_of_the_shards(name: str, folders: Path) -> None:
    at = folders / name
    theirs = transformers.AutoTokenizer.from_pretrained(str(at / "exported"))
    talks = [theirs.apply_chat_template(messages(one), return_dict=False) for one in TALKS]
    assert sorted(talks) == rows_of(at / "run", "talks")
    ends = theirs.convert_tokens_to_ids(SHAPES[name].ends)
    assert sorted([*theirs(one)["input_ids"], ends] for one in TEXTS) == rows_of(at / "run", "texts")
    marks = transformers.GenerationConfig.from_pretrained(str(at / "exported"))
    assert marks.eos_token_id == theirs.eos_token_id == rows_of(at / "run", "talks")[0][-1 if name in ENDS else -2]


RENDER = """
import sys, uvloop
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.launchers.render.entry import run_launch_fastapi
from vllm.utils.argparse_utils import FlexibleArgumentParser
uvloop.run(run_launch_fastapi(make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:])))
"""


@contextmanager
def vllm_of(folder: Path, log: Path) -> Iterator[str]:
    """vLLM's server that only renders and tokenises (its `launch render`), and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(VLLM), "-c", RENDER, "--model", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield waited(f"http://127.0.0.1:{port}", process, log)
        finally:
            process.terminate()


def waited(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{url}/health"):
                return url
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def tokenised(url: str, asked: dict[str, Any]) -> list[int]:
    request = urllib.request.Request(
        f"{url}/tokenize", json.dumps(asked).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        found: list[int] = json.load(answer)["tokens"]
        return found


@pytest.mark.skipif(VLLM is None, reason="CURATE_VLLM_PYTHON names no interpreter with vLLM")
@pytest.mark.parametrize("name", SHAPES)
def test_vllm_makes_the_rows_of_the_shards(name: str, folders: Path, tmp_path: Path) -> None:
    at = folders / name
    ends = transformers.AutoTokenizer.from_pretrained(str(at / "exported")).convert_tokens_to_ids(SHAPES[name].ends)
    with vllm_of(at / "exported", tmp_path / "vllm.log") as url:
        talks = [tokenised(url, {"messages": messages(one), "add_generation_prompt": False}) for one in TALKS]
        texts = [[*tokenised(url, {"prompt": one}), ends] for one in TEXTS]
    assert sorted(talks) == rows_of(at / "run", "talks")
    assert sorted(texts) == rows_of(at / "run", "texts")
