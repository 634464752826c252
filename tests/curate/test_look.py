"""`inspect`, `trace` and `verify` tell the truth of one small run: nothing ambiguous, nothing left out without a word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from curate.cli import main
from curate.report import write_report
from pipelines.execute import execute
from pipelines.notes import notes
from schemas.errors import CurateError, WrongCall
from schemas.manifest import load_manifest

RECIPE = """
name: looked
seed: 3
sources:
  - {name: papers, files: "papers.jsonl", source_type: literature, text: "{text}", title: "{title}"}
  - {name: talks, files: "talks.jsonl", source_type: dialogue, conversation: auto}
steps: [normalise, {length: {min_characters: 30, where: "conversation IS NULL"}}]
dedup: {exact: false, minhash: false}
conversations: {template: chatml, max_tokens: 120, too_long: drop}
tokenizer: {train: {vocab_size: 400}}
mixtures:
  pretrain:
    components: [{name: all, where: "conversation IS NULL"}, {name: books, where: "source_type = 'textbok'", weight: 3}]
  sft: {kind: conversations, components: [{name: talks}]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("look")
    (root / "recipe.yaml").write_text(RECIPE)
    papers = [{"title": f"[letter] {n}", "text": f"Finding {n} of the ward, told in some words."} for n in range(40)]
    papers += [{"title": "t " * 3000, "text": "short"}]
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"What of {n}?"},
                {"role": "assistant", "content": "yes " * (200 if n == 2 else 3)},
            ]
        }
        for n in range(5)
    ]
    for name, rows in (("papers", papers), ("talks", talks)):
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    execute(root / "recipe.yaml", None, root / "run", workers=1)
    return root / "run"


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def told(*arguments: Any) -> list[dict[str, Any]]:
    done = call(*arguments)
    assert done.exit_code == 0, done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_beginning_of_an_id_is_enough_where_it_fits_one(run: Path) -> None:
    ids = pl.read_parquet(run / "curated" / "*.parquet")["id"].to_list()
    assert told("inspect", run, "--id", ids[0][:12], "--json")[0]["id"] == ids[0]
    assert json.loads(call("trace", run, "--document", ids[0][:12]).stdout)["document"]["id"] == ids[0]
    first = max({one[0] for one in ids}, key=[one[0] for one in ids].count)
    for command in (("inspect", run, "--id", first), ("trace", run, "--document", first)):
        refused = call(*command)
        assert isinstance(refused.exception, WrongCall)
        assert "documents have an id that begins with" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--dropped", "length", "--sql", "select 1"), "give one of them"),
        (("--sql", "select * from curatd"), "did you mean 'curated'"),
        (("--sql", "select * from read_csv('/etc/passwd')"), "not allowed"),
        (("--id", ""), "an id is needed"),
    ],
)
def test_wrong_looks_are_refused(run: Path, arguments: tuple[str, ...], why: str) -> None:
    refused = call("inspect", run, *arguments)
    assert isinstance(refused.exception, WrongCall)
    assert why in str(refused.exception)


def test_negative_limits_are_refused(run: Path) -> None:
    assert call("inspect", run, "--dropped", "length", "--limit", "-1").exit_code != 0
    assert call("audit", "privacy", run, "--sample", "0").exit_code != 0


def test_what_is_in_no_shard_says_why(run: Path) -> None:
    (left,) = told("inspect", run, "--left-out", "--json")
    assert left["why"] == "longer than 120 tokens (conversations.max_tokens)"
    traced = json.loads(call("trace", run, "--document", left["id"]).stdout)
    assert traced["shards"] == []
    assert traced["in_no_shard"] == f"left out: {left['why']}"
    assert told("inspect", run, "--sql", "select count(*) as n from left_out", "--json") == [{"n": 1}]
    dropped = pl.read_parquet(run / "dropped" / "*.parquet")["id"][0]
    assert "dropped by length" in json.loads(call("trace", run, "--document", dropped).stdout)["in_no_shard"]


def test_unknown_shards_are_named(run: Path) -> None:
    refused = call("trace", run, "--shard", "shards/pretrain/al/00000-of-00001.arrow", "--row", "0")
    assert "did you mean 'shards/pretrain/all/00000-of-00001.arrow'" in str(refused.exception)


def test_notes_say_what_is_empty_or_left_out(run: Path) -> None:
    said = notes(run, load_manifest(run))
    assert any("component 'books' of mixture 'pretrain' matches no documents" in one for one in said)
    assert any("1 conversations are in no shard" in one for one in said)


def test_the_report_shortens_what_is_long_and_scopes_its_tables(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert len(page) < 60_000
    assert "matches no documents" in page
    assert "<th>" not in page
    assert page.count("<table") == page.count("<caption>")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda run: shutil.copy(run / "curated" / "00000.parquet", run / "curated" / "00009.parquet"),
            "00009.parquet is not of this run",
        ),
        (lambda run: (run / "tokenizer" / "chat_template.jinja").write_text("x"), "chat_template.jinja differs"),
        (lambda run: (run / "tokenizer" / "tokenizer_config.json").write_text("{}"), "tokenizer_config.json differs"),
        (lambda run: (run / "recipe.yaml").write_text(RECIPE.replace("seed: 3", "seed: 4")), "recipe.yaml differs"),
        (lambda run: (run / "left_out" / "00001.parquet").unlink(), "is missing"),
    ],
)
def test_verify_finds_what_was_changed(run: Path, tmp_path: Path, change: Any, why: str) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    assert call("verify", copy).exit_code == 0
    change(copy)
    found = call("verify", copy)
    assert isinstance(found.exception, CurateError)
    assert why in str(found.exception)
