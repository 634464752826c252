"""Compiled loops over Arrow text columns that filters and deduplication share."""
