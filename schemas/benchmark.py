"""Benchmark items, and readers for the formats in which medical benchmarks are published."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.errors import WrongCall


class BenchmarkItem(BaseModel):
    """One question of a benchmark: options in order, the answer as letters or text, its contexts."""

    model_config = ConfigDict(frozen=True)
    benchmark: str
    id: str
    question: str
    options: tuple[str, ...] = ()
    answer: str = ""
    contexts: tuple[str, ...] = ()
    explanation: str = ""


def read_items(name: str, path: Path, columns: dict[str, Any] | None = None) -> Iterator[BenchmarkItem]:
    """Items of one file; the format is told by suffix and content, or by `columns` for others.

    `columns` maps question, options (one column or a list of them), answer, id to column names.
    Raises `WrongCall`, naming file and line, where a file is not a benchmark.
    """
    readers: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
        ".jsonl": _json_lines,
        ".json": _json,
        ".csv": _csv,
        ".xlsx": _xlsx,
    }
    if path.suffix not in readers:
        raise WrongCall(f"benchmark {path}: no reader for '{path.suffix}'; known: {', '.join(readers)}")
    try:
        for number, row in enumerate(readers[path.suffix](path)):
            item = _item(name, row, number, columns)
            if item is not None:
                yield item
    except (OSError, ValueError, KeyError) as error:
        raise WrongCall(f"benchmark {path}: {error}") from None


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None


def _json(path: Path) -> Iterator[dict[str, Any]]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(data, dict):
        for key, row in data.items():
            yield {"id": key, **row} if isinstance(row, dict) else {"id": key, "answer": row}
    else:
        yield from data


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        yield from csv.DictReader(handle)


def _xlsx(path: Path) -> Iterator[dict[str, Any]]:
    import fastexcel

    yield from fastexcel.read_excel(path).load_sheet(0, dtypes="string").to_polars().iter_rows(named=True)


OPTIONS_IN_QUESTION = re.compile(r"\s*Answer Choices:\s*", re.IGNORECASE)
LETTERED = re.compile(r"\(([A-J])\)\s*")
LETTERED_LINE = re.compile(r"(?:^|\n|\s)([A-J])[\s.、．:：)）]+(.*?)(?=\s[A-J][\s.、．:：)）]|$)", re.DOTALL)


def _item(name: str, row: dict[str, Any], number: int, columns: dict[str, Any] | None) -> BenchmarkItem | None:
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
