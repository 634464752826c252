"""Engines: each runs the same stage graph, on one machine or many."""
