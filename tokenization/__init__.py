"""Tokenizers, token shards and mixtures: text in, Arrow files that the trainer maps into memory out."""

from textcolumns.compiled import keep_compiled_code

keep_compiled_code()
