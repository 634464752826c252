"""A corpus in the forms that others read: Megatron's own reader and Hugging Face's library find what the shards hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from curate.cli import main
from pipelines.execute import execute
from schemas.manifest import Manifest, load_manifest

RECIPE = """
name: exported
seed: 3
sources:
  - {name: papers, files: "papers.jsonl", source_type: literature, licence: CC-BY-4.0, text: "{text}"}
  - {name: talks, files: "talks.jsonl", source_type: dialogue, conversation: auto}
dedup: {exact: false, minhash: false}
tokenizer: {train: {vocab_size: 400}}
mixtures:
  pretrain:
    components:
      - {name: even, where: "title IN ('0', '2', '4')", weight: 2.5}
      - {name: none, where: "title = 'x'"}
      - {name: all, where: "conversation IS NULL"}
    shards: 3
  sft: {kind: conversations, components: [{name: talks}]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exports")
    (root / "recipe.yaml").write_text(RECIPE)
    papers = [{"title": str(n), "text": f"Finding {n}: " + "ward " * (n + 3)} for n in range(7)]
    talks = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "Yes."}]} for n in range(4)
    ]
    for name, rows in (("papers", papers), ("talks", talks)):
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    execute(root / "recipe.yaml", None, root / "run", workers=1)
    return root / "run"


def tokens(run: Path, manifest: Manifest, mixture: str, component: str) -> list[list[int]]:
    shards = manifest.mixtures[mixture].components[component].shards
    return [row for one in shards for row in pa.ipc.open_file(run / one.path).read_all()["input_ids"].to_pylist()]


def called(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_megatron_reads_what_the_shards_hold(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("megatron.core")
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    assert called("export", "megatron", run, "--to", tmp_path / "m").exit_code == 0
    manifest = load_manifest(run)
    for component in ("even", "all"):
        found = IndexedDataset(str(tmp_path / "m" / "pretrain" / component))
        wanted = tokens(run, manifest, "pretrain", component)
        assert [one.tolist() for one in found] == wanted
        assert found.document_indices.tolist() == list(range(len(wanted) + 1))
    assert not (tmp_path / "m" / "pretrain" / "none.idx").exists()
    assert (tmp_path / "m" / "pretrain" / "data-path.txt").read_text().split()[::2] == ["1", "2.5"]
    assert not (tmp_path / "m" / "sft").exists()


def test_mixtures_are_chosen_by_name_and_folders_are_new(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("megatron.core")
    assert called("export", "megatron", run, "--to", tmp_path / "m", "--mixture", "sft").exit_code == 0
    assert (tmp_path / "m" / "sft" / "talks.bin").exists()
    assert "not empty" in str(called("export", "megatron", run, "--to", tmp_path / "m").exception)
    assert "did you mean 'sft'" in str(
        called("export", "megatron", run, "--to", tmp_path / "n", "--mixture", "sf").exception
    )


def test_datasets_opens_what_the_run_holds(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert called("export", "huggingface", run, "--to", tmp_path / "h").exit_code == 0
    manifest = load_manifest(run)
    told = datasets.load_from_disk(str(tmp_path / "h"))
    assert told["documents"].num_rows == manifest.counts.curated
    rows = told["pretrain"].to_list()
    for component in ("even", "all"):
        mine = [row["input_ids"] for row in rows if row["component"] == component]
        assert mine == tokens(run, manifest, "pretrain", component)
    loaded = datasets.load_dataset(str(tmp_path / "h"), "sft", split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["input_ids"] == tokens(run, manifest, "sft", "talks")
    whole = datasets.load_dataset(str(tmp_path / "h"), split="train", cache_dir=str(tmp_path / "cache"))
    assert whole.num_rows == manifest.counts.curated
