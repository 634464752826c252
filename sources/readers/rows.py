"""Tables and lines of records: CSV, TSV, XLSX, JSON, JSON Lines, Parquet and Arrow.

The recipe's `text` template says how columns become text. Rows stream; a broken row is one
quarantined record and the rest of the file comes through.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import string
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Final

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.conversation import Conversation
from schemas.errors import Unreadable
from schemas.identifiers import pmcid_of, pmid_of
from schemas.preference import Preference
from schemas.prompt import Prompt
from schemas.recipe import PreferenceForm, PromptForm, Source
from sources.containers import CORRUPT, bomb_reason, seekable
from sources.conversation_rows import from_row
from sources.decoding import decode, detect
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, Draft, sha256
from sources.formats import LAST, reader
from sources.pages.sheets import MergedRange, merged_ranges
from sources.preference_rows import preferences_from_row
from sources.prompt_rows import prompt_from_row
from sources.row_columns import told_by

TEXT_COLUMNS: Final = ("text", "content", "body")
LINE_CHUNK: Final = 1 << 20
MAX_JSON_BYTES: Final = 256 << 20
Talk = Conversation | Prompt | Preference
csv.field_size_limit(min(sys.maxsize, MAX_DOCUMENT_BYTES))


@lru_cache(maxsize=64)
def template_columns(template: str) -> tuple[str, ...]:
    """Column names of a template such as `{title}: {body}`."""
    parsed = string.Formatter().parse(template)
    return tuple(name.split(".")[0].split("[")[0] for _, name, _, _ in parsed if name)


class Rows:
    """Turns rows of one file into drafts by the source's templates."""

    def __init__(self, blob: Blob, source: Source, kind: str) -> None:
        self.blob, self.source, self.kind = blob, source, kind

    def columns_needed(self, available: list[str]) -> str:
        """The text template; columns that it or the recipe's `columns` name and the file lacks are refused."""
        for column, name in (self.source.columns or {}).items():
            if name not in available and self.kind not in ("json", "jsonl"):  # whose rows may differ
                raise Unreadable(
                    f"no column '{name}', which `columns` names for {column}; columns: {', '.join(available)}"
                )
        if self.source.holds_turns:
            self._turn_columns(available)
            return ""
        template = self.source.text
        if template is None:
            found = next((name for name in TEXT_COLUMNS if name in available), None)
            if found is None:
                raise Unreadable(
                    f"no column {', '.join(TEXT_COLUMNS)}; say in the recipe how columns become text "
                    f"(`text:`); columns: {', '.join(available)}"
                )
            return "{" + found + "}"
        missing = [name for name in template_columns(template) if name not in available]
        if missing:
            raise Unreadable(f"no column '{missing[0]}', which `text` names; columns: {', '.join(available)}")
        return template

    def _turn_columns(self, available: list[str]) -> None:
        form, key = self.source.conversation, "conversation"
        templates = list(form.values()) if isinstance(form, dict) else []
        if isinstance(self.source.prompts, PromptForm):
            key, told = "prompts", self.source.prompts
            templates = [one for one in (told.system, told.user, told.task, told.difficulty) if one]
        elif isinstance(self.source.preferences, PreferenceForm):
            key, templates = "preferences", [one for one in self.source.preferences.model_dump().values() if one]
        for template in templates:
            missing = [name for name in template_columns(template) if name not in available]
            if missing:
                raise Unreadable(f"no column '{missing[0]}', which `{key}` names; columns: {', '.join(available)}")

    def drafts(self, row: dict[str, Any], raw: bytes, place: str) -> list[Draft]:
        """The drafts of one row: one, or as many as it holds preferences; `raw` is what their digest is taken of."""
        template = self.columns_needed(list(row))
        talks: list[Talk | None] = [None]
        if self.source.conversation is not None:
            talks = [from_row(row, self.source.conversation)]
        elif self.source.prompts is not None:
            talks = [prompt_from_row(row, self.source.prompts)]
        elif self.source.preferences is not None:
            talks = [*preferences_from_row(row, self.source.preferences)]
        places = [place] if len(talks) == 1 else [f"{place}.{number}" for number in range(1, len(talks) + 1)]
        return [self._draft(row, raw, where, template, talk) for where, talk in zip(places, talks, strict=True)]

    def _draft(self, row: dict[str, Any], raw: bytes, place: str, template: str, talk: Talk | None) -> Draft:
        title = _fill(self.source.title, row) if self.source.title else _cell(row, "title")
        told, said = told_by(row, self.source.columns)
        return Draft(
            text=talk.text() if talk else _fill(template, row),
            raw_sha256=sha256(raw),
            place=place,
            uri=f"{self.blob.uri}#{place}",
            title=title or None,
            identifiers=_identifiers(row),
            is_row=True,
            edits=tuple((what, 1) for what in said),
            **told,
            **_of_conversation(talk),
        )

    def told(self, row: dict[str, Any], raw: bytes, place: str) -> list[Draft | Broken]:
        """The drafts of one row, or the row quarantined with the reason why there is none."""
        try:
            return [*self.drafts(row, raw, place)]
        except Unreadable as error:
            return [self.broken(place, str(error), raw)]

    def broken(self, place: str, error: str, raw: bytes) -> Broken:
        """A quarantined row."""
        return Broken(f"{self.blob.uri}#{place}", self.kind, error, len(raw), sha256(raw))


def _identifiers(row: dict[str, Any]) -> tuple[str, ...]:
    found = (pmid_of(_cell(row, "pmid", "PMID", "pubmed_id")), pmcid_of(_cell(row, "pmcid", "PMCID", "pmc_id")))
    return tuple(one for one in found if one)


def _of_conversation(talk: Talk | None) -> dict[str, Any]:
    if talk is None:
        return {}
    return {"task": talk.task, "ability": talk.ability, "difficulty": talk.difficulty, "conversation": talk.beside()}


def _fill(template: str, row: dict[str, Any]) -> str:
    shown = {key: "" if value is None else value for key, value in row.items()}
    try:
        return template.format_map(shown)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise Unreadable(f"template does not fit the row: {type(error).__name__} {error}") from None


def _cell(row: dict[str, Any], *names: str) -> str | None:
    for name in names:
        if row.get(name) not in (None, ""):
            return str(row[name])
    return None


def bounded_lines(stream: BinaryIO, limit: int = MAX_DOCUMENT_BYTES) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their number (from 1); a line longer than `limit` comes as None and is skipped."""
    number, held, skipping = 1, bytearray(), False
    while chunk := stream.read(LINE_CHUNK):
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = bytes(held + piece) if held else piece
            yield number, None if skipping or len(line) > limit else line
            number, held, skipping = number + 1, bytearray(), False
        if not skipping:
            held += rest
        if len(held) > limit:
            held, skipping = bytearray(), True
    if held or skipping:
        yield number, None if skipping else bytes(held)


def _too_long() -> str:
    return f"line longer than {MAX_DOCUMENT_BYTES >> 20} MiB"


def _looks_like_json(head: bytes) -> bool:
    return re.match(rb"\s*\{\s*\"", head) is not None


@reader(
    "jsonl",
    ".jsonl",
    ".ndjson",
    sniff=_looks_like_json,
    priority=LAST,
    by_suffix=True,
    version=2,
    source="https://jsonlines.org",
    example='{name: labels, files: "*.jsonl", source_type: drug_label, text: "{title}\\n{label}"}',
)
def read_jsonl(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One record a line; a broken line is quarantined alone."""
    rows = Rows(blob, source, "jsonl")
    if not blob.head:
        raise Unreadable("empty file")
    anything = False
    for number, line in bounded_lines(blob.stream):
        place = str(number)
        anything |= line is None
        if line is None:
            yield rows.broken(place, _too_long(), b"")
            continue
        line = line.strip()
        if line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        if not line:
            continue
        anything = True
        try:
            row = _json_value(line)
            if not isinstance(row, dict):
                raise Unreadable(f"line {number}: expected an object, found {type(row).__name__}")
        except Unreadable as error:
            yield rows.broken(place, str(error), line)
            continue
        yield from rows.told(row, line, place)
    if not anything:
        raise Unreadable("no record in it")


def _json_value(data: bytes) -> Any:
    """JSON by orjson; the standard parser's leniency only for lone surrogates and NaN."""
    import json

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(decode(data).text)
        except (ValueError, RecursionError):
            raise Unreadable(f"not valid JSON: {error}") from None


@reader(
    "json",
    ".json",
    sniff=None,
    version=2,
    source="RFC 8259",
    example='{name: terms, files: "*.json", source_type: encyclopedia, text: "{term}: {article}"}',
)
def read_json(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """An array of records, an object of records by id, or one record."""
    rows = Rows(blob, source, "json")
    data = blob.read_all(MAX_JSON_BYTES)
    value = _json_value(data)
    if isinstance(value, dict):
        keyed = bool(value) and all(isinstance(one, dict) for one in value.values())
        records = [(str(key), {"id": key, **one}) for key, one in value.items()] if keyed else [("0", value)]
    elif isinstance(value, list):
        records = [(str(index), one) for index, one in enumerate(value)]
    else:
        raise Unreadable(f"expected records, found {type(value).__name__}")
    for place, row in records:
        raw = orjson.dumps(row, option=orjson.OPT_SORT_KEYS) if _plain(row) else repr(row).encode("utf-8", "replace")
        if not isinstance(row, dict):
            yield rows.broken(place, f"expected an object, found {type(row).__name__}", raw)
            continue
        yield from rows.told(row, raw, place)


def _plain(row: Any) -> bool:
    try:
        orjson.dumps(row)
    except (TypeError, orjson.JSONEncodeError):
        return False
    return True


@reader(
    "csv",
    ".csv",
    version=2,
    source="RFC 4180",
    example='{name: consultations, files: "*.csv", source_type: dialogue, text: "{title}\\n问：{ask}\\n答：{answer}"}',
)
def read_csv(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Comma-separated values with a header, in any encoding."""
    yield from _delimited(blob, source, "csv", ",")


@reader(
    "tsv",
    ".tsv",
    ".tab",
    version=2,
    example='{name: terms, files: "*.tsv", source_type: encyclopedia, text: "{term}: {article}"}',
)
def read_tsv(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Tab-separated values with a header, in any encoding."""
    yield from _delimited(blob, source, "tsv", "\t")


def _delimited(blob: Blob, source: Source, kind: str, delimiter: str) -> Iterator[Draft | Broken]:
    rows = Rows(blob, source, kind)
    sample = blob.head
    if blob.stream.seekable():
        sample = blob.stream.read(1 << 20)
        blob.stream.seek(0)
    if not sample:
        raise Unreadable("empty file")
    encoding = detect(sample)
    lines = _decoded_lines(blob.stream, encoding)
    parser = csv.reader(lines, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(parser)]
    except StopIteration:
        raise Unreadable("empty file") from None
    except csv.Error as error:
        raise Unreadable(f"no header line: {error}") from None
    rows.columns_needed(header)
    edit = () if encoding in ("utf-8", "utf-8-sig") else ((f"decoded from {encoding}", 1),)
    number = 0
    while True:
        number += 1
        try:
            cells = next(parser)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.broken(str(number), f"line {parser.line_num}: {error}", b"")
            continue
        if not cells:
            continue
        raw = "\x1f".join(cells).encode("utf-8", "replace")
        if len(cells) != len(header):
            error_text = f"line {parser.line_num}: {len(cells)} cells where the header has {len(header)}"
            yield rows.broken(str(number), error_text, raw)
            continue
        for draft in rows.told(dict(zip(header, cells, strict=True)), raw, str(number)):
            yield draft if isinstance(draft, Broken) else _as_decoded(draft, edit)


def _as_decoded(draft: Draft, edit: tuple[tuple[str, int], ...]) -> Draft:
    """The draft with what was done to its bytes."""
    replaced = draft.text.count("\ufffd")
    for what, count in (*edit, *((("undecodable bytes replaced", replaced),) if replaced else ())):
        draft = draft.with_edit(what, count)
    return draft


def _decoded_lines(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Text lines with their ends, decoded as they come; an overlong line becomes an unparsable one."""
    if encoding.startswith("utf-16") or encoding.startswith("utf-32"):
        yield from io.TextIOWrapper(io.BytesIO(stream.read(MAX_DOCUMENT_BYTES)), encoding, "replace", newline="")
        return
    codec = codecs.getincrementaldecoder(encoding)("replace")
    for number, line in bounded_lines(stream):
        if line is None:
            raise Unreadable(f"line {number}: {_too_long()}")
        yield codec.decode(line.replace(b"\x00", b"") + b"\n")


def _is_workbook(head: bytes) -> bool:
    """Office's parts of which none is a text's or a presentation's, or OpenDocument's mark of a spreadsheet."""
    office = b"[Content_Types].xml" in head or b"xl/workbook." in head
    return (office and b"word/" not in head and b"ppt/" not in head) or b"opendocument.spreadsheet" in head[:120]


@reader(
    "xlsx",
    ".xlsx",
    ".xls",
    ".ods",
    sniff=lambda head: head.startswith(b"PK") and _is_workbook(head),
    is_archive=True,
    version=4,
    source="ECMA-376, by fastexcel",
    example='{name: terms, files: "*.xlsx", source_type: encyclopedia, text: "{term}: {article}"}',
)
def read_xlsx(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """The sheets of a workbook, the first row of each being its header; a merged cell holds for all its places."""
    import fastexcel

    rows = Rows(blob, source, "xlsx")
    data = blob.read_all()
    try:
        if data.startswith(b"PK"):
            for member in zipfile.ZipFile(io.BytesIO(data)).infolist():
                if reason := bomb_reason(member):
                    raise Unreadable(f"{member.filename}: {reason}")
        book = fastexcel.read_excel(data)
        sheets = [(name, book.load_sheet(at, dtypes="string").to_polars()) for at, name in enumerate(book.sheet_names)]
        ranges = merged_ranges(data) if data.startswith(b"PK") else {}
    except (fastexcel.FastExcelError, *CORRUPT) as error:
        raise Unreadable(f"workbook is truncated or corrupt: {error}") from None
    for at, (name, frame) in enumerate(sheets):
        if at and frame.is_empty():
            continue
        try:
            rows.columns_needed(frame.columns)
        except Unreadable as error:
            if not at:
                raise
            yield Broken(f"{blob.uri}#{name}", "xlsx", f"sheet '{name}': {error}", 0, "")
            continue
        for number, row in enumerate(_unmerged(frame, ranges.get(at, ())), 1):
            raw = "\x1f".join("" if cell is None else str(cell) for cell in row.values()).encode()
            if any(row.values()):
                yield from rows.told(row, raw, f"{name}/{number}" if at else str(number))


def _unmerged(frame: pl.DataFrame, ranges: Sequence[MergedRange]) -> Iterator[dict[str, Any]]:
    """Rows of a sheet; below its header each place of a merged cell holds its value."""
    held: dict[tuple[int, int], Any] = {}
    for one in ranges:
        first = one.rows.start - 1  # the header is row 0 of the sheet
        if first < 0 or first >= frame.height or one.columns.start >= frame.width:
            continue
        value = frame[first, one.columns.start]
        held.update({(line - 1, column): value for line in one.rows for column in one.columns})
    for number, row in enumerate(frame.iter_rows(named=True)):
        if held:
            row = {name: held.get((number, at), cell) for at, (name, cell) in enumerate(row.items())}
        yield row


@reader(
    "parquet",
    ".parquet",
    ".pq",
    sniff=lambda head: head.startswith(b"PAR1"),
    version=2,
    source="Apache Parquet",
    example='{name: rows, files: "*.parquet", source_type: knowledge, text: "{text}"}',
)
def read_parquet(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Parquet, row group by row group."""
    with tempfile.SpooledTemporaryFile(max_size=MAX_DOCUMENT_BYTES) as spool:
        stream = seekable(blob, spool)  # type: ignore[arg-type]
        try:
            batches = pq.ParquetFile(stream).iter_batches(batch_size=1024)
            yield from _batches(batches, Rows(blob, source, "parquet"))
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"Parquet file is truncated or corrupt: {error}") from None


@reader(
    "arrow",
    ".arrow",
    ".feather",
    ".ipc",
    sniff=lambda head: head.startswith(b"ARROW1"),
    version=2,
    source="Apache Arrow IPC",
    example='{name: rows, files: "*.arrow", source_type: knowledge, text: "{text}"}',
)
def read_arrow(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """Arrow IPC files, batch by batch."""
    with tempfile.SpooledTemporaryFile(max_size=MAX_DOCUMENT_BYTES) as spool:
        stream = seekable(blob, spool)  # type: ignore[arg-type]
        try:
            file = pa.ipc.open_file(stream)
            batches = (_checked(file.get_batch(index)) for index in range(file.num_record_batches))
            yield from _batches(batches, Rows(blob, source, "arrow"))
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"Arrow file is truncated or corrupt: {error}") from None


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, whose offsets have been looked at: those of a damaged file would be followed out of memory."""
    batch.validate(full=True)
    return batch


def _batches(batches: Iterator[pa.RecordBatch], rows: Rows) -> Iterator[Draft | Broken]:
    number = 0
    for batch in batches:
        rows.columns_needed(batch.schema.names)
        for row in batch.to_pylist():
            number += 1
            raw = repr(row).encode("utf-8", "replace")
            yield from rows.told(row, raw, str(number))
