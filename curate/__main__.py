"""`python -m curate`: the command, where its script is not on the path."""

from curate.cli import entry

entry()
