"""What a later delivery withdraws or replaces is taken out of the earlier run, in a new folder, to the last count."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from curate.cli import main
from pipelines.apply import left_out_without
from pipelines.execute import execute
from pipelines.verify import verify
from schemas.errors import WrongCall
from schemas.manifest import load_manifest
from storage.columnar import write_parquet
from storage.fingerprints import sha256_file

RECIPE = """
name: deliveries
seed: 3
sources:
  - {name: papers, files: "papers/*.jsonl", source_type: literature, licence: CC-BY-4.0, text: "{text}"}
  - {name: talks, files: "talks/*.jsonl", source_type: dialogue, licence: CC0-1.0, conversation: auto, optional: true}
steps: [normalise]
dedup: {exact: true, minhash: {}}
withdrawn: {files: "lists/*.csv"}
tokenizer: {train: {vocab_size: 400}}
mixtures:
  pretrain: {components: [{name: all, where: "conversation IS NULL"}], shards: 3}
  sft: {kind: conversations, components: [{name: talks}]}
max_quarantined: 1.0
"""


def text(number: int, more: str = "") -> str:
    return " ".join(f"finding {number} of ward {number * 7 + place} is {place}" for place in range(60)) + more


def delivered(folder: Path, papers: list[dict[str, str]], talks: list[dict[str, object]], withdrawn: str) -> Path:
    for name, rows in (("papers", papers), ("talks", talks)):
        (folder / name).mkdir(parents=True)
        if rows:
            (folder / name / "part-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "lists").mkdir()
    (folder / "lists" / "w.csv").write_text(withdrawn)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("apply")
    (root / "recipe.yaml").write_text(RECIPE)
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"What of {n}?"},
                {"role": "assistant", "content": f"It is {n * 3}."},
            ]
        }
        for n in range(6)
    ]
    papers = [{"doi": f"10.1000/{n}", "text": text(n)} for n in range(9)]
    delivered(root / "d1", papers, talks, "doi\n10.9999/none\n")
    execute(root / "recipe.yaml", root / "d1", root / "r1", workers=1)
    curated = pl.read_parquet(root / "r1" / "curated" / "*.parquet")
    talk = curated.filter(pl.col("conversation").is_not_null())["id"].sort()[0]
    delivered(root / "d2", [{"text": text(4, " And more was found at the end.")}], [], f"id\n{talk}\n")
    (root / "d2" / "lists" / "retracted.csv").write_text("doi\nhttps://doi.org/10.1000/7\n")
    execute(root / "recipe.yaml", root / "d2", root / "r2", workers=1, against=[root / "r1"])
    return root


def test_a_run_less_what_was_listed_is_whole(runs: Path, tmp_path: Path) -> None:
    before = load_manifest(runs / "r1")
    done = CliRunner().invoke(main, ["apply", str(runs / "r2"), "--to", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["taken_out"] == 3
    new = tmp_path / "r1"
    list(verify(new))
    after = load_manifest(new)
    assert after.parents == [before.digest, load_manifest(runs / "r2").digest]
    assert after.counts.curated == before.counts.curated - 3
    assert after.counts.dropped == {"replaced": 1, "withdrawn": 2}
    dropped = pl.read_parquet(new / "dropped" / "*.parquet")
    assert set(dropped["doi"].drop_nulls()) == {"10.1000/4", "10.1000/7"}
    assert dropped["drop_reason"].null_count() == 0
    curated = pl.read_parquet(new / "curated" / "*.parquet")
    assert after.counts.total.characters == curated["text"].str.len_chars().sum()
    assert after.conversations is not None
    assert before.conversations is not None
    assert after.conversations.conversations == before.conversations.conversations - 1
    assert after.conversations.learned_tokens < before.conversations.learned_tokens
    part = after.mixtures["pretrain"].components["all"]
    assert part.documents == 7
    assert after.counts.by_source["papers"].tokens == part.tokens
    list(verify(runs / "r1"))  # nothing of the earlier run was touched
    assert load_manifest(runs / "r1").digest == before.digest


def test_a_run_is_the_same_whether_taken_out_or_never_there(runs: Path, tmp_path: Path) -> None:
    """Shards without the documents equal those of a run whose lists named them from the first day, by its tokenizer."""
    CliRunner().invoke(main, ["apply", str(runs / "r2"), "--to", str(tmp_path)])
    import pyarrow as pa

    old, new = runs / "r1", tmp_path / "r1"
    dropped = set(pl.read_parquet(new / "dropped" / "*.parquet")["id"])
    for shard in sorted((old / "shards").rglob("*.arrow")):
        rows = pa.ipc.open_file(shard).read_all().to_pylist()
        kept = pa.ipc.open_file(new / shard.relative_to(old)).read_all().to_pylist()
        assert kept == [row for row in rows if row["doc_id"] not in dropped]


def test_what_is_in_no_shard_is_taken_out_there_as_well(tmp_path: Path) -> None:
    for name, ids in (("00000", ["a", "b"]), ("00001", ["c"])):
        write_parquet(
            tmp_path / "r1" / "left_out" / f"{name}.parquet", pl.DataFrame({"id": ids, "why": ["long"] * len(ids)})
        )
    found = left_out_without(tmp_path / "r1", tmp_path / "to", ["b", "x"])
    assert list(found) == ["left_out/00000.parquet"]
    assert sha256_file(tmp_path / "to" / "left_out" / "00000.parquet") == found["left_out/00000.parquet"]
    assert pl.read_parquet(tmp_path / "to" / "left_out" / "00000.parquet")["id"].to_list() == ["a"]


def test_it_is_not_run_again_and_can_be_held_against(runs: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["apply", str(runs / "r2"), "--to", str(tmp_path)])
    new = tmp_path / "r1"
    with pytest.raises(WrongCall, match="curate apply"):
        execute(runs / "recipe.yaml", runs / "d1", new, workers=1)
    delivered(tmp_path / "d3", [{"text": text(2)}, {"text": text(40)}], [], "doi\n10.9999/none\n")
    manifest = execute(runs / "recipe.yaml", tmp_path / "d3", tmp_path / "r3", workers=1, against=[new])
    assert manifest.counts.curated == 1
    again = CliRunner().invoke(main, ["apply", str(tmp_path / "r3"), "--to", str(tmp_path / "more")])
    assert again.exit_code == 0
    assert "nothing to take out" in again.output
