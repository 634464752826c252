"""`curate audit`: pages on which a reviewer confirms what a run did."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import polars as pl

from curate.page import page_of
from curate.terminal import json_line, print_frame
from schemas.errors import WrongCall
from storage.publishing import write_text
from tokenization.shards import shuffle_keys

RUN = click.Path(path_type=Path, file_okay=False)
MARK: Final = re.compile(r"\[(?P<kind>[A-Z]{2,10})(?:_\d+)?\]")
CONTEXT: Final = 60
# What may be an identifier that was not found: long numbers, at-signs, a title with a name.
SUSPICIOUS: Final = re.compile(
    r"\d[\d\s-]{6,}\d|\S+@\S+|(?:Mr|Mrs|Ms|Dr)\.?\s[A-Z][a-z]+|[\u4e00-\u9fff](?:医生|大夫|主任|先生|女士)"
)


@click.group("audit")
def audit_command() -> None:
    """Make pages for a reviewer.

    \b
    Examples:
      curate audit privacy runs/medical
      curate audit privacy runs/medical --sample 500 --to review.html
    """


@audit_command.command("privacy")
@click.argument("run_dir", type=RUN)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="How many redactions to show, evenly over the classes.",
)
@click.option("--seed", default=17, show_default=True, help="Which ones.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="The page (default: RUN_DIR/audit-privacy.html).")
@click.option(
    "--words", is_flag=True, help="Print instead which words were taken out often, read again from the raw files."
)
@click.option("--more-than", type=click.IntRange(0), default=3, show_default=True, help="With --words: how often.")
@click.option("--json", "as_json", is_flag=True, help="Print the sample, or the words, as JSON lines instead.")
def privacy_command(
    run_dir: Path, sample: int, seed: int, target: Path | None, words: bool, more_than: int, as_json: bool
) -> None:
    """A page of redactions in their context, and of what may have been missed, to confirm one by one.

    The page holds no original: that is kept nowhere. The reviewer's answers are saved from the page
    as JSON; the share of right marks, and of suspicious places that are harmless, is shown on it.
    With --words the originals are read again from the raw files and printed, with the phrases they
    stood in: a drug that was taken for a name is seen at a glance. What is printed identifies persons.

    \b
    Examples:
      curate audit privacy runs/medical --sample 100
      curate audit privacy runs/medical --json | head
      curate audit privacy runs/medical --words --more-than 10
    """
    if words:
        if target is not None:
            raise WrongCall("--to is for the page; --words prints, so that no originals are left in a file unasked")
        _print_words(run_dir, more_than, as_json)
        return
    marks, suspects = audit_sample(run_dir, sample, seed)
    if as_json:
        for one in [*marks, *suspects]:
            click.echo(json_line(one))
        return
    template = page_of("audit.html")
    path = target or run_dir / "audit-privacy.html"
    write_text(path, template.render(run=run_dir.name, marks=marks, suspects=suspects))
    click.echo(path)


def _print_words(run_dir: Path, more_than: int, as_json: bool) -> None:
    from curate.audit_words import words_taken_out
    from curate.progress import counted

    with counted("raw files") as told:
        found = words_taken_out(run_dir, more_than, told)
    rows = [word.told() for word in found]
    if not rows:
        click.echo(f"no word was taken out more than {more_than} times", err=True)
        return
    phrases = [" | ".join(row["phrases"]) for row in rows]
    print_frame(pl.DataFrame(rows) if as_json else pl.DataFrame(rows).with_columns(phrases=pl.Series(phrases)), as_json)


def audit_sample(run_dir: Path, sample: int, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Redactions in context, evenly over their classes, and places that may hold a missed identifier."""
    paths = [path for name in ("curated", "dropped") for path in sorted((run_dir / name).glob("*.parquet"))]
    if not paths:
        raise WrongCall(f"{run_dir} holds no documents; is it the folder of a finished `curate run`?")
    touched = (
        pl.scan_parquet(paths)
        .filter(pl.col("edits").list.eval(pl.element().struct.field("step") == "phi").list.any())
        .select("id", "source", "text")
        .collect()
    )
    if touched.is_empty():
        raise WrongCall(f"no document of {run_dir} was touched by the step `phi`; is it in the recipe?")
    touched = touched.with_columns(shuffle_keys(touched["id"], seed).alias("key")).sort("key")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    suspects: list[dict[str, Any]] = []
    for one in touched.iter_rows(named=True):
        for match in MARK.finditer(one["text"]):
            of_kind = by_kind.setdefault(match["kind"], [])
            if len(of_kind) < sample:
                of_kind.append(_place(one, match, match["kind"]))
        for match in SUSPICIOUS.finditer(one["text"]):
            if len(suspects) < sample:
                suspects.append(_place(one, match, "left standing"))
    share = max(1, sample // max(len(by_kind), 1))
    marks = [place for kind in sorted(by_kind) for place in by_kind[kind][:share]]
    return marks, suspects


def _place(document: dict[str, Any], match: re.Match[str], kind: str) -> dict[str, Any]:
    text = document["text"]
    return {
        "document": document["id"],
        "source": document["source"],
        "class": kind,
        "before": text[max(0, match.start() - CONTEXT) : match.start()],
        "mark": match.group(),
        "after": text[match.end() : match.end() + CONTEXT],
    }
