"""Token shards as Megatron's own `.bin` and `.idx`, for those who train with it elsewhere.

One pair of files a component, documents in the order of the shards, written by Megatron-Core's own builder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder, get_bin_path, get_idx_path

from schemas.errors import WrongCall
from schemas.manifest import ComponentShards, Manifest
from schemas.nearest import nearest
from storage.json_files import write_json
from storage.places import make_folder
from storage.publishing import published, write_text
from tokenization.shards import open_shard

KINDS: Final = ("documents", "conversations")  # whose rows are one list of tokens


def export_megatron(
    run_dir: Path, manifest: Manifest, to: Path, mixtures: tuple[str, ...], tell: Callable[[str], None]
) -> list[Path]:
    """Write the components of the mixtures below `to`; returns the path prefixes.

    `to/<mixture>/data-path.txt` is what Megatron's `--data-path` takes: weights and prefixes. Megatron knows no masks:
    of conversations it would learn every token, so they are written only where they are asked for by name.
    """
    unknown = next((name for name in mixtures if name not in manifest.mixtures), None)
    if unknown:
        raise WrongCall(f"the manifest has no mixture '{unknown}'{nearest(unknown, manifest.mixtures)}")
    chosen = mixtures or tuple(name for name, one in manifest.mixtures.items() if one.kind == "documents")
    wrong = next((name for name in chosen if manifest.mixtures[name].kind not in KINDS), None)
    if wrong:
        raise WrongCall(f"mixture '{wrong}' holds {manifest.mixtures[wrong].kind}, for which Megatron has no form")
    if not chosen:
        raise WrongCall("the manifest has no mixture of documents; name one of conversations by --mixture")
    prefixes = []
    for name in chosen:
        weights = []
        for part, component in manifest.mixtures[name].components.items():
            if not component.documents:
                continue
            prefix = to / name / part
            _write(run_dir, component, prefix, manifest.tokenizer.vocabulary)
            weights.append(f"{component.weight:g} {prefix}")
            prefixes.append(prefix)
            tell(f"{name}/{part}: {component.documents:,} documents, {component.tokens:,} tokens")
        write_text(to / name / "data-path.txt", " ".join(weights) + "\n")
    write_json(to / "export.json", _told(manifest, chosen))
    return prefixes


def _write(run_dir: Path, component: ComponentShards, prefix: Path, vocabulary: int) -> None:
    """One component; the index appears last, so that a pair of files is whole or not there."""
    make_folder(prefix.parent)
    with published(Path(get_idx_path(str(prefix)))) as index:
        with published(Path(get_bin_path(str(prefix)))) as data:
            builder = IndexedDatasetBuilder(str(data), dtype=DType.optimal_dtype(vocabulary))
            for tokens in _documents(run_dir, component):
                builder.add_document(tokens, [len(tokens)])
            builder.finalize(str(index))


def _documents(run_dir: Path, component: ComponentShards) -> Iterator[np.ndarray[Any, Any]]:
    for shard in component.shards:
        for chunk in open_shard(run_dir / shard.path).column("input_ids").chunks:
            offsets, values = chunk.offsets.to_numpy(), chunk.values.to_numpy()
            for first, last in pairwise(offsets):
                yield values[first:last]


def _told(manifest: Manifest, mixtures: tuple[str, ...]) -> dict[str, Any]:
    return {
        "manifest": manifest.digest,
        "tokenizer": manifest.tokenizer.model_dump(),
        "mixtures": {
            name: {part: one.weight for part, one in manifest.mixtures[name].components.items()} for name in mixtures
        },
    }
