"""The front door: command line and reports."""
