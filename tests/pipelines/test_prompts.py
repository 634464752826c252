"""Prompts of reinforcement learning through the whole of curation, down to shards that hold what judges answers."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa

from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate

RECIPE = """
name: asked
sources:
  - name: exams
    files: "*.jsonl"
    source_type: exam
    prompts:
      user: "{q}\\nA. {a}\\nB. {b}"
      verifier: exam
      reference: {key: "{key}", options: {A: "{a}", B: "{b}"}}
      task: exam
  - {name: made, files: "*.ndjson", format: jsonl, source_type: exam, prompts: auto}
steps: [normalise, {phi: {}}]
dedup: {exact: true, minhash: null}
decontaminate: {benchmarks: [{name: held_out, files: held_out.json}], action: drop}
tokenizer: {train: {vocab_size: 400}}
conversations: {template: chatml, max_tokens: 120}
mixtures:
  rl: {kind: prompts, components: [{name: exams, where: "task = 'exam'"}, {name: others, where: "task IS NULL"}]}
max_quarantined: 0.9
"""
STEM = "Which drug lowers the pulse of a patient with stable angina who is {} years old?"


def test_prompts_are_curated_and_sharded_with_their_verifiers(tmp_path: Path) -> None:
    rows = [{"q": STEM.format(age), "a": "Amlodipine", "b": "Metoprolol", "key": "B"} for age in range(40, 60)]
    rows += [rows[0], {**rows[1], "q": "A question whose key is no letter?", "key": "?"}]
    rows.append(
        {**rows[1], "q": "Which vessel carries blood from the right ventricle to the lungs of a healthy adult person?"}
    )
    made = [
        {"prompt": "Calculate the body mass index.", "verifier": "calculation", "reference": {"value": 24.2}},
        {
            "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which tests?"}],
            "verifier": "tests",
            "reference": {"required": [["ECG"]]},
        },
        {"prompt": "Who judges this?", "verifier": "nobody", "reference": {"key": "A"}},
        {"prompt": "", "verifier": "exam", "reference": {"key": "A"}},
        {"prompt": "No reference?", "verifier": "exam"},
        {"prompt": "long " * 200, "verifier": "exam", "reference": {"key": "A"}},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "b.ndjson").write_text("\n".join(map(json.dumps, made)))
    (tmp_path / "held_out.json").write_text(
        json.dumps([{"question": rows[-1]["q"], "options": ["Pulmonary artery", "Aorta"], "answer": "A"}])
    )
    run = tmp_path / "run"
    curate("run", write_recipe(tmp_path, RECIPE), "--run-dir", run, "--workers", 1)
    exams = pa.ipc.open_file(next((run / "shards/rl/exams").glob("*.arrow"))).read_all().to_pylist()
    assert len(exams) == 20
    assert json.loads(exams[0]["reference"]) == {"key": "B", "options": {"A": "Amlodipine", "B": "Metoprolol"}}
    assert {one["verifier"] for one in exams} == {"exam"}
    assert all("stable angina" in one["prompt"] and one["input_ids"] for one in exams)
    others = pa.ipc.open_file(next((run / "shards/rl/others").glob("*.arrow"))).read_all().to_pylist()
    assert sorted(one["verifier"] for one in others) == ["calculation", "tests"]
    dropped = pl.read_parquet(run / "dropped/*.parquet")
    reasons = " | ".join(dropped["drop_reason"].to_list())
    assert "none for the verifier 'exam'" in reasons
    assert "unknown verifier 'nobody'" in reasons
    assert set(dropped["dropped_by"]) == {"conversation", "exact", "decontaminate"}
    quarantined = " | ".join(pl.read_parquet(run / "quarantined/*.parquet")["error"].to_list())
    assert "empty" in quarantined
    assert "needs `verifier`" in quarantined
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["mixtures"]["rl"]["kind"] == "prompts"
