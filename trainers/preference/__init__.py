"""Learning from pairs: direct preference optimisation and Bradley-Terry reward models."""
