"""The whole line beside datatrove: read, four filters, MinHash deduplication, tokens; the same English documents and workers.

    python benchmarks/whole_line.py --data ../shared/data --megabytes 100 --workers 2

datatrove runs its own blocks in its own executor: filters, signatures, buckets, clusters, what stays, tokens. Ours is
`curate run` with the same filters, bands and tokenizer (a vocabulary of 32,000 learned beforehand), shards, manifest and
report included. Times are of whole calls: start of processes, reading, work, writing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from curation import FILES, STEPS, datatrove_filters, run_datatrove, timed, write_documents

RECIPE = """
name: whole-line
sources: [{{name: all, files: "*.jsonl", source_type: literature}}]
steps: [{steps}]
dedup: {{exact: false, minhash: {{ngram: 5, bands: 14, rows: 8}}}}
tokenizer: {tokenizer}
mixtures:
  all: {{components: [{{name: all}}], shards: 4}}
"""


def main() -> None:
    """Run both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="curate-whole-line-"))
    try:
        measure(told.data, told.megabytes, told.workers, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(data: Path, megabytes: float, workers: int, work: Path) -> None:
    """Both lines over the same files."""
    from loguru import logger

    logger.remove()
    folder, learned = work / "documents", work / "learned"
    folder.mkdir()
    learned.mkdir()
    size = write_documents(data, folder, megabytes, ("en",))  # filters of both sides are made for English
    shutil.copy(folder / "000.jsonl", learned / "000.jsonl")
    # Learns the vocabulary, and compiles the kernels once.
    run_ours(learned, work / "first", "{train: {vocab_size: 32000}}", workers)
    tokenizer = work / "tokenizer.json"
    shutil.copy(work / "first" / "tokenizer" / "tokenizer.json", tokenizer)
    ours, memory = timed(lambda: run_ours(folder, work / "ours", f"{{file: {tokenizer}}}", workers))
    theirs, their_memory = timed(lambda: run_theirs(folder, work / "theirs", tokenizer, workers))
    print(f"{size:.0f} MB, {workers} workers")
    print(f"ours      {ours:7.1f} s  {size / ours:6.2f} MB/s  {memory:.0f} MiB a process")
    print(f"datatrove {theirs:7.1f} s  {size / theirs:6.2f} MB/s  {their_memory:.0f} MiB a process")
    print(f"{theirs / ours:.1f} times")


def run_ours(folder: Path, out: Path, tokenizer: str, workers: int) -> None:
    """`curate run`, from raw files to the report."""
    recipe = out.parent / f"{out.name}.yaml"
    recipe.write_text(RECIPE.format(steps=STEPS, tokenizer=tokenizer))
    command = [
        sys.executable,
        "-m",
        "curate.cli",
        "run",
        recipe,
        "--data",
        folder,
        "--run-dir",
        out,
        "--workers",
        workers,
    ]
    subprocess.run([str(one) for one in command], check=True, capture_output=True)


def run_theirs(folder: Path, out: Path, tokenizer: Path, workers: int) -> None:
    """datatrove's line, executor after executor as its examples have it."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8)
    kept, signatures, buckets, removed = (str(out / name) for name in ("kept", "signatures", "buckets", "removed"))

    def run(tasks: int, *blocks: Any) -> None:
        logs = str(out / f"logs-{type(blocks[-1]).__name__}")
        LocalPipelineExecutor(list(blocks), tasks=tasks, workers=min(tasks, workers), logging_dir=logs).run()

    run_datatrove(folder, out, workers, datatrove_filters(out))
    run(FILES, JsonlReader(kept), MinhashDedupSignature(signatures, config=config))
    run(14, MinhashDedupBuckets(signatures, buckets, config=config))
    run(1, MinhashDedupCluster(buckets, removed, config=config))
    tokens = DocumentTokenizer(str(out / "tokens"), tokenizer_name_or_path=str(tokenizer), shuffle_documents=False)
    run(FILES, JsonlReader(kept), MinhashDedupFilter(removed), tokens)


if __name__ == "__main__":
    main()
