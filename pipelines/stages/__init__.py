"""The stages of a run: ordinary functions on one partition each, called by every engine."""
