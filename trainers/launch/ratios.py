"""The search for ratios on this machine: checked first, then run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.errors import CurateError, WrongCall
from schemas.manifest import load_manifest
from storage.places import make_folder
from storage.same_imports import same_imports
from trainers.ratios.trials import RatiosConfig, check_groups, load_ratios
from trainers.start import find_start


def checked_search(recipe: Path, manifest: Path) -> RatiosConfig:
    """The search that a recipe asks for; wrong groups, parents and layouts are refused."""
    config, proxy = load_ratios(recipe)
    told = load_manifest(manifest)
    check_groups(config, proxy, told)
    find_start(proxy, told)
    if proxy.parallel.world_size > 1:
        raise WrongCall("the proxy of a search trains in one process; leave `parallel` out of its recipe")
    return config


def search_here(recipe: Path, manifest: Path, out: Path) -> Iterator[dict[str, Any]]:
    """Trials as they end, those done before first."""
    make_folder(out)
    command = [sys.executable, "-W", "ignore", "-m", "trainers.ratios.trials", str(recipe), str(manifest), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **same_imports()})
    assert process.stdout is not None
    count = 0
    for line in process.stdout:
        count += 1
        yield json.loads(line)
    if process.wait() == WrongCall.exit_status:
        raise SystemExit(WrongCall.exit_status)  # the process has said what is wrong
    if process.returncode:
        raise CurateError(f"the search ended with status {process.returncode}; {count} trials are kept in {out}")
