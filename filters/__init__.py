"""Steps on single documents: language, heuristics, classifiers, authority, privacy."""
