"""Whether shards are what the manifest says, checked beside training and before anything is saved.

Sizes are compared at the start. Hashing a corpus takes long, so each rank hashes its share of the
shards in a thread while training begins; no checkpoint is written before all of them are known good.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from schemas.errors import WrongCall
from schemas.manifest import Manifest, Shard
from storage.fingerprints import sha256_file
from trainers.data.appended import Joined
from trainers.data.blending import mixtures_of
from trainers.stage import TrainConfig


def check_tokenizer(manifest: Manifest, folder: Path) -> None:
    """Refuse a tokenizer that is missing or not the manifest's."""
    tokenizer = folder / manifest.tokenizer.file
    if not tokenizer.is_file():
        raise WrongCall(f"tokenizer {tokenizer} is missing; the manifest names it")
    if sha256_file(tokenizer) != manifest.tokenizer.digest:
        raise WrongCall(
            f"tokenizer {tokenizer} is not the manifest's: its SHA-256 differs; shards cannot be read with it"
        )


class ShardCheck:
    """Hashes this rank's share of the shards of a stage in a thread."""

    def __init__(self, manifest: Manifest, folder: Path, config: TrainConfig, appended: Sequence[Joined] = ()) -> None:
        used = [(manifest, folder, mixtures_of(config.data))]
        used += [(one.manifest, one.folder, [one.mixture]) for one in appended]
        shards = [
            (where / shard.path, shard)
            for told, where, mixtures in used
            for mixture in mixtures
            if mixture in told.mixtures
            for component in told.mixtures[mixture].components.values()
            for shard in component.shards
        ]
        for path, shard in shards:
            if not path.is_file():
                raise WrongCall(f"shard {path} is missing; the manifest names it")
            if path.stat().st_size != shard.bytes:
                raise _altered(path)
        self._error: WrongCall | None = None
        mine = shards[torch.distributed.get_rank() :: torch.distributed.get_world_size()]
        self._waited = False
        self._thread = threading.Thread(target=self._hash, args=(mine,), daemon=True)
        self._thread.start()

    def _hash(self, shards: list[tuple[Path, Shard]]) -> None:
        for path, shard in shards:
            if sha256_file(path) != shard.sha256:
                self._error = _altered(path)
                return

    def failed(self) -> bool:
        """Whether this rank has found an altered shard so far."""
        return self._error is not None

    def raise_if_failed(self) -> None:
        """Raise what was found, on all ranks if on any."""
        if self._error:
            raise self._error

    def wait(self) -> None:
        """Wait for all ranks' shares; raises on every rank if any found an altered shard."""
        if self._waited:
            return
        self._thread.join()
        self._waited = True
        found: list[str | None] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(found, str(self._error) if self._error else None)
        wrong = next((one for one in found if one), None)
        if wrong:
            raise WrongCall(wrong)


def _altered(path: Path) -> WrongCall:
    return WrongCall(f"shard {path} was altered: its content is not the manifest's; run `curate verify`")
