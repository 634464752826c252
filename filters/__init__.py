"""Steps on single documents: language, heuristics, classifiers, authority, privacy."""

from textcolumns.compiled import keep_compiled_code

keep_compiled_code()
