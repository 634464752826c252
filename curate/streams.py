"""Standard output and error: closed ones, those that know only ASCII, and characters that steer a terminal."""

from __future__ import annotations

import io
import os
import re
import select
import sys
from typing import Any, Final

# C0 and C1 controls but tab and line feed; line and paragraph separators; marks, embeddings, overrides and isolates
# of direction (Unicode Standard Annex 9, section 2).
UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""The text with characters that steer a terminal written out, as `\x1b` and `\u202e`."""
    return UNSEEN.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class Unread(io.FileIO):
    """Standard error, of which nobody may read any more: a run is not lost by what it cannot say."""

    def write(self, data: Any) -> int:
        """Write, or lose what is said."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


_kept: list[Any] = []


def _open_nothing(number: int) -> None:
    """Open the null device under a number of a stream, for as long as the process lives."""
    stream = open(os.devnull, "rb+", buffering=0)  # noqa: SIM115 - it may have got the very number
    if stream.fileno() == number:
        _kept.append(stream)
        os.set_inheritable(number, True)
    else:
        os.dup2(stream.fileno(), number)
        stream.close()


def open_streams() -> None:
    """Closed streams swallow what is written; letters that a stream cannot encode are written out, not refused."""
    for number in (0, 1, 2):  # else the next file that is opened takes the number, and is written into
        try:
            os.fstat(number)
        except OSError:
            _open_nothing(number)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the process
    encoding = sys.stderr.encoding if sys.stderr is not None else "utf-8"
    raw = Unread(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def output_is_read() -> bool:
    """Whether anyone still reads standard output."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def forget_output() -> None:
    """Nothing that still waits in the buffer of a closed standard output is written at the end of the process."""
    _open_nothing(sys.stdout.fileno())
