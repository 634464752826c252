"""Duplicates and contamination: exact, MinHash, clustering, overlap with benchmarks."""

import textcolumns  # noqa: F401 - it chooses where compiled code is kept, before numba is imported
