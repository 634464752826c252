"""Filters and MinHash beside datatrove: the same documents, filters, worker count and run; ratios printed.

    python benchmarks/curation.py --data ../shared/data --megabytes 100 --workers 2

Documents are the ChinaXiv preprints, textbook sections and articles, repeated with changed words
until there are enough. datatrove runs its own reader and blocks in its own executor; we run our
stages `read` and `annotate` in ours. Times are of the whole call: start of processes, reading, work, writing.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import psutil
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FILES = 16
RECIPE = """
name: benchmark
sources: [{{name: all, files: "*.jsonl", source_type: literature, language: {language}}}]
steps: [{steps}]
dedup: {{exact: false, minhash: {minhash}}}
"""
# As datatrove's: punctuation counts as words, and what fails is not looked at again without its layout.
STEPS = (
    "gopher_repetition, {gopher_quality: {symbols_are_words: true, layout_counts: true}}, "
    "{c4: {terminal_punctuation: false}}, {fineweb_quality: {layout_counts: true}}"
)


def base_documents(data: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of the preprints, then of the English books and articles."""
    from schemas.recipe import Source
    from sources.inputs import find_inputs
    from sources.reading import read_frames

    packed = (data / "scale" / "chinaxiv-3000.jsonl.zst").read_bytes()
    for line in zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines():
        yield "zh", orjson.loads(line)["text"]
    for pattern in ("textbooks/**/*.cnxml", "literature/plos/*.xml"):
        source = Source(name="b", files=[pattern], source_type="literature")
        for file in find_inputs(source, data):
            for frame, _ in read_frames(file, source):
                for text in frame["text"]:
                    yield "en", text


def write_documents(data: Path, folder: Path, megabytes: float, languages: tuple[str, ...]) -> float:
    """JSON Lines files of at least this size, each repetition with every 7th word changed; returns MB."""
    documents = [text for language, text in base_documents(data) if language in languages]
    handles = [(folder / f"{number:03d}.jsonl").open("wb") for number in range(FILES)]
    written = number = 0
    while written < megabytes * 1e6:
        text = documents[number % len(documents)]
        if round_ := number // len(documents):
            words = text.split(" ")
            words[round_ % 7 :: 7] = [
                f"{word}{round_}" if word.isascii() else word + "改" for word in words[round_ % 7 :: 7]
            ]
            text = " ".join(words)
        line = orjson.dumps({"id": str(number), "text": text}) + b"\n"
        handles[number % FILES].write(line)
        written += len(text.encode())
        number += 1
    for handle in handles:
        handle.close()
    return written / 1e6


class PeakMemory:
    """Largest resident memory of any process below this one, in MiB, sampled."""

    def __enter__(self) -> PeakMemory:
        self.peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                try:
                    self.peak = max(self.peak, process.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and peak MiB of a worker."""
    with PeakMemory() as memory:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started, memory.peak


def run_ours(folder: Path, out: Path, workers: int, steps: str, minhash: str, language: str) -> None:
    """Our stages `read` and `annotate` over the files, by our default engine."""
    from pipelines.engines.datatrove_engine import execute
    from pipelines.prepare import prepare_run
    from pipelines.stage import waves

    recipe = out.parent / f"{out.name}.yaml"
    recipe.write_text(RECIPE.format(steps=steps, minhash=minhash, language=language))
    run = prepare_run(recipe, folder, out)
    stages = [(stage.name, tasks) for stage, tasks in waves(run) if stage.name in ("read", "annotate")]
    execute(run, stages, workers)


def run_datatrove(folder: Path, out: Path, workers: int, blocks: list[Any]) -> None:
    """datatrove's blocks over the files, by its own executor."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader

    LocalPipelineExecutor(
        [JsonlReader(str(folder)), *blocks], tasks=FILES, workers=workers, logging_dir=str(out / "logs")
    ).run()


def datatrove_filters(out: Path) -> list[Any]:
    """The four filters with their published thresholds, and the writer of what is kept."""
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.writers import JsonlWriter

    return [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        JsonlWriter(str(out / "kept"), compression=None),
    ]


def datatrove_minhash(out: Path) -> list[Any]:
    """Signatures of 14 bands of 8 rows over word 5-grams."""
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    return [MinhashDedupSignature(str(out / "signatures"), config=MinhashConfig(num_buckets=14, hashes_per_bucket=8))]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--languages", default="zh,en", help="which documents: zh, en or both")
    parser.add_argument("--memory-only", action="store_true", help="only our peak memory at 1x and 8x input")
    arguments = parser.parse_args()
    languages = tuple(arguments.languages.split(","))
    work = Path(tempfile.mkdtemp(prefix="curate-benchmark-"))
    try:
        measure(arguments, languages, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(arguments: argparse.Namespace, languages: tuple[str, ...], work: Path) -> None:
    """All measurements in one folder; prints one JSON line a measurement and the ratios."""
    from loguru import logger

    logger.remove()
    folder = work / "documents"
    folder.mkdir()
    size = write_documents(arguments.data, folder, arguments.megabytes, languages)
    language = "null" if len(languages) > 1 else languages[0]
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {psutil.cpu_count()} cores; {size:.1f} MB, {arguments.workers} workers")
    results: dict[str, tuple[float, float]] = {}
    ours = {"filters": (STEPS, "false"), "minhash": ("", "{ngram: 5, bands: 14, rows: 8}")}
    run_ours(folder, work / "warm", arguments.workers, STEPS, "true", language)  # compile the kernels once
    for name, (steps, minhash) in ours.items():
        results[f"ours {name}"] = timed(
            lambda steps=steps, minhash=minhash, name=name: run_ours(
                folder, work / f"ours-{name}", arguments.workers, steps, minhash, language
            )
        )
    if arguments.memory_only:
        large = work / "large"
        large.mkdir()
        write_documents(arguments.data, large, arguments.megabytes * 8, languages)
        results["ours both, input x8"] = timed(
            lambda: run_ours(large, work / "ours-large", arguments.workers, STEPS, "true", language)
        )
    else:
        for name, blocks in (("filters", datatrove_filters), ("minhash", datatrove_minhash)):
            out = work / f"datatrove-{name}"
            results[f"datatrove {name}"] = timed(
                lambda out=out, blocks=blocks: run_datatrove(folder, out, arguments.workers, blocks(out))
            )
    for name, (seconds, peak) in results.items():
        print(
            json.dumps(
                {
                    "what": name,
                    "seconds": round(seconds, 2),
                    "MB/s": round(size / seconds, 2),
                    "peak MiB a process": round(peak),
                }
            )
        )
    for name in ours:
        if f"datatrove {name}" in results:
            print(f"{name}: {results[f'datatrove {name}'][0] / results[f'ours {name}'][0]:.1f} times datatrove's speed")
    kept = (
        pl.scan_parquet(work / "ours-filters" / "stages" / "annotate" / "0*[0-9].parquet")
        .select(pl.col("dropped_by").is_null().mean())
        .collect()
        .item()
    )
    print(f"kept by our filters: {kept:.1%}")


if __name__ == "__main__":
    main()
