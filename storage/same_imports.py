"""Python processes that we start import what this one would, whatever lies in the folder they start in.

`python -m` and `python -c` look into the working folder first: a `filters/` or `pipelines/` of the user's would be
imported in place of ours.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def same_imports() -> dict[str, str]:
    """Variables for a process of ours: this one's path for modules, and no working folder before it."""
    folders = [one or str(Path.cwd()) for one in sys.path]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(one for one in folders if os.pathsep not in one)}


@contextlib.contextmanager
def children_import_alike() -> Iterator[None]:
    """For processes that a library starts, which takes no environment of its own."""
    ours = same_imports()
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
