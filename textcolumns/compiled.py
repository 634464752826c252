"""Where compiled loops are kept: beside the code, in the user's cache, else in a temporary folder, else nowhere.

numba refuses to compile for keeping where it finds no place at all: a read-only installation, and a home that cannot
be written (a service, a container that runs as any user).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

CODE: Final = Path(__file__).resolve().parent
VARIABLE: Final = "NUMBA_CACHE_DIR"


def keep_compiled_code() -> None:
    """Choose the place, for this process and those that it starts; to be called before numba is imported."""
    if os.environ.get(VARIABLE) or _writable(CODE / "__pycache__") or _writable(_home_cache() / "numba"):
        return
    own = Path(tempfile.gettempdir()) / f"curate-compiled-{os.getuid()}"
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        if own.stat().st_uid == os.getuid() and _writable(own):
            os.environ[VARIABLE] = str(own)
            return
    except OSError:
        pass
    _keep_nothing()


def _home_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~").expanduser() / ".cache")


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself."""
    while not folder.exists():
        if folder.parent == folder:
            return False
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _keep_nothing() -> None:
    from numba.core.dispatcher import Dispatcher

    Dispatcher.enable_caching = lambda self: None  # type: ignore[method-assign]
