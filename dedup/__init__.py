"""Duplicates and contamination: exact, MinHash, clustering, overlap with benchmarks."""
