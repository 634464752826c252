"""Readers: each turns one format into drafts of documents, streaming, in a file of its own."""
