"""Megatron-Core training from shard manifests, on GPUs and, layout for layout, on CPUs."""
