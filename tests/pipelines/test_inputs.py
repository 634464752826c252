"""Where inputs may lie: patterns under a root, URLs, chains into archives, HTTP on loopback."""

from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import WrongCall
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames

TEXT = "Aspirin relieves pain and lowers fever. "


def source(files: str, **settings: object) -> Source:
    return Source(name="s", files=[files], source_type="web", **settings)  # type: ignore[arg-type]


def texts(found: Source, root: Path) -> list[str]:
    return [
        text for file in find_inputs(found, root) for frame, _ in read_frames(file, found) for text in frame["text"]
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/one.md", "a/b/two.md", "a/b/three.txt"):
        (tmp_path / name).write_text(TEXT + name)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("x/four.md", TEXT + "four")
        archive.writestr("x/five.txt", TEXT + "five")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "uris"),
    [
        ("a/*.md", ["a/one.md"]),
        ("**/*.md", ["a/b/two.md", "a/one.md"]),
        ("a/b/t*", ["a/b/three.txt", "a/b/two.md"]),
        ("a/one.md", ["a/one.md"]),
    ],
)
def test_patterns(folder: Path, pattern: str, uris: list[str]) -> None:
    assert [file.uri for file in find_inputs(source(pattern), folder)] == uris


def test_ids_do_not_depend_on_where_the_root_is(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil

    other = tmp_path_factory.mktemp("other") / "root"
    shutil.copytree(folder, other)
    ids = [
        [
            frame["id"][0]
            for file in find_inputs(source("**/*.md"), root)
            for frame, _ in read_frames(file, source("**/*.md"))
        ]
        for root in (folder, other)
    ]
    assert ids[0] == ids[1]


def test_excluded_and_optional(folder: Path) -> None:
    assert [file.uri for file in find_inputs(source("**/*.md", exclude="**/two.md"), folder)] == ["a/one.md"]
    assert find_inputs(source("none/*", optional=True), folder) == []
    with pytest.raises(WrongCall, match="mark the source `optional: true`"):
        find_inputs(source("none/*"), folder)


def test_two_files_with_one_place_are_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("x")
    (other / "one.md").write_text("other")
    both = Source(name="s", files=[f"{folder}/a/*.md", f"{other}/*.md"], source_type="web")
    with pytest.raises(WrongCall, match="make them two sources"):
        find_inputs(both, folder)


def test_a_chain_into_a_zip_archive(folder: Path) -> None:
    assert texts(source(f"zip://x/*.md::{folder}/all.zip"), folder) == [TEXT + "four"]


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A real HTTP server on loopback over the folder."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


def test_http(folder: Path, server: str) -> None:
    pytest.importorskip("aiohttp", reason="the cloud extra is not installed")
    assert texts(source(f"{server}/a/one.md"), folder) == [TEXT + "a/one.md"]
    assert sorted(texts(source(f"{server}/all.zip"), folder)) == [TEXT + "five", TEXT + "four"]
