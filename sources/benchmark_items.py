"""Benchmark items out of the formats in which medical benchmarks are published, local or behind a URL."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from schemas.benchmark import BenchmarkItem
from schemas.errors import Unreadable, WrongCall
from sources.inputs import InputFile, open_input


def read_items(name: str, location: str | Path, columns: dict[str, Any] | None = None) -> Iterator[BenchmarkItem]:
    """Items of one file or URL; the format is told by suffix and content, or by `columns` for others.

    `columns` maps question, options (one column or a list of them), answer, id to column names.
    Raises `WrongCall`, naming file and line, where a file is not a benchmark.
    """
    readers: dict[str, Callable[[bytes], Iterator[dict[str, Any]]]] = {
        ".jsonl": _json_lines,
        ".json": _json,
        ".csv": _csv,
        ".xlsx": _xlsx,
    }
    suffix = PurePosixPath(str(location)).suffix
    if suffix not in readers:
        raise WrongCall(f"benchmark {location}: no reader for '{suffix}'; known: {', '.join(readers)}")
    try:
        with open_input(InputFile(name, str(location), str(location), 0)) as stream:
            data = stream.read()
        for number, row in enumerate(readers[suffix](data)):
            item = item_of_row(name, row, number, columns)
            if item is not None:
                yield item
    except (OSError, ValueError, KeyError, Unreadable) as error:
        raise WrongCall(f"benchmark {location}: {error}") from None


def _json_lines(data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.decode("utf-8").split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


def _json(data: bytes) -> Iterator[dict[str, Any]]:
    told = json.loads(data)
    if isinstance(told, dict):
        for key, row in told.items():
            yield {"id": key, **row} if isinstance(row, dict) else {"id": key, "answer": row}
    else:
        yield from told


def _csv(data: bytes) -> Iterator[dict[str, Any]]:
    yield from csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))


def _xlsx(data: bytes) -> Iterator[dict[str, Any]]:
    import fastexcel

    yield from fastexcel.read_excel(data).load_sheet(0, dtypes="string").to_polars().iter_rows(named=True)


OPTIONS_IN_QUESTION = re.compile(r"\s*Answer Choices:\s*", re.IGNORECASE)
LETTERED = re.compile(r"\(([A-J])\)\s*")
LETTERED_LINE = re.compile(r"(?:^|\n|\s)([A-J])[\s.、．:：)）]+(.*?)(?=\s[A-J][\s.、．:：)）]|$)", re.DOTALL)


def item_of_row(name: str, row: dict[str, Any], number: int, columns: dict[str, Any] | None) -> BenchmarkItem | None:
    """The item of a row in any of the known forms; None where a row is none.

    Raises:
        ValueError: where no known form has these columns.
    """
    if columns:
        return _by_columns(name, row, number, columns)
    if "QUESTION" in row:  # PubMedQA
        return BenchmarkItem(
            benchmark=name,
            id=str(row["id"]),
            question=row["QUESTION"],
            answer=str(row.get("final_decision", "")),
            contexts=tuple(row.get("CONTEXTS", ())),
            explanation=row.get("LONG_ANSWER", ""),
        )
    if "opa" in row:  # MedBullets, MedMCQA
        letters = [key for key in ("opa", "opb", "opc", "opd", "ope") if row.get(key)]
        return BenchmarkItem(
            benchmark=name,
            id=str(row.get("id") or number),
            question=row["question"],
            options=tuple(str(row[key]) for key in letters),
            answer=str(row.get("answer_idx") or row.get("cop") or ""),
            explanation=str(row.get("explanation") or row.get("exp") or ""),
        )
    if "Question" in row and "Options" in row:  # CMExam
        if not row["Question"]:
            return None
        lettered = LETTERED_LINE.findall((row["Options"] or "").replace("\\n", "\n"))
        return BenchmarkItem(
            benchmark=name,
            id=str(number),
            question=row["Question"],
            options=tuple(text.strip() for _, text in lettered),
            answer=str(row.get("Answer") or ""),
            explanation=str(row.get("Explanation") or ""),
        )
    if "question" in row:  # MedXpertQA and what it republishes
        stem, options = split_choices(str(row["question"]))
        if isinstance(row.get("options"), dict):
            options = tuple(str(value) for value in row["options"].values())
        elif isinstance(row.get("options"), list):
            options = tuple(
                str(value["content"]) if isinstance(value, dict) else str(value) for value in row["options"]
            )
        label = row.get("label", row.get("answer_idx", row.get("answer", "")))
        return BenchmarkItem(
            benchmark=name,
            id=str(row.get("id", number)),
            question=stem,
            options=options,
            answer="".join(map(str, label)) if isinstance(label, list) else str(label),
            explanation=str(row.get("label_rationale") or ""),
        )
    if set(row) == {"id", "answer"}:  # a file of answers alone: nothing to find in a text
        return None
    raise ValueError(f"row {number + 1} has columns {', '.join(map(str, row))}; say which with `columns`")


def split_choices(question: str) -> tuple[str, tuple[str, ...]]:
    """Stem and options of a question that carries its options as `Answer Choices: (A) … (B) …`."""
    parts = OPTIONS_IN_QUESTION.split(question, maxsplit=1)
    if len(parts) == 1:
        return question, ()
    pieces = LETTERED.split(parts[1])
    return parts[0], tuple(text.strip() for text in pieces[2::2])


def _by_columns(name: str, row: dict[str, Any], number: int, columns: dict[str, Any]) -> BenchmarkItem:
    def cell(role: str) -> str:
        return str(row[columns[role]] or "") if role in columns else ""

    wanted = columns.get("options", [])
    if isinstance(wanted, str):
        value = row[wanted]
        options = tuple(map(str, value.values() if isinstance(value, dict) else value or ()))
    else:
        options = tuple(str(row[key]) for key in wanted if row[key])
    return BenchmarkItem(
        benchmark=name,
        id=cell("id") or str(number),
        question=cell("question"),
        options=options,
        answer=cell("answer"),
        explanation=cell("explanation"),
    )
