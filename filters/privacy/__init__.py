"""De-identification: find identifiers of persons in text, and put typed marks in their place."""

from filters.privacy.step import phi as phi
