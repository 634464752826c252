"""Tokenizers, token shards and mixtures: text in, Arrow files that the trainer maps into memory out."""
