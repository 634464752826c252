"""Files in Microsoft's compound format: old workbooks are read, other old or encrypted files are named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, open_blob
from sources.formats import FIRST, reader
from sources.readers.rows import read_xlsx

MAGIC: Final = bytes.fromhex("d0cf11e0a1b11ae1")
# Names of the streams by which a file's kind is known, in the format's UTF-16.
KINDS: Final = (
    ("EncryptedPackage", "the document is encrypted with a password: save it without one"),
    ("WordDocument", "a Word document of before 2007 (.doc): save it as .docx"),
    ("PowerPoint Document", "a presentation of before 2007 (.ppt): save it as .pptx"),
)


@reader(
    "ole",
    ".doc",
    ".ppt",
    ".msg",
    sniff=lambda head: head.startswith(MAGIC),
    priority=FIRST,
    source="[MS-CFB], Compound File Binary",
    example='{name: tables, files: "**/*.xls", source_type: knowledge, text: "{term}: {meaning}"}',
)
def read_ole(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Workbooks of before 2007; documents of that time, and encrypted ones, are refused with what to do."""
    data = blob.read_all()
    for name, what in KINDS:
        if name.encode("utf-16-le") in data:
            raise Unreadable(what)
    if any(f"{name}\0\0".encode("utf-16-le") in data for name in ("Workbook", "Book")):
        yield from read_xlsx(open_blob(blob.uri, io.BytesIO(data), len(data)), source)
        return
    raise Unreadable("a file in Microsoft's compound format that is neither workbook nor document")
