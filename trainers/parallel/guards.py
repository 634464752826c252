"""Whether Megatron-Core's private parts are still those that are changed here.

What is put in their place was written against their source. With another version they may do more,
or something else, and training would be wrong without a word; so their source is compared, and
another one fails at import, naming the part and what to do.
"""

from __future__ import annotations

import hashlib
import inspect
from typing import Any, Final

import megatron.core

VERSION: Final = "0.16.1"


class ChangedUnderneath(ImportError):
    """A part of Megatron-Core that is changed here is no longer what it was."""


def source_digest(part: Any) -> str:
    """The first half of SHA-256 of a function's or class's source."""
    return hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:32]


def guard(expected: dict[str, str], parts: dict[str, Any]) -> None:
    """Refuse parts that are missing or have another source than when their replacement was written.

    Raises:
        ChangedUnderneath: with the version, the part, and what to do.
    """
    for name, digest in expected.items():
        part = parts.get(name)
        try:
            found = source_digest(part) if part is not None else "missing"
        except (OSError, TypeError):
            found = "without source"
        if found != digest:
            raise ChangedUnderneath(
                f"megatron-core {megatron.core.__version__}: {name} is not the one that is changed here "
                f"(that of {VERSION}). "
                f"Install megatron-core=={VERSION}, or compare its source with what stands in its place "
                f"(trainers/parallel/), mend that, and write {found} as its digest"
            )
