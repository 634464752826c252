"""Reading what a training run wrote of itself; needs neither torch nor Megatron-Core."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every whole record of a log; a line cut off by a kill is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def record_of_step(path: Path, step: int) -> dict[str, Any] | None:
    """The record of one step, found by halving the file: steps rise from line to line."""
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()
            line = file.readline()
            if not line or json.loads(line)["step"] >= step:
                high = middle
            else:
                low = middle + 1
        file.seek(low)
        if low:
            file.readline()
        for line in (file.readline(), file.readline()):
            record: dict[str, Any] = json.loads(line) if line.strip() else {}
            if record.get("step") == step:
                return record
    return None
