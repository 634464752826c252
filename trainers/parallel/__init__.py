"""Processes of one training: groups, random states, Megatron-Core on CPUs, and where Megatron-Core is changed."""
