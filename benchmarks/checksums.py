"""What believing a checkpoint only by checksum costs: reading it with and without, and taking the checksums.

    python benchmarks/checksums.py MODEL

MODEL is a trained model's folder (`curate demo` leaves some in runs/demo/models). Goal: under 5% of reading.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from trainers.loop.checksums import checked_while, damaged_file
from trainers.loop.position import latest
from trainers.model.saved_weights import read_contents

TRIES = 5


def best_of(call: Callable[[], object]) -> float:
    """The shortest of some tries, in seconds."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)


def main(model: Path) -> None:
    folder = latest(model)
    if folder is None:
        sys.exit(f"{model} has no checkpoint")
    size = sum(path.stat().st_size for path in folder.iterdir())

    def read() -> dict[str, object]:
        """Every tensor of the checkpoint, weights and optimizer, as Megatron's loader reads them."""
        import torch

        from trainers.model.saved_weights import _entry

        contents = read_contents(folder)
        return {
            str(index): torch.load(_entry(folder, place), weights_only=True)
            for index, place in contents.storage_data.items()
            if type(contents.state_dict_metadata.get(index.fqn)).__name__ != "BytesStorageMetadata"
        }

    alone, checked = best_of(read), best_of(lambda: checked_while(folder, read))
    digests = best_of(lambda: damaged_file(folder))
    print(
        f"{size / 1e6:.0f} MB: read {alone:.3f} s, checked beside {checked:.3f} s ({checked / alone - 1:+.1%}); ",
        end="",
    )
    print(f"digests alone {digests:.3f} s, {size / digests / 1e9:.2f} GB/s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
