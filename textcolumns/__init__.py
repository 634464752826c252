"""Compiled loops over Arrow text columns, which filters and deduplication share."""
