"""From a training step to its documents and back; `TrainedOn.open` is the way in."""
