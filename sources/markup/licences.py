"""Licence statements to short names (SPDX where one exists)."""

from __future__ import annotations

import re
from typing import Final

CC_URL: Final = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?", re.IGNORECASE)
CC_WORDS: Final = re.compile(
    r"Creative Commons (Attribution(?:[- ]Non-?Commercial)?(?:[- ](?:Share-?Alike|No-?Deriv(?:ative)?s?))?)"
    r"(?: (\d\.\d))?",
    re.IGNORECASE,
)
CC_SHORT: Final = re.compile(r"\bCC[ -](BY(?:-NC)?(?:-SA|-ND)?)[ -]?(\d\.\d)?", re.IGNORECASE)


def licence_name(statement: str) -> str | None:
    """`CC-BY-4.0` and the like from a link or a sentence; None where no known licence is named."""
    if match := CC_URL.search(statement):
        code, version = match.group(1).upper(), match.group(2)
        if code in ("ZERO", "MARK"):
            return "CC0-1.0" if code == "ZERO" else "public-domain"
        return "-".join(filter(None, ("CC", code, version)))
    if match := CC_WORDS.search(statement):
        words = match.group(1).lower().replace("-", "").replace(" ", "")
        code = "BY" + ("-NC" if "noncommercial" in words else "")
        code += "-SA" if "sharealike" in words else "-ND" if "noderiv" in words else ""
        return "-".join(filter(None, ("CC", code, match.group(2))))
    if match := CC_SHORT.search(statement):
        return "-".join(filter(None, ("CC", match.group(1).upper(), match.group(2))))
    if re.search(r"(?i)\bpublic domain\b|CC0", statement):
        return "CC0-1.0" if "CC0" in statement else "public-domain"
    return None
