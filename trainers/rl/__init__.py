"""Reinforcement learning: rollouts judged by verifiers, group advantages, clipped policy losses."""
