"""The command on streams that are closed, broken or know only ASCII, and where an extra is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CALL = [sys.executable, "-m", "curate"]


def shell(words: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", words, "-", *CALL, *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "words", ['"$@" >&-', '"$@" 2>&-', '"$@" <&- >&- 2>&-', '"$@" | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}']
)
def test_closed_streams_are_no_failure(words: str) -> None:
    done = shell(words, "steps", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_streams_that_know_only_ascii_are_no_failure(tmp_path: Path) -> None:
    done = shell('PYTHONIOENCODING=ascii LC_ALL=C.UTF-8 "$@"', "inspect", str(tmp_path / "心"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"sys.argv = ['curate', 'ask', {str(tmp_path)!r}, 'hi']\n"
        "from curate.cli import entry\nentry()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "pip install 'curate-medical[train]'" in done.stderr
    assert "Traceback" not in done.stderr
