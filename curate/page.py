"""Pages from templates of this package. Words of documents come into them escaped, shortened, and in order."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import jinja2
from markupsafe import Markup

from curate.streams import visible

LONGEST: Final = 2400  # characters of any one value


def page_of(name: str) -> jinja2.Template:
    """The template `name`, which lies beside this file."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown)
    return environment.from_string(files("curate").joinpath(name).read_text(encoding="utf-8"))


def _shown(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(excerpt(value, LONGEST))


def excerpt(text: str, longest: int) -> str:
    """The beginning of a text that is longer than so many characters; others as they are."""
    return text if len(text) <= longest else text[:longest].rstrip() + " …"
