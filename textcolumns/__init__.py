"""Compiled loops over Arrow text columns, which filters and deduplication share."""

from textcolumns.compiled import keep_compiled_code

keep_compiled_code()
