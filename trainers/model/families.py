"""Which Hugging Face tensors make up each Megatron-Core weight, and how.

Megatron-Core keeps queries, keys and values of a group of heads together in one matrix, and gate
and up projections laid one on the other. Everything else has its counterpart. One table serves
drawing, importing and exporting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.errors import WrongCall
from trainers.model.config import Family, ModelConfig, RotaryScaling

ARCHITECTURES: Final[dict[str, Family]] = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "LlamaForCausalLM": "llama",
}
LAYER: Final = re.compile(r"layers\.(\d+)\.")
Join = Literal["one", "qkv", "gated", "vocabulary"]


@dataclass(frozen=True)
class Weight:
    """A Megatron-Core weight: its Hugging Face parts, how they join, and the dimension split over tensor ranks."""

    name: str
    parts: tuple[str, ...]
    join: Join = "one"
    split: int | None = None


def weights_of(model: ModelConfig) -> dict[str, Weight]:
    """Every weight of a model by its Megatron-Core name, layers numbered through from 0."""
    found = [Weight("embedding.word_embeddings.weight", ("model.embed_tokens.weight",), "vocabulary", 0)]
    for layer in range(model.layers):
        found += _layer_weights(model, layer)
    found.append(Weight("decoder.final_layernorm.weight", ("model.norm.weight",)))
    if not model.tie_embeddings:
        found.append(Weight("output_layer.weight", ("lm_head.weight",), "vocabulary", 0))
    return {weight.name: weight for weight in found}


def _layer_weights(model: ModelConfig, layer: int) -> list[Weight]:
    here, there = f"decoder.layers.{layer}.", f"model.layers.{layer}."
    qkv = tuple(f"{there}self_attn.{letter}_proj." for letter in "qkv")
    found = [
        Weight(f"{here}input_layernorm.weight", (f"{there}input_layernorm.weight",)),
        Weight(f"{here}self_attention.linear_qkv.weight", tuple(f"{name}weight" for name in qkv), "qkv", 0),
        Weight(f"{here}self_attention.linear_proj.weight", (f"{there}self_attn.o_proj.weight",), split=1),
        Weight(f"{here}pre_mlp_layernorm.weight", (f"{there}post_attention_layernorm.weight",)),
        Weight(
            f"{here}mlp.linear_fc1.weight",
            (f"{there}mlp.gate_proj.weight", f"{there}mlp.up_proj.weight"),
            "gated",
            0,
        ),
        Weight(f"{here}mlp.linear_fc2.weight", (f"{there}mlp.down_proj.weight",), split=1),
    ]
    if model.qkv_bias:
        found.append(Weight(f"{here}self_attention.linear_qkv.bias", tuple(f"{name}bias" for name in qkv), "qkv", 0))
    if model.qk_norm:
        found.append(Weight(f"{here}self_attention.q_layernorm.weight", (f"{there}self_attn.q_norm.weight",)))
        found.append(Weight(f"{here}self_attention.k_layernorm.weight", (f"{there}self_attn.k_norm.weight",)))
    return found


def part_shapes(model: ModelConfig, weight: Weight, vocabulary: int) -> list[tuple[int, ...]]:
    """Shapes of a weight's Hugging Face parts."""
    q, kv, hidden = model.heads * model.width, model.kv_heads * model.width, model.hidden
    last = weight.name.split(".")[-2]
    if weight.join == "vocabulary":
        return [(vocabulary, hidden)]
    if weight.join == "qkv":
        return [(rows,) if weight.name.endswith("bias") else (rows, hidden) for rows in (q, kv, kv)]
    if weight.join == "gated":
        return [(model.ffn, hidden)] * 2
    if last in ("q_layernorm", "k_layernorm"):
        return [(model.width,)]
    return [{"linear_proj": (hidden, q), "linear_fc2": (hidden, model.ffn)}.get(last, (hidden,))]


def whole_name(name: str, layer_offset: int) -> str:
    """A parameter's name on one rank with its layer numbered through over pipeline stages."""
    return LAYER.sub(lambda match: f"layers.{int(match.group(1)) + layer_offset}.", name)


def from_hf_config(told: dict[str, Any], where: str) -> tuple[ModelConfig, int]:
    """Our model and vocabulary from a `config.json`; anything we do not compute the same is refused by name."""
    architecture = (told.get("architectures") or ["?"])[0]
    if architecture not in ARCHITECTURES:
        raise WrongCall(f"{where}: architecture {architecture}; {', '.join(ARCHITECTURES)} can be loaded")
    _refuse_unlike(told, where)
    rope = told.get("rope_parameters") or told.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3"):
        raise WrongCall(f"{where}: rotary scaling '{kind}'; 'default' and 'llama3' can be loaded")
    scaling = None
    if kind == "llama3":
        scaling = RotaryScaling(
            factor=rope["factor"],
            low_freq_factor=rope["low_freq_factor"],
            high_freq_factor=rope["high_freq_factor"],
            original_max_position=rope["original_max_position_embeddings"],
        )
    try:
        model = ModelConfig(
            family=ARCHITECTURES[architecture],
            layers=told["num_hidden_layers"],
            hidden=told["hidden_size"],
            heads=told["num_attention_heads"],
            kv_heads=told.get("num_key_value_heads") or told["num_attention_heads"],
            head_width=told.get("head_dim"),
            ffn=told["intermediate_size"],
            rotary_base=rope.get("rope_theta") or told.get("rope_theta") or 10_000.0,
            rotary_scaling=scaling,
            tie_embeddings=told.get("tie_word_embeddings", False),
            norm_epsilon=told["rms_norm_eps"],
            init_std=told.get("initializer_range", 0.02),
            max_positions=told.get("max_position_embeddings"),
        )
        return model, int(told["vocab_size"])
    except KeyError as error:
        raise WrongCall(f"{where}: {error.args[0]} is missing") from None


def _refuse_unlike(told: dict[str, Any], where: str) -> None:
    for key, wanted in (
        ("hidden_act", "silu"),
        ("attention_bias", False),
        ("mlp_bias", False),
        ("use_sliding_window", False),
    ):
        if told.get(key, wanted) != wanted:
            raise WrongCall(f"{where}: {key} is {told[key]!r}; only {wanted!r} can be loaded")


def to_hf_config(model: ModelConfig, vocabulary: int, positions: int, dtype: str) -> dict[str, Any]:
    """A `config.json` that transformers reads as this model."""
    rope: dict[str, Any] = {"rope_theta": model.rotary_base, "rope_type": "default"}
    if model.rotary_scaling is not None:
        scaling = model.rotary_scaling
        rope |= {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_position,
        }
    architecture = next(name for name, family in ARCHITECTURES.items() if family == model.family)
    return {
        "architectures": [architecture],
        "model_type": model.family,
        "num_hidden_layers": model.layers,
        "hidden_size": model.hidden,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.width,
        "intermediate_size": model.ffn,
        "hidden_act": "silu",
        "rms_norm_eps": model.norm_epsilon,
        "initializer_range": model.init_std,
        "max_position_embeddings": model.max_positions or positions,
        "rope_parameters": rope,
        # Readers before transformers 5 look for these.
        "rope_theta": model.rotary_base,
        **({"rope_scaling": rope} if model.rotary_scaling else {}),
        "tie_word_embeddings": model.tie_embeddings,
        "vocab_size": vocabulary,
        "torch_dtype": dtype,
        "attention_bias": False,
        "use_cache": True,
    }
