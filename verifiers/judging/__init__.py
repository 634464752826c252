"""Verdicts by a model where no rule decides, and by principles: votes of a server, counted strictly."""
