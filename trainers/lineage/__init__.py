"""From a training step to its documents and back; `TrainedOn.open` is the way in."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`TrainedOn` on demand: it brings torch and Megatron-Core, which rollouts are read without."""
    if name == "TrainedOn":
        from trainers.lineage.trained_on import TrainedOn

        return TrainedOn
    raise AttributeError(name)
