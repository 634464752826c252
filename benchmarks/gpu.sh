#!/bin/bash
# Model FLOP utilisation of a 1B model in bf16 on one GPU. Goal: 50% of the data sheet's dense peak.
#
#   bash benchmarks/gpu.sh [RUN]        RUN: a curated run with a mixture `pretrain` (default: the demo's, made here)
#   RECOMPUTE="none" MICRO="4" bash benchmarks/gpu.sh RUN      only these
#
# Prints the median of steps 10 to 40 for each layout of attention and recomputation, one JSON line each.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
run=${1:-runs/gpu-demo}
$python - <<'PY'
import sys, torch
if not torch.cuda.is_available():
    sys.exit("no GPU here: this measures nothing on a CPU; see benchmarks/training.py")
print(torch.cuda.get_device_name(), "torch", torch.__version__, "CUDA", torch.version.cuda)
PY
[ -f "$run/manifest.json" ] || $python -m curate.cli run recipes/demo.yaml --run-dir "$run"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for recompute in ${RECOMPUTE:-none attention}; do
  for micro in ${MICRO:-2 4 8}; do
    cat > "$out/stage.yaml" <<YAML
name: gpu
precision: bf16
model: {family: llama, layers: 16, hidden: 2048, heads: 16, kv_heads: 8, ffn: 8192, tie_embeddings: true}
data: {mixture: pretrain, sequence_length: 4096, validation: 0}
batch: {micro: $micro, global: $((micro * 2))}
schedule: {steps: 40, warmup: 5, learning_rate: 1.0e-4, min_learning_rate: 1.0e-5}
recompute: $recompute
checkpoint: {every: 100000, keep: 1}
log: {tensorboard: false}
YAML
    rm -rf "$out/model"
    if CURATE_QUIET=1 $python -W ignore -m trainers.train "$out/stage.yaml" "$run" "$out/model" 2> "$out/error"; then
      $python - "$out/model/log.jsonl" "$recompute" "$micro" <<'PY'
import json, statistics, sys
steps = [json.loads(line) for line in open(sys.argv[1])][10:]
told = {key: statistics.median(step[key] for step in steps) for key in ("tokens_per_second", "mfu", "memory_bytes")}
print(json.dumps({"recompute": sys.argv[2], "micro": int(sys.argv[3]), **told, "goal": 0.5}))
PY
    else
      echo "{\"recompute\": \"$recompute\", \"micro\": $micro, \"error\": \"$(tail -n 1 "$out/error" | tr -d '"' | cut -c 1-120)\"}"
    fi
  done
done
