"""What `benchmarks/rl.py --vllm` runs in vLLM's own environment: tokens a second of the same prompts and weights.

/path/to/vllm/bin/python benchmarks/vllm_sampling.py MODEL PROMPTS.json TOKENS TURNS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Print a line of JSON: the median of the turns."""
    from vllm import LLM, SamplingParams

    model, prompts, tokens, turns = (
        sys.argv[1],
        json.loads(Path(sys.argv[2]).read_text()),
        int(sys.argv[3]),
        int(sys.argv[4]),
    )
    engine = LLM(model=model, dtype="float32", max_model_len=256, skip_tokenizer_init=True)
    settings = SamplingParams(n=8, temperature=1.0, max_tokens=tokens, ignore_eos=True, logprobs=0, detokenize=False)
    speeds = []
    for _ in range(turns + 1):  # the first one warms up
        begun = time.perf_counter()
        told = engine.generate([{"prompt_token_ids": one} for one in prompts], settings, use_tqdm=False)
        count = sum(len(each.token_ids) for one in told for each in one.outputs)
        speeds.append(count / (time.perf_counter() - begun))
    print(json.dumps({"tokens_per_second": sorted(speeds[1:])[turns // 2]}), flush=True)


if __name__ == "__main__":
    main()
