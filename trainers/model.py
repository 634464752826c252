"""Megatron-Core GPT models: rotary positions, RMSNorm, SwiGLU, grouped queries."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
from megatron.core.models.gpt.gpt_model import GPTModel
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_config import TransformerConfig

from schemas.files import canonical_digest
from trainers.attention import CoreAttention
from trainers.config import TrainConfig

LAYER = re.compile(r"layers\.(\d+)\.")
VOCABULARY_MULTIPLE = 64  # rows of the embedding are padded to this times the tensor-parallel size


def padded_vocabulary(vocabulary: int, tensor_parallel: int = 1) -> int:
    """Embedding rows: the vocabulary rounded up so that tensor-parallel ranks share it evenly.

    Rounded to a multiple that holds for tensor-parallel sizes up to 8, so that the same model may be
    laid out differently later.
    """
    multiple = math.lcm(VOCABULARY_MULTIPLE * 8, VOCABULARY_MULTIPLE * tensor_parallel)
    return -(-vocabulary // multiple) * multiple


def transformer_config(config: TrainConfig) -> TransformerConfig:
    """Our model recipe in Megatron-Core's terms."""
    model, precision = config.model, torch.bfloat16 if config.precision == "bf16" else torch.float32
    return TransformerConfig(
        num_layers=model.layers,
        hidden_size=model.hidden,
        num_attention_heads=model.heads,
        num_query_groups=model.kv_heads,
        ffn_hidden_size=model.ffn,
        normalization="RMSNorm",
        layernorm_epsilon=model.norm_epsilon,
        activation_func=torch.nn.functional.silu,
        gated_linear_unit=True,
        add_bias_linear=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        init_method_std=model.init_std,
        bf16=config.precision == "bf16",
        params_dtype=precision,
        pipeline_dtype=precision,
        autocast_dtype=precision,
        tensor_model_parallel_size=config.parallel.tensor,
        pipeline_model_parallel_size=config.parallel.pipeline,
        # Weights are drawn whole and then cut, so that every layout starts from the same model.
        use_cpu_initialization=True,
        gradient_accumulation_fusion=False,
        bias_activation_fusion=False,
        masked_softmax_fusion=False,
        persist_layer_norm=False,
        apply_rope_fusion=False,
        deterministic_mode=False,
    )


def layer_spec() -> ModuleSpec:
    """Megatron-Core's local layers with our core attention."""
    spec = get_gpt_layer_local_spec(normalization="RMSNorm")
    spec.submodules.self_attention.submodules.core_attention = CoreAttention
    return spec


def build_model(config: TrainConfig, vocabulary: int) -> GPTModel:
    """This rank's part of the model, on its device."""
    model = GPTModel(
        config=transformer_config(config),
        transformer_layer_spec=layer_spec(),
        vocab_size=padded_vocabulary(vocabulary, config.parallel.tensor),
        max_sequence_length=config.model.sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
        share_embeddings_and_output_weights=config.model.tie_embeddings,
        position_embedding_type="rope",
        rotary_base=config.model.rotary_base,
        parallel_output=True,
    )
    initialise(model, config)
    return model.cuda()


def initialise(model: GPTModel, config: TrainConfig) -> None:
    """Draw every weight from a stream of its own name, whole, then keep this rank's part.

    So the model is the same in every layout; Megatron draws in the order of construction, which
    differs between pipeline stages. Scales are Megatron's: normal with `init_std`, projections back
    into the residual stream divided by sqrt(2 * layers).
    """
    rank, size = parallel_state.get_tensor_model_parallel_rank(), config.parallel.tensor
    offset = (model.decoder.layers[0].layer_number - 1) if len(model.decoder.layers) else 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            name = LAYER.sub(lambda match: f"layers.{int(match.group(1)) + offset}.", name)
            if parameter.dim() == 1:
                continue  # norms start at one
            if name == "output_layer.weight" and config.model.tie_embeddings:
                name = "embedding.word_embeddings.weight"
            residual = name.endswith(("linear_proj.weight", "linear_fc2.weight"))
            std = config.model.init_std / (math.sqrt(2 * config.model.layers) if residual else 1.0)
            split = parameter.partition_dim if getattr(parameter, "tensor_model_parallel", False) else None
            shape = list(parameter.shape)
            if split is not None:
                shape[split] *= size
            seed = int(canonical_digest([config.seed, name])[:15], 16)
            whole = torch.empty(shape).normal_(0.0, std, generator=torch.Generator().manual_seed(seed))
            parameter.copy_(_own_part(whole, split, rank, size, gated="linear_fc1" in name))


def _own_part(whole: torch.Tensor, split: int | None, rank: int, size: int, gated: bool) -> torch.Tensor:
    """This rank's slice; gate and up projections are cut apart first and then laid one on the other."""
    if split is None:
        return whole
    if gated:
        return torch.cat([part.chunk(size, split)[rank] for part in whole.chunk(2, split)], split)
    return whole.chunk(size, split)[rank]


def wrap_for_data_parallel(model: GPTModel) -> Any:
    """Gradients in one buffer a data type, reduced over data-parallel ranks for the distributed optimizer."""
    ddp = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True,
        overlap_grad_reduce=False,
        use_distributed_optimizer=True,
        check_for_nan_in_grad=False,
    )
    return DistributedDataParallel(config=model.config, ddp_config=ddp, module=model)
