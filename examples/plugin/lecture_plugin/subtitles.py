"""A reader: WebVTT subtitles (W3C, https://www.w3.org/TR/webvtt1/)."""

from collections.abc import Iterator

from schemas.recipe import Source
from sources.decoding import decode
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import reader


@reader("subtitles", ".vtt", sniff=lambda head: head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"))
def read_subtitles(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The words of each cue, one after the other; times and settings are left out."""
    data = blob.read_all()
    cues = decode(data).text.replace("\r\n", "\n").split("\n\n")[1:]
    words = [line for cue in cues for line in cue.split("\n") if line and "-->" not in line and not line.isdigit()]
    yield Draft(text=" ".join(words), raw_sha256=sha256(data))
