"""Bytes to documents: finding inputs, opening containers, decoding, and a reader for each format (`readers/`)."""
