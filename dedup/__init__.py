"""Duplicates and contamination: exact, MinHash, clustering, overlap with benchmarks."""

from textcolumns.compiled import keep_compiled_code

keep_compiled_code()
