"""Tokenizers, token shards and mixtures: text in, Arrow files that the trainer maps into memory out."""

import textcolumns  # noqa: F401 - it chooses where compiled code is kept, before numba is imported
