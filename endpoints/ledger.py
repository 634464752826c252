"""Every answer that was ever kept, by the digest of what shaped it: nothing is asked and paid for twice.

A folder of Arrow files that are only added to. Each process writes files of its own names, whole or not at
all, so that several may share a ledger and a kill loses at most the answers since the last file.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from endpoints.answers import ANSWERS, Answered
from storage.columnar import open_arrow, write_arrow
from storage.places import Place, files_below, make_folder

A_FILE: Final = 256  # answers


class Ledger:
    """Answers on disk, those of this process and of others before it."""

    def __init__(self, folder: Place) -> None:
        self.folder = folder
        self._known: dict[str, Answered] = {}
        self._new: list[Answered] = []
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._files = 0
        for path in sorted(files_below(folder)) if folder.exists() else []:
            if path.suffix == ".arrow":
                for row in open_arrow(path).to_pylist():
                    self._known[row["key"]] = Answered(**row)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> Answered | None:
        """The answer of a key where one was kept before."""
        return self._known.get(key)

    def add(self, answers: Iterable[Answered]) -> None:
        """Remember answers; those that are not kept are counted by whoever asked, and asked again another time."""
        for one in answers:
            if one.state == "kept":
                self._known[one.key] = one
                self._new.append(one)
        if len(self._new) >= A_FILE:
            self.flush()

    def flush(self) -> None:
        """Write what is new as one more file."""
        if not self._new:
            return
        make_folder(self.folder)
        table = pa.Table.from_pylist([one.row() for one in self._new], schema=ANSWERS)
        write_arrow(self.folder / f"{self._name}-{self._files:05d}.arrow", iter(table.to_batches()), ANSWERS)
        self._files, self._new = self._files + 1, []
