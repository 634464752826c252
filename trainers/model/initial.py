"""Where a model's weights come from at first: drawn, or a Hugging Face folder."""

from __future__ import annotations

import math

import torch
from megatron.core import parallel_state

from schemas.canonical import canonical_digest
from trainers.model.architecture import PackedGPTModel, own_weights, padded_vocabulary
from trainers.model.config import ModelConfig
from trainers.model.families import Weight, part_shapes
from trainers.model.hf_folder import HfFolder
from trainers.model.parts import own_part


@torch.no_grad()
def draw(parts: list[PackedGPTModel], model: ModelConfig, vocabulary: int, seed: int) -> None:
    """Draw every weight from a stream of its own name, whole, then keep this rank's part.

    So the model is the same in every layout; Megatron draws in the order of construction, which
    differs between pipeline stages. Scales are Megatron's: normal with `init_std`, projections back
    into the residual stream divided by sqrt(2 * layers); norms one, biases zero.
    """
    rank, size = parallel_state.get_tensor_model_parallel_rank(), parallel_state.get_tensor_model_parallel_world_size()
    rows = padded_vocabulary(vocabulary, size)
    for part in parts:
        for parameter, weight in own_weights(part, model):
            if parameter.dim() == 1:
                parameter.fill_(0.0 if weight.name.endswith("bias") else 1.0)
                continue
            residual = weight.name.endswith(("linear_proj.weight", "linear_fc2.weight"))
            std = model.init_std / (math.sqrt(2 * model.layers) if residual else 1.0)
            shape = list(parameter.shape)
            if weight.split is not None:
                shape[weight.split] = rows if weight.join == "vocabulary" else shape[weight.split] * size
            stream = torch.Generator().manual_seed(int(canonical_digest([seed, weight.name])[:15], 16))
            whole = torch.empty(shape).normal_(0.0, std, generator=stream)
            parameter.copy_(_cut(whole, weight, rank, size))


def _cut(whole: torch.Tensor, weight: Weight, rank: int, size: int) -> torch.Tensor:
    if weight.split is None:
        return whole
    if weight.join == "gated":
        return torch.cat([half.chunk(size)[rank] for half in whole.chunk(2)])
    return whole.chunk(size, weight.split)[rank]


@torch.no_grad()
def load_hf(parts: list[PackedGPTModel], model: ModelConfig, folder: HfFolder) -> None:
    """Fill this rank's part from a Hugging Face folder, tensor by tensor, reading only its own ranges."""
    rank, size = parallel_state.get_tensor_model_parallel_rank(), parallel_state.get_tensor_model_parallel_world_size()
    for part in parts:
        for parameter, weight in own_weights(part, model):
            shapes = part_shapes(model, weight, folder.vocabulary)
            lengths = [shape[weight.split or 0] for shape in shapes]
            parameter.copy_(own_part(weight, model, folder.read, lengths, rank, size, parameter.shape[0]))
