"""Where files lie and how they are written, leased and fingerprinted: local paths and fsspec URLs alike."""
