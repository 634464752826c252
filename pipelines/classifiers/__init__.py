"""Classifiers trained from labelled sources: reading labels, training, measuring, cards."""
