"""Both engines, any worker count, killed or not: the same documents, decisions, bytes and digest."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from schemas.manifest import load_manifest
from tests.conftest import REPOSITORY, SMALL_RECIPE, write_recipe
from tests.warm import called, command, here

pytestmark = pytest.mark.slow
DEMO = REPOSITORY / "recipes" / "demo.yaml"
FORKS = "multiprocess.forkserver"  # of the engine's own workers

REAL_RECIPE = """
name: real-part
sources:
  - {name: books, files: textbooks/**/m4598*.cnxml, source_type: textbook, licence: CC-BY-4.0}
  - {name: classics, files: "textbooks/tcm-classics/0*.txt", source_type: textbook}
  - {name: notes, files: guidelines/**/*.md, source_type: guideline}
  - {name: articles, files: literature/plos/journal.pmed*.xml, source_type: literature}
  - {name: preprints, files: literature/chinaxiv/ChinaXiv-201605*.md, source_type: literature}
steps: [normalise, {language: {keep: [en, zh], min_score: 0.5}}, {gopher_quality: {max_words: 4000000, unspaced_max_words: 4000000}}, authority]
decontaminate: {benchmarks: [{name: medqa, files: benchmarks/medqa_input.jsonl}]}
tokenizer: {train: {vocab_size: 1200, max_characters: 300000}}
mixtures:
  pretrain:
    components: [{name: books, where: "source_type = 'textbook'"}, {name: rest, where: "source_type <> 'textbook'"}]
    shards: 3
"""


def curate(
    *arguments: object, status: int | tuple[int, ...] = 0, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Call the command; the exit status is checked.

    It is called within this process, where kernels are loaded and the engine's workers are forked from one that stays;
    trainings and Beam in a process of their own. `settings` are those of `subprocess`: then the process is a new one.
    """
    words = [str(one) for one in arguments]
    if settings:
        words = [sys.executable, "-m", "curate.cli", *words]
        done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY, check=False, **settings)  # type: ignore[call-overload]
    elif words[0] in ("train", "demo") or "beam" in words:
        done = command(*words, cwd=REPOSITORY)
    else:
        done = here(*words, cwd=REPOSITORY)
    allowed = status if isinstance(status, tuple) else (status,)
    assert done.returncode in allowed, done.stderr[-3000:]
    return done


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of everything a run promises to be equal."""
    names = ("curated", "dropped", "quarantined", "shards", "tokenizer")
    found = {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for name in names
        for p in (folder / name).rglob("*")
        if p.is_file()
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("code_version")
    return {**found, "manifest": json.dumps(manifest, sort_keys=True).encode()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's recipe run by one datatrove worker."""
    folder = tmp_path_factory.mktemp("engines") / "one"
    curate("run", DEMO, "--run-dir", folder, "--workers", 1)
    return folder


def test_two_workers_give_the_same_bytes_as_one(reference: Path, demo_run: Path) -> None:
    assert files_of(demo_run) == files_of(reference)


@pytest.mark.parametrize(("engine", "workers"), [("datatrove", 4), ("beam", 1), ("beam", 2), ("serial", 1)])
def test_every_engine_and_worker_count_gives_the_same_bytes(
    reference: Path, tmp_path: Path, engine: str, workers: int
) -> None:
    curate("run", DEMO, "--run-dir", tmp_path / "run", "--engine", engine, "--workers", workers)
    assert files_of(tmp_path / "run") == files_of(reference)


def test_prism_gives_the_same_bytes(reference: Path, tmp_path: Path) -> None:
    import shutil

    prism = shutil.which("prism")
    if prism is None:
        pytest.skip("no prism binary on the PATH: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0")
    options = ("--", "--runner=PrismRunner", f"--prism_location={prism}")
    curate("run", DEMO, "--run-dir", tmp_path / "run", "--engine", "beam", *options)
    assert files_of(tmp_path / "run") == files_of(reference)


def test_both_engines_agree_on_real_documents(shared: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, REAL_RECIPE)
    for engine, workers in (("datatrove", 2), ("beam", 1)):
        curate(
            "run", recipe, "--data", shared, "--run-dir", tmp_path / engine, "--engine", engine, "--workers", workers
        )
    first, second = files_of(tmp_path / "datatrove"), files_of(tmp_path / "beam")
    assert first == second
    assert load_manifest(tmp_path / "beam").counts.curated > 40


def test_a_worker_that_is_killed_ends_the_run_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(40):
        (tmp_path / "docs" / f"{number}.txt").write_text("A sentence about the heart and its valves. " * 20000)
    folder = tmp_path / "run"
    recipe = write_recipe(tmp_path, SMALL_RECIPE)
    process = called("run", recipe, "--run-dir", folder, "--workers", 2, cwd=REPOSITORY)
    import psutil

    killed = False
    deadline = time.monotonic() + 60
    while not killed and time.monotonic() < deadline and process.poll() is None:
        if not list(folder.glob("stages/read/*.json")):
            time.sleep(0.01)
            continue
        for child in psutil.Process(process.pid).children(recursive=True):
            line = " ".join(child.cmdline())
            if FORKS in line and child.parent() and FORKS in " ".join(child.parent().cmdline()):
                child.kill()
                killed = True
                break
        time.sleep(0.02)
    assert killed
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "was killed" in errors
    assert "run the same command again" in errors
    curate("run", recipe, "--run-dir", folder, "--workers", 2)


def test_called_again_nothing_is_done_twice(reference: Path) -> None:
    before = (reference / "log.jsonl").read_text()
    curate("run", DEMO, "--run-dir", reference, "--workers", 1)
    added = (reference / "log.jsonl").read_text()[len(before) :]
    assert '"task"' not in added


def test_counts_add_up_and_every_input_is_in_one_place(reference: Path) -> None:
    counts = load_manifest(reference).counts
    assert counts.read == counts.curated + sum(counts.dropped.values())
    tables = {name: pl.read_parquet(reference / name / "*.parquet") for name in ("curated", "dropped", "quarantined")}
    assert tables["curated"].height == counts.curated
    assert tables["quarantined"].height == counts.quarantined
    ids = pl.concat([tables["curated"]["id"], tables["dropped"]["id"]])
    assert ids.n_unique() == len(ids) == counts.read
    assert tables["dropped"]["drop_reason"].null_count() == 0
    steps = set(tables["dropped"]["dropped_by"])
    assert {"exact", "minhash", "decontaminate", "language", "length", "gopher_repetition", "medical_terms"} <= steps


def test_sample_decisions(reference: Path) -> None:
    curated = pl.read_parquet(reference / "curated" / "*.parquet")
    by_uri = {
        uri.rsplit("/", 1)[-1]: row for uri, row in zip(curated["uri"], curated.iter_rows(named=True), strict=True)
    }
    assert by_uri["vitamin-x.xml"]["retracted"] is True
    assert by_uri["vitamin-x.xml"]["authority"] == "E"
    assert "hypertension-2019.md" not in by_uri
    assert any(edit["what"] == "decoded from gb18030" for edit in by_uri["four-examinations.txt"]["edits"])
    assert "Cookie" not in by_uri["h-pylori-consensus-zh.html"]["text"]
    assert "Reading order" not in by_uri["migraine-two-columns.pdf"]["text"]
    pdf = by_uri["migraine-two-columns.pdf"]["text"]
    assert pdf.index("Treating an attack") < pdf.index("Preventing attacks") < pdf.index("Red flags")
    epub = by_uri["symptoms-zh.epub"]["text"]
    assert epub.index("第一章") < epub.index("第二章")


def test_verify_names_the_first_file_that_differs(reference: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(reference, folder)
    assert "files match" in curate("verify", folder).stdout
    shard = next(iter(sorted(folder.glob("shards/pretrain/*/*.arrow"))))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert shard.name in curate("verify", folder, status=1).stderr
    shard.unlink()
    assert "is missing" in curate("verify", folder, status=1).stderr
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["counts"]["read"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "changed by hand" in curate("verify", folder, status=2).stderr


def test_exit_status_3_when_too_much_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("A sentence about the heart. " * 30)
    (tmp_path / "docs" / "b.pdf").write_bytes(b"%PDF-1.4 cut")
    recipe = write_recipe(tmp_path, SMALL_RECIPE.replace("max_quarantined: 1.0", "max_quarantined: 0.1"))
    done = curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 1, "--json", status=3)
    assert "more than the recipe's max_quarantined" in done.stderr
    assert json.loads(done.stdout)["quarantined"] == 1


def test_an_empty_corpus_is_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text(" \n ")
    recipe = write_recipe(tmp_path, SMALL_RECIPE)
    done = curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 1, status=3)  # nothing could be read
    assert "no document was kept" in done.stderr
    counts = load_manifest(tmp_path / "run" / "manifest.json").counts
    assert (counts.read, counts.curated, counts.quarantined) == (0, 0, 1)


def test_a_full_disk_is_told_and_the_run_goes_on_later(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(3):
        (tmp_path / "docs" / f"{number}.txt").write_text(
            "".join(chr(0x4E00 + (n * 7919 + number) % 20000) for n in range(60_000))
        )
    recipe = write_recipe(tmp_path, SMALL_RECIPE)

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 1, status=1, preexec_fn=small_disk)
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 1)


def test_another_recipe_or_other_inputs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("A sentence about the heart. " * 30)
    recipe = write_recipe(tmp_path, SMALL_RECIPE)
    curate("run", recipe, "--run-dir", tmp_path / "run", "--workers", 1)
    (tmp_path / "docs" / "b.txt").write_text("Another text about the lung. " * 30)
    assert "b.txt" in curate("run", recipe, "--run-dir", tmp_path / "run", status=2).stderr
    write_recipe(tmp_path, SMALL_RECIPE.replace("name: small", "name: other"))
    assert "another recipe" in curate("run", recipe, "--run-dir", tmp_path / "run", status=2).stderr
    assert "no command" in curate("rum", status=2).stderr
    assert (
        "takes no further options" in curate("run", recipe, "--run-dir", tmp_path / "new", "--", "--x", status=2).stderr
    )


def test_trace_goes_both_ways(reference: Path) -> None:
    curated = pl.read_parquet(reference / "curated" / "*.parquet")
    document = curated.filter(pl.col("source_type") == "guideline")["id"][0]
    forward = json.loads(curate("trace", reference, "--document", document).stdout)
    place = forward["shards"][0]
    back = json.loads(curate("trace", reference, "--shard", place["shard"], "--row", place["row"]).stdout)
    assert back["document"]["id"] == document == forward["document"]["id"]
    assert forward["document"]["scores"]["words"] > 0


def test_inspect_answers_sql_and_names_wrong_queries(reference: Path) -> None:
    told = curate("inspect", reference, "--sql", "select source, count(*) as n from curated group by source", "--json")
    assert sum(json.loads(line)["n"] for line in told.stdout.splitlines()) == load_manifest(reference).counts.curated
    assert "the query fails" in curate("inspect", reference, "--sql", "select nothing from nowhere", status=2).stderr
    assert "steps that dropped some" in curate("inspect", reference, "--dropped", "nobody", status=2).stderr
    assert "drop_reason" in curate("inspect", reference, "--dropped", "minhash", "--json").stdout
