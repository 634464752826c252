"""Steps on single documents: language, heuristics, classifiers, authority, privacy."""

import textcolumns  # noqa: F401 - it chooses where compiled code is kept, before numba is imported
