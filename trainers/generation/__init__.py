"""Sampling answers in process, by the very model that is trained: cache, sampler, continuous batching."""
