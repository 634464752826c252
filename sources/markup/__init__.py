"""Markup to text: inline elements, HTML bodies, formulas, references, licences; what readers of markup share."""
