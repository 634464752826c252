"""From a training step to its documents and back; `TrainedOn.open` is the way in."""

from trainers.lineage.trained_on import TrainedOn

__all__ = ["TrainedOn"]
