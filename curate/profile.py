"""`curate run --profile`: MB/s a core of every part of a run, from its log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from storage.json_files import whole_lines


def profile_of(run_dir: Path) -> list[dict[str, Any]]:
    """One row a part, in the order in which parts first ran: seconds over all workers, MB of text, MB/s a core."""
    seconds: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for event in whole_lines((run_dir / "log.jsonl").read_text(encoding="utf-8", errors="replace")):
        for part, (took, size) in (event.get("profile") or {}).items():
            seconds[part] = seconds.get(part, 0.0) + took
            sizes[part] = sizes.get(part, 0.0) + size / 1e6
    whole = sum(seconds.values()) or 1.0
    return [
        {
            "part": part,
            "seconds": round(took, 2),
            "MB": round(sizes[part], 2),
            "MB/s": round(sizes[part] / took, 2) if took > 0 and sizes[part] else None,
            "share": round(took / whole, 4),
        }
        for part, took in seconds.items()
    ]


def print_profile(run_dir: Path) -> None:
    """Print the table to standard error, the slowest parts of weight marked."""
    from rich.console import Console
    from rich.table import Table

    rows = profile_of(run_dir)
    slowest = {row["part"] for row in sorted(rows, key=lambda row: -row["share"])[:3]}
    table = Table("part", "seconds", "MB of text", "MB/s a core", "share", title="time over all workers")
    for row in rows:
        speed = f"{row['MB/s']:,.2f}" if row["MB/s"] is not None else "-"
        mark = " ◀" if row["part"] in slowest else ""
        table.add_row(row["part"], f"{row['seconds']:,.2f}", f"{row['MB']:,.1f}", speed, f"{row['share']:.1%}{mark}")
    Console(stderr=True).print(table)
    click.echo(f"slowest: {', '.join(sorted(slowest))}", err=True)
