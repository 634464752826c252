"""A checkpoint is believed only by checksum: each of its files has a SHA-256, taken when it was whole.

Every rank digests its share of the files, several at a time, when a checkpoint is saved and again while it is read.
Hashing lets other threads run, so that reading waits for it little.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import torch

from schemas.errors import CurateError
from storage.fingerprints import sha256_file
from storage.json_files import read_whole_json, write_json
from trainers.loop.position import damaged
from trainers.parallel.groups import is_first

Item = TypeVar("Item")
FILE: Final = "checksums.json"
THREADS: Final = 4


def write_checksums(folder: Path) -> None:
    """Digest every file of a folder, from all ranks together, and write `checksums.json` beside them."""
    digested = _digested(_share(_files(folder)))
    mine: dict[str, list[int | str]] = {path.name: [path.stat().st_size, digest] for path, digest in digested}
    shares = [mine]
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        shares = [{} for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather_object(shares, mine)
    if is_first():
        write_json(folder / FILE, {name: told for share in shares for name, told in share.items()})


def damaged_file(folder: Path) -> Path | None:
    """The first file of a checkpoint that is not what was saved; None where all are, or none was digested then."""
    return _first_damaged(folder, _listed(folder))


def checked_while(folder: Path, read: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What `read` gives, called by all ranks, each of which digests its share of the files beside it.

    Raises `CurateError` on every rank where any finds a file damaged, whatever `read` said.
    """
    listed = _listed(folder)
    names = _share(sorted(listed))
    with ThreadPoolExecutor(1) as beside:
        found: Future[Path | None] = beside.submit(_first_damaged, folder, {name: listed[name] for name in names})
        try:
            value = read()
        except Exception:
            if (broken := damaged_file(folder)) is not None:
                raise refusal(folder, broken) from None
            raise
        broken = found.result()
    if _anywhere(broken is not None):
        raise refusal(folder, broken or damaged_file(folder) or folder)
    return value


def refusal(folder: Path, file: Path) -> CurateError:
    """The error that names a file which is not what was saved."""
    return damaged(folder, f"{file.name} is not what was saved")


def _listed(folder: Path) -> dict[str, list[int | str]]:
    told = read_whole_json(folder / FILE)
    if isinstance(told, dict):
        return told
    return {FILE: [0, ""]} if (folder / FILE).exists() else {}  # a torn list is damage itself


def _first_damaged(folder: Path, listed: dict[str, list[int | str]]) -> Path | None:
    paths = []
    for name, (size, _) in sorted(listed.items()):
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return path
        paths.append(path)
    return next((path for path, digest in _digested(paths) if digest != listed[path.name][1]), None)


def _digested(paths: list[Path]) -> list[tuple[Path, str]]:
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        return list(zip(paths, pool.map(sha256_file, paths), strict=True))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name != FILE)


def _share(items: list[Item]) -> list[Item]:
    """This rank's share, the same on every machine that sees the folder."""
    if not torch.distributed.is_initialized():
        return items
    return items[torch.distributed.get_rank() :: torch.distributed.get_world_size()]


def _anywhere(here: bool) -> bool:
    """Whether it is so on any rank."""
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return here
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    told = torch.tensor([int(here)], device=device)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    return bool(told.item())
