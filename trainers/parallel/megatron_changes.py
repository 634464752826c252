"""Where Megatron-Core 0.16 is changed on every machine, each with its reason; `cpu_layer` has what only CPUs need."""

from __future__ import annotations

import multiprocessing
from functools import lru_cache
from typing import Any

import torch
from megatron.core.dist_checkpointing.dict_utils import nested_values
from megatron.core.dist_checkpointing.strategies import filesystem_async
from megatron.core.dist_checkpointing.strategies.torch import MCoreSavePlanner
from megatron.core.dist_checkpointing.utils import extract_sharded_tensors_and_factories
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.tensor_parallel import layers
from megatron.core.transformer import attention
from megatron.core.transformer.mlp import MLP

from trainers.model.rotary import rotate
from trainers.parallel.flat_share import sharded_shares
from trainers.parallel.guards import guard

# What is changed in this file and in `model/feed_forward`, and what the changes call.
guard(
    {
        "attention.apply_rotary_pos_emb": "2752798f27ef46ca8a977e6f63e3f001",
        "filesystem_async._get_write_results_queue": "349269cbdd569d41032d20cdb858316d",
        "MCoreSavePlanner": "e4f9ba0b50a3d9beac8544a26c9d68a1",
        "sharded_param_state_fully_reshardable": "e888c7cccb71525a6c072fae03f20c72",
        "_set_main_param_and_optimizer_states": "93c254228283b2df0147fe436a2fe5d9",
        "_get_main_param_and_optimizer_states": "b4a1328a3db8a0b2675733b9d007aef8",
        "_get_model_param_range_map": "3efe94941ef0be621cefee79cd2a2e9b",
        "LinearWithGradAccumulationAndAsyncCommunication.backward": "b50b2ea4a1c9027040516475a8b40a0b",
        "MLP.forward": "c68406f3ca95514d26cb5a883f94aa23",
    },
    {
        "attention.apply_rotary_pos_emb": attention.apply_rotary_pos_emb,
        "filesystem_async._get_write_results_queue": filesystem_async._get_write_results_queue,
        "MCoreSavePlanner": MCoreSavePlanner,
        **{
            name: getattr(DistributedOptimizer, name, None)
            for name in (
                "sharded_param_state_fully_reshardable",
                "_set_main_param_and_optimizer_states",
                "_get_main_param_and_optimizer_states",
                "_get_model_param_range_map",
            )
        },
        "LinearWithGradAccumulationAndAsyncCommunication.backward": (
            layers.LinearWithGradAccumulationAndAsyncCommunication.backward
        ),
        "MLP.forward": MLP.forward,
    },
)


@lru_cache(maxsize=1)
def change_megatron() -> None:
    """Put the functions of this file in the place of Megatron's."""
    # Megatron's unfused rotation makes five passes and two copies where ours makes two.
    attention.apply_rotary_pos_emb = rotate
    # Megatron starts this queue by spawning, which imports the whole trainer again, and has one for all saves: what a
    # save that was given up leaves in it would be taken for the table of contents of the next.
    filesystem_async._get_write_results_queue = _results_queue
    # Megatron clones each tensor that is a part of a larger memory; the writer is forked, and keeps what was.
    MCoreSavePlanner.resolve_data = _resolved_without_copy
    # Megatron gathers the state over data ranks into new memory, even where there is one rank.
    DistributedOptimizer.sharded_param_state_fully_reshardable = _state_without_gathering
    # Megatron restores `step` with the parameter groups, yet asks each parameter's tensors for it.
    DistributedOptimizer._set_main_param_and_optimizer_states = _set_states_but_step


@lru_cache(maxsize=1)
def _manager() -> Any:
    return multiprocessing.get_context("fork").Manager()


def _results_queue() -> Any:
    return _manager().Queue()


_resolve_data = MCoreSavePlanner.resolve_data
_gathered_state = DistributedOptimizer.sharded_param_state_fully_reshardable
_set_states = DistributedOptimizer._set_main_param_and_optimizer_states


def _resolved_without_copy(self: Any, item: Any) -> Any:
    return own_storage(_resolve_data(self, item))


def own_storage(value: Any) -> Any:
    """The same memory as a tensor of its own, where `value` is a whole stretch of a larger CPU tensor."""
    if not isinstance(value, torch.Tensor) or value.device.type != "cpu" or not value.is_contiguous():
        return value
    flat = value.detach().reshape(-1).view(torch.uint8).numpy()
    return torch.from_numpy(flat).view(value.dtype).view(value.shape)


def _state_without_gathering(self: Any, weights: Any, is_loading: bool = False, metadata: Any = None) -> Any:
    """Main weights and moments of this rank's share of each parameter, under the names that Megatron gives them."""
    if is_loading:
        return _gathered_state(self, weights, is_loading, metadata)
    sharded = {one.data: one for one in nested_values(extract_sharded_tensors_and_factories(weights)[0])}
    parameters = [parameter for buffer in self.buffers for parameter in buffer.param_index_map]
    listed = {}
    for number, parameter in enumerate(parameters):
        if parameter in self.model_param_gbuf_map:
            own = self._get_model_param_range_map(parameter)["param"]
            shares = _states_but_step(self, parameter)
            listed[number] = sharded_shares(sharded[parameter], shares, own.start, own.end)
    return listed


def _states_but_step(self: Any, parameter: Any) -> dict[str, Any]:
    states = self._get_main_param_and_optimizer_states(parameter)
    return {name: state for name, state in states.items() if name != "step"}


def _set_states_but_step(self: Any, parameter: Any, tensors: dict[str, Any]) -> None:
    group, order = self.model_param_group_index_map[parameter]
    state = self.optimizer.state[self.optimizer.param_groups[group]["params"][order]]
    _set_states(self, parameter, {**({"step": state["step"]} if "step" in state else {}), **tensors})
