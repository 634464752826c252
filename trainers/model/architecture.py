"""Megatron-Core GPT models: rotary positions, RMSNorm, SwiGLU, grouped queries."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
from megatron.core.models.gpt.gpt_model import GPTModel
from megatron.core.tensor_parallel import set_tensor_model_parallel_attributes
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_config import TransformerConfig

from trainers.model.attention import CoreAttention
from trainers.model.config import ModelConfig
from trainers.model.families import Weight, weights_of, whole_name
from trainers.model.feed_forward import GatedFeedForward
from trainers.model.lora import add_lora, is_adapter
from trainers.model.norm import RMSNorm
from trainers.model.reward_head import RewardHead, is_head
from trainers.model.rotary import RotaryPositions
from trainers.parallel.groups import hears_gradients
from trainers.stage import TrainConfig

VOCABULARY_MULTIPLE = 64  # rows of the embedding are padded to this times the tensor-parallel size


def padded_vocabulary(vocabulary: int, tensor_parallel: int = 1) -> int:
    """Embedding rows: the vocabulary rounded up so that tensor-parallel ranks share it evenly.

    Rounded to a multiple that holds for tensor-parallel sizes up to 8, so that the same model may be
    laid out differently later.
    """
    multiple = math.lcm(VOCABULARY_MULTIPLE * 8, VOCABULARY_MULTIPLE * tensor_parallel)
    return -(-vocabulary // multiple) * multiple


def transformer_config(config: TrainConfig, model: ModelConfig) -> TransformerConfig:
    """Our model recipe in Megatron-Core's terms."""
    precision = torch.bfloat16 if config.precision == "bf16" else torch.float32
    parallel, on_gpu = config.parallel, torch.cuda.is_available()
    adds_up = not on_gpu or importlib.util.find_spec("fused_weight_gradient_mlp_cuda") is not None
    choices: dict[str, dict[str, Any]] = {
        "none": {},
        "attention": {"recompute_granularity": "selective", "recompute_modules": ["core_attn"]},
        "full": {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1},
    }
    return TransformerConfig(
        num_layers=model.layers,
        hidden_size=model.hidden,
        num_attention_heads=model.heads,
        num_query_groups=model.kv_heads,
        kv_channels=model.width,
        ffn_hidden_size=model.ffn,
        add_qkv_bias=model.qkv_bias,
        qk_layernorm=model.qk_norm,
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
        tensor_model_parallel_size=parallel.tensor,
        pipeline_model_parallel_size=parallel.pipeline,
        virtual_pipeline_model_parallel_size=parallel.chunks if parallel.chunks > 1 else None,
        context_parallel_size=parallel.context,
        sequence_parallel=parallel.sequence and parallel.tensor > 1,
        # The loss is a mean over all unmasked tokens of the global batch, however they are spread.
        calculate_per_token_loss=True,
        # Weights are drawn whole and then cut, so that every layout starts from the same model.
        use_cpu_initialization=True,
        perform_initialization=False,
        gradient_accumulation_fusion=adds_up,
        cross_entropy_loss_fusion=on_gpu,
        bias_activation_fusion=on_gpu,
        masked_softmax_fusion=False,
        persist_layer_norm=False,
        apply_rope_fusion=False,
        deterministic_mode=False,
        batch_p2p_comm=on_gpu,
        **choices[config.recompute],
    )


def block_spec(model: ModelConfig, settings: TransformerConfig, chunk: int | None) -> TransformerBlockSubmodules:
    """Megatron-Core's local layers with our core attention and norms, as many as this part holds."""
    spec = get_gpt_layer_local_spec(normalization="RMSNorm", qk_layernorm=model.qk_norm)
    attention = spec.submodules.self_attention.submodules
    attention.core_attention = CoreAttention
    spec.submodules.input_layernorm = spec.submodules.pre_mlp_layernorm = RMSNorm
    if model.qk_norm:
        attention.q_layernorm = attention.k_layernorm = RMSNorm
    layers = get_num_layers_to_build(settings, vp_stage=chunk)
    return TransformerBlockSubmodules(layer_specs=[spec] * layers, layer_norm=RMSNorm)


class PackedGPTModel(GPTModel):  # type: ignore[misc]
    """A GPT model whose positions are given, so that they may restart within a row."""

    def __init__(self, model: ModelConfig, vocabulary: int, **settings: Any) -> None:
        super().__init__(position_embedding_type="rope", rotary_base=int(model.rotary_base), **settings)
        self.rotary_pos_emb = RotaryPositions(model)
        self.vocabulary = vocabulary
        for layer in self.decoder.layers:
            layer.mlp.__class__ = GatedFeedForward  # Megatron builds a class it does not know another way

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, *args: Any, **more: Any) -> torch.Tensor:
        """As Megatron's; `position_ids` has shape (batch or 1, sequence of this rank)."""
        self.rotary_pos_emb.positions = position_ids
        return super().forward(input_ids, position_ids, *args, **more)

    def sharded_state_dict(self, *args: Any, **more: Any) -> Any:
        """As Megatron's, which looks for an output layer's weight also where a reward head stands in its place."""
        if self.post_process and isinstance(self.output_layer, RewardHead):
            return MegatronModule.sharded_state_dict(self, *args, **more)
        return super().sharded_state_dict(*args, **more)

    def compute_language_model_loss(self, labels: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of each token: labels [b, s], logits [s, b, this rank's columns]; returns [b, s].

        Columns that only pad the vocabulary have no part in it: a model imported with zeros there
        has the loss it had, and it does not depend on how many ranks the padding was made for.
        """
        width = logits.shape[-1]
        real = self.vocabulary - parallel_state.get_tensor_model_parallel_rank() * width
        if real < width:
            with torch.no_grad():  # their probability is 0, and so is their gradient
                logits[..., max(0, real) :] = float("-inf")
        if self.config.cross_entropy_loss_fusion or self.config.tensor_model_parallel_size > 1:
            return super().compute_language_model_loss(labels, logits)
        losses = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.t().flatten(), reduction="none")
        return losses.view(logits.shape[:2]).t().contiguous()


def build_model(config: TrainConfig, model: ModelConfig, vocabulary: int) -> list[PackedGPTModel]:
    """This rank's parts of the model (one, or `chunks` of them), on its device, weights not yet set."""
    parallel = config.parallel
    settings = transformer_config(config, model)
    parts = []
    for chunk in range(parallel.chunks):
        stage = chunk if parallel.chunks > 1 else None
        part = PackedGPTModel(
            model,
            vocabulary,
            config=settings,
            transformer_layer_spec=block_spec(model, settings, stage),
            vocab_size=padded_vocabulary(vocabulary, parallel.tensor),
            max_sequence_length=config.data.sequence_length,
            pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=stage),
            post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=stage),
            share_embeddings_and_output_weights=model.tie_embeddings and config.reward is None,
            parallel_output=True,
            vp_stage=stage,
        )
        if config.reward is not None and part.post_process:
            part.output_layer = RewardHead(
                model.hidden, len(config.reward.aspects), settings.sequence_parallel, settings.params_dtype
            )
        for parameter, weight in own_weights(part, model):
            # Megatron marks split weights only where it also draws them, whole, on every rank.
            if weight.split is not None and not hasattr(parameter, "tensor_model_parallel"):
                set_tensor_model_parallel_attributes(parameter, True, weight.split, 1)
        parts.append(part.cuda())
    if config.lora is not None:
        for part in parts:
            add_lora(part, config.lora)
            for name, parameter in part.named_parameters():
                parameter.requires_grad_(parameter.requires_grad or is_head(name))
    return parts


def own_weights(part: PackedGPTModel, model: ModelConfig) -> Iterator[tuple[torch.nn.Parameter, Weight]]:
    """Parameters of one part of the model on this rank (adapters and reward heads left out) with what they are."""
    every = weights_of(model)
    offset = (part.decoder.layers[0].layer_number - 1) if len(part.decoder.layers) else 0
    for name, parameter in part.named_parameters():
        if is_adapter(name) or is_head(name):
            continue
        name = whole_name(name, offset)
        if name == "output_layer.weight" and model.tie_embeddings:
            name = "embedding.word_embeddings.weight"  # the last pipeline stage's copy
        yield parameter, every[name]


def wrap_for_data_parallel(parts: list[PackedGPTModel], overlap: bool) -> list[Any]:
    """Gradients in one buffer a data type, reduced over data-parallel ranks for the distributed optimizer.

    With `overlap`, reduction runs beside the backward pass and gathering of weights beside the forward pass.
    """
    ddp = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True,
        overlap_grad_reduce=overlap,
        overlap_param_gather=overlap,
        use_distributed_optimizer=True,
        check_for_nan_in_grad=False,
    )
    return [
        hears_gradients(
            DistributedDataParallel(config=part.config, ddp_config=ddp, module=part, disable_bucketing=number > 0)
        )
        for number, part in enumerate(parts)
    ]
