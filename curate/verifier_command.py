"""`curate verifier`: what judges answers, and how well it does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curate.terminal import json_line
from schemas.errors import WrongCall

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("verifier")
def verifier_command() -> None:
    """List verifiers, and hold one against labelled answers."""


@verifier_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_command(as_json: bool) -> None:
    """All verifiers, with the fields of their references and where they come from.

    \b
    Examples:
      curate verifier list
    """
    from verifiers.verifier import VERIFIERS

    told = [
        {
            "name": name,
            "summary": one.summary,
            "reference": sorted(one.reference.model_json_schema(by_alias=True)["properties"]),
            "from": VERIFIERS.origin(name),
        }
        for name, one in VERIFIERS.items()
    ]
    if as_json:
        click.echo(json_line({"verifiers": told}))
        return
    for one in told:
        click.echo(
            f"{one['name']:12} {one['summary']}\n{'':12} reference: {', '.join(one['reference'])} (from {one['from']})"
        )


@verifier_command.command("audit")
@click.argument("name")
@click.option("--cases", "cases_file", type=FILE, help="Labelled answers, JSON Lines (default: the bundled ones).")
@click.option("--out", "out_file", type=FILE, help="Write the verdicts here, JSON Lines, in the order of the cases.")
@click.option("--table", "tables", type=FILE, multiple=True, help="Names of diseases and drugs of your own, YAML.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def audit_command(
    name: str, cases_file: Path | None, out_file: Path | None, tables: tuple[Path, ...], as_json: bool
) -> None:
    """Hold the verifier NAME against labelled answers: false accepts and false rejects, by class.

    A line of the cases is {"id", "class", "prompt", "answer", "reference", "expected", "also"}. Exit status:
    0 also where verdicts differ from what was expected, 2 for a file that does not fit.

    \b
    Examples:
      curate verifier audit exam
      curate verifier audit medication --cases answers.jsonl --out verdicts.jsonl --json
    """
    from storage.publishing import write_text
    from verifiers.audit import Audit, bundled, read_cases
    from verifiers.bounded import Judges, Question
    from verifiers.tables import extend
    from verifiers.verifier import VERIFIERS

    verifier = VERIFIERS.get(name)
    for one in tables:
        extend(one)
    cases = list(read_cases(cases_file) if cases_file else bundled(name))
    if not cases:
        raise WrongCall(f"{cases_file or 'the bundled set'} holds no case of {name}")
    for number, case in enumerate(cases, start=1):
        try:
            verifier.read(case.reference)
        except WrongCall as error:
            raise WrongCall(f"{cases_file or 'bundled'}, case {number} ({case.id}): {error}") from None
    audit, lines = Audit(), []
    questions = [Question(name, one.prompt, one.answer, one.reference) for one in cases]
    with Judges(tables=[str(one) for one in tables]) as judges:
        shown = click.progressbar(judges.judge(questions), length=len(cases), label="judging", file=sys.stderr)
        with shown as verdicts:
            judged = list(zip(cases, verdicts, strict=True))
        for case, verdict in judged:
            kind = audit.add(case, verdict)
            told = {
                "id": case.id,
                "state": verdict.state,
                "score": verdict.score,
                "extracted": verdict.extracted,
                "why": verdict.why,
            }
            lines.append(json_line({**told, **({"flags": list(verdict.flags)} if verdict.flags else {})}))
            if kind in ("false_accept", "false_reject", "failed") and not as_json:
                click.echo(f"{kind}: {case.id}, {verdict.state} for {case.expected}: {verdict.why}", err=True)
    if out_file:
        write_text(out_file, "\n".join(lines) + "\n")
    if as_json:
        click.echo(json_line(audit.told()))
        return
    rejectable = sum(one.expected == "right" for one in cases)
    counts = audit.kinds
    click.echo(
        f"{audit.cases} cases of {name}: {counts['false_accept']} false accepts of {audit.cases - rejectable}, "
        f"{counts['false_reject']} false rejects of {rejectable}, {counts['failed']} failed"
    )
    for class_, of in sorted(audit.by_class.items()):
        click.echo(
            f"  {class_ or '(no class)':22} {of['cases']:4}  "
            f"false accepts {of['false_accept']}, false rejects {of['false_reject']}"
        )
