"""Reading what a training run wrote of itself; needs neither torch nor Megatron-Core."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.json_files import whole_lines
from storage.publishing import cut_file


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every whole record of a log; a line cut off by a kill is left out."""
    return list(whole_lines(path.read_text(encoding="utf-8", errors="replace"))) if path.exists() else []


def newest_first(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Whole records of a log, the last one first, each with the offset where it ends; reads no more than asked."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        end = text.rfind(b"\n") + 1
        while end:
            start = text.rfind(b"\n", 0, end - 1) + 1
            with contextlib.suppress(ValueError):
                yield end, json.loads(text[start:end])
            end = start


def cut_log(path: Path, kept: Callable[[Mapping[str, Any]], bool]) -> None:
    """Cut off the records after the last one that is kept."""
    end = next((end for end, record in newest_first(path) if kept(record)), 0)
    cut_file(path, end)


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
