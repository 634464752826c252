"""Texts to vectors: a small model in a wheel, a folder, a server; cached by content. Enter by `embedder`."""
