"""Shared fixtures: where the real data is, small runs, and frames of documents."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock
from hypothesis import settings

from filters.step import Batch
from schemas.document import READ_COLUMNS

# The first example compiles the kernels, which takes seconds.
settings.register_profile("kernels", deadline=None, max_examples=60)
settings.load_profile("kernels")

REPOSITORY = Path(__file__).resolve().parent.parent
# `make soak`: more kills, more seeds. What they hold is held by `make test` as well, in fewer tries.
SOAK = os.environ.get("CURATE_SOAK") == "1"
SAMPLE = REPOSITORY / "examples" / "sample"
SHARED = REPOSITORY.parent / "shared" / "data"


# Tests that start several processes run in five groups, each on one worker; the longest begin first. None may take
# longer than a third of the whole, or the others wait for it.
REWARDED = ("test_rl.py", "test_real_model.py", "test_preference.py", "test_served.py", "test_ratios.py")
GROUPS = {
    "test_layouts": "layouts",
    "test_huggingface": "layouts",
    **dict.fromkeys(REWARDED, "rewarded"),
    "trainers": "trainers",
    "faults": "faults",
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what starts processes, and put it first, so that two cores are enough and neither waits at the end."""
    for item in items:
        if item.get_closest_marker("slow"):
            group = next((group for name, group in GROUPS.items() if name in item.nodeid), "slow")
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real data beside the repository; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is absent: this test reads real documents")
    return SHARED


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the sample by two workers, made once for all processes of pytest; nobody writes into it."""
    from tests.pipelines.test_engines import DEMO, curate

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo"
    with FileLock(f"{folder}.lock"):
        if not (folder / "manifest.json").exists():
            curate("run", DEMO, "--run-dir", folder, "--workers", 2)
    return folder


def documents(texts: list[str], **columns: object) -> pl.DataFrame:
    """A frame of documents with these texts; other columns by keyword, the rest null."""
    rows = [
        {
            "id": f"{number:032x}",
            "text": text,
            "source": "test",
            "source_type": "web",
            "uri": f"{number}.txt",
            "retracted": False,
            "retracts": [],
            "edits": [],
            **columns,
        }
        for number, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=READ_COLUMNS)


def batch(texts: list[str], **columns: object) -> Batch:
    """A batch of documents with these texts."""
    return Batch(documents(texts, **columns))


def write_recipe(folder: Path, body: str) -> Path:
    """A recipe file in `folder`."""
    path = folder / "recipe.yaml"
    path.write_text(body, encoding="utf-8")
    return path


SMALL_RECIPE = """
name: small
sources:
  - {name: docs, files: "docs/*", source_type: web, text: "{text}"}
steps: [normalise]
tokenizer: {train: {vocab_size: 400}}
mixtures:
  pretrain: {components: [{name: all}], shards: 2}
max_quarantined: 1.0
"""


def pytest_collection_finish() -> None:
    """Half a million objects of libraries are not looked through again at every collection of garbage."""
    gc.collect()
    gc.freeze()
