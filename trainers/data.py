"""Token shards as Megatron-Core datasets: Arrow storage behind `GPTDataset` and the blended builder.

Sample order, blending by weight and the cut into sequences are Megatron's own; only where tokens
come from is ours. A sample is told back to its documents by the same index arrays.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from megatron.core import parallel_state
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig

from schemas.errors import WrongCall
from schemas.files import sha256_file
from schemas.manifest import Manifest
from tokenization.shards import open_shard, token_lists
from trainers.config import TrainConfig

Batch = dict[str, torch.Tensor]
COLUMNS = ("tokens", "labels", "loss_mask", "position_ids")


class ArrowTokens:
    """Documents of one component's shards from `start` on, in order, as Megatron's indexed dataset.

    Token ids stay in the memory-mapped files; only lengths and views are held.
    """

    def __init__(self, name: str, tables: list[pa.Table], rows: list[npt.NDArray[np.int32]], start: int = 0) -> None:
        self.path_prefix = name
        self.start = start
        self.tables = tables
        self.rows = rows
        self.sequence_lengths: npt.NDArray[np.int32] = np.fromiter(map(len, self.rows), np.int32, len(self.rows))
        self.document_indices = np.arange(len(self.rows) + 1, dtype=np.int64)

    @classmethod
    def open(cls, name: str, paths: list[Path]) -> ArrowTokens:
        """All documents of a component."""
        tables = [open_shard(path) for path in paths]
        return cls(name, tables, list(token_lists(tables)))

    def part(self, name: str, start: int, stop: int) -> ArrowTokens:
        """Documents `start` to `stop` of these, under a name of their own; the views are shared."""
        return ArrowTokens(name, self.tables, self.rows[start:stop], self.start + start)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, index: int, offset: int = 0, length: int | None = None) -> npt.NDArray[np.int32]:
        """Tokens of one document, from `offset` on, at most `length`."""
        row = self.rows[index]
        return row[offset:] if length is None else row[offset : offset + int(length)]

    def document_id(self, index: int) -> str:
        """Id of the document in row `index`."""
        index += self.start
        for table in self.tables:
            if index < table.num_rows:
                return str(table.column("doc_id")[index].as_py())
            index -= table.num_rows
        raise IndexError(index)


class ArrowGPTDataset(GPTDataset):  # type: ignore[misc]
    """Megatron's GPT dataset over Arrow shards; the path names a component of the manifest."""

    parts: dict[str, ArrowTokens] = {}

    @staticmethod
    def build_low_level_dataset(dataset_path: str, config: GPTDatasetConfig) -> ArrowTokens:
        """The part of a component called `dataset_path`."""
        return ArrowGPTDataset.parts[dataset_path]


@dataclass(frozen=True)
class EndOfText:
    """What Megatron's dataset needs to know of a tokenizer."""

    eod: int
    vocab_size: int
    pad: int = -1

    @property
    def unique_identifiers(self) -> dict[str, int]:
        """Part of the cache key of the sample indices."""
        return {"eod": self.eod, "vocab_size": self.vocab_size}


def check_manifest(manifest: Manifest, folder: Path, mixture: str) -> None:
    """Refuse a manifest without the mixture, or whose shards or tokenizer are missing or altered."""
    if mixture not in manifest.mixtures:
        raise WrongCall(f"{folder}/manifest.json has no mixture '{mixture}'; it has {', '.join(manifest.mixtures)}")
    tokenizer = folder / manifest.tokenizer.file
    if not tokenizer.is_file():
        raise WrongCall(f"tokenizer {tokenizer} is missing; the manifest names it")
    if sha256_file(tokenizer) != manifest.tokenizer.digest:
        raise WrongCall(
            f"tokenizer {tokenizer} is not the manifest's: its SHA-256 differs; shards cannot be read with it"
        )
    for component in manifest.mixtures[mixture].components.values():
        for shard in component.shards:
            path = folder / shard.path
            if not path.is_file():
                raise WrongCall(f"shard {path} is missing; the manifest names it")
            if path.stat().st_size != shard.bytes or sha256_file(path) != shard.sha256:
                raise WrongCall(f"shard {path} was altered: its content is not the manifest's; run `curate verify`")


def build_datasets(config: TrainConfig, manifest: Manifest, folder: Path, cache: Path) -> tuple[Any, Any]:
    """Blended training and validation datasets; validation is None where nothing is kept for it.

    Rows of a component lie in the order of a hash, so its last documents are a fair sample: they
    are kept for validation, where they hold more than one sequence.
    """
    blends: dict[str, tuple[list[str], list[float]]] = {"train": ([], []), "valid": ([], [])}
    ArrowGPTDataset.parts = {}
    for name, component in manifest.mixtures[config.data.mixture].components.items():
        whole = ArrowTokens.open(name, [folder / shard.path for shard in component.shards])
        cut = validation_start(whole, config)
        for split, start, stop in (("train", 0, cut), ("valid", cut, component.documents)):
            key = f"{manifest.digest[:16]}/{config.data.mixture}/{name}/{split}-{start}-{stop}"
            part = whole.part(key, start, stop)
            # Megatron counts epochs until there are enough samples: without one, it would never end.
            if part.sequence_lengths.sum() > config.model.sequence_length:
                ArrowGPTDataset.parts[key] = part
                blends[split][0].append(key)
                blends[split][1].append(component.weight)
    if not blends["train"][0]:
        raise WrongCall(
            f"mixture '{config.data.mixture}' has no component with more than {config.model.sequence_length} tokens; "
            "shorten model.sequence_length or curate more"
        )
    valid = blends["valid"] if blends["valid"][0] else None
    data = GPTDatasetConfig(
        random_seed=config.seed,
        sequence_length=config.model.sequence_length,
        blend_per_split=[blends["train"], valid, None],
        path_to_cache=str(cache),
        tokenizer=EndOfText(manifest.tokenizer.end_of_text_id, manifest.tokenizer.vocabulary),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        mid_level_dataset_surplus=0.02,
    )
    samples = [config.schedule.steps * config.batch.global_, config.validation.batches * config.batch.global_, 0]
    train, validation, _ = BlendedMegatronDatasetBuilder(ArrowGPTDataset, samples, lambda: True, data).build()
    return train, validation


def validation_start(tokens: ArrowTokens, config: TrainConfig) -> int:
    """First document kept for validation: the recipe's share from the end, or all if too few are left."""
    count = len(tokens)
    kept = round(config.data.validation * count)
    if config.data.validation and not kept and count >= 10:
        kept = 1
    enough = tokens.sequence_lengths[count - kept :].sum() > config.model.sequence_length
    return count - kept if kept and enough else count


class BatchReader:
    """Micro-batches of this rank from a sample position on, read ahead in a thread.

    `waited` is the time that training stood still for data, in seconds.
    """

    def __init__(self, dataset: Any, config: TrainConfig, position: int) -> None:
        self.dataset, self.config, self.position = dataset, config, position
        self.waited = 0.0
        self._rank = parallel_state.get_data_parallel_rank()
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=config.data.prefetch)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        started = time.perf_counter()
        batch = self._queue.get()
        self.waited += time.perf_counter() - started
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self) -> None:
        """Stop reading ahead."""
        self._stop.set()

    def _fill(self) -> None:
        micro, data = self.config.batch.micro, self.config.parallel.data
        position = self.position
        try:
            while not self._stop.is_set():
                first = position + self._rank * micro
                samples = [self.dataset[index % len(self.dataset)] for index in range(first, first + micro)]
                batch = {name: torch.stack([sample[name] for sample in samples]) for name in COLUMNS}
                position += micro * data
                while not self._stop.is_set():
                    try:
                        self._queue.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
        except BaseException as error:  # handed to the training thread, which raises it
            self._queue.put(error)
