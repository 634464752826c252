"""Steps and readers as they describe themselves: `curate steps`, `curate readers`, and the pages of docs/.

`python -m curate.reference` writes `docs/steps.md` and `docs/readers.md` again; a test fails where they
are stale.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from filters.step import STEPS, StepKind
from plugins.description import REQUIRED, documentation_of, parameters_of
from plugins.registry import OURS, Registry
from schemas.errors import WrongCall
from sources.formats import FORMATS, Format
from storage.publishing import write_text

DOCS = Path(__file__).resolve().parent.parent / "docs"
LONGEST_DEFAULT = 100
GENERATED = "<!-- written by `python -m curate.reference`; edit the docstrings, not this page -->"


@click.command("steps")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def steps_command(name: str | None, as_json: bool) -> None:
    """List the steps of recipes, those of installed plug-ins among them; with NAME, all about one.

    \b
    Examples:
      curate steps
      curate steps gopher_quality
      curate steps --json
    """
    _list(STEPS, step_told, name, as_json)


@click.command("readers")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def readers_command(name: str | None, as_json: bool) -> None:
    """List the readers of formats, those of installed plug-ins among them; with NAME, all about one.

    \b
    Examples:
      curate readers
      curate readers jats
      curate readers --json
    """
    _list(FORMATS, reader_told, name, as_json)


def step_told(name: str, entry: StepKind) -> dict[str, Any]:
    """All that is known of a step."""
    scores = entry.scores if isinstance(entry.scores, tuple) else ()
    return {
        "name": name,
        "from": STEPS.origin(name),
        "summary": entry.summary,
        "documentation": documentation_of(entry.function),
        "source": entry.source,
        "parameters": [vars(one) for one in parameters_of(entry.function)],
        "scores": list(scores),
        "example": _step_example(name, entry),
    }


def reader_told(name: str, entry: Format) -> dict[str, Any]:
    """All that is known of a reader."""
    return {
        "name": name,
        "from": FORMATS.origin(name),
        "summary": entry.summary,
        "documentation": documentation_of(entry.read),
        "source": entry.source,
        "suffixes": list(entry.suffixes),
        "by_content": entry.sniff is not None,
        "priority": entry.priority,
        "example": f"- {entry.example}",
    }


def _step_example(name: str, entry: StepKind) -> str:
    if not entry.example:
        return f"- {name}"
    given = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.example.items())
    return f"- {name}: {{{given}}}"


def _list(registry: Registry[Any], tell: Callable[[str, Any], dict[str, Any]], name: str | None, as_json: bool) -> None:
    """All entries of a registry, a line each, or one in full; and which plug-ins are left out."""
    entries = dict(registry.items()) if name is None else {name: registry.get(name)}
    told = [tell(one, entry) for one, entry in entries.items()]
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
    elif name is not None:
        click.echo("\n".join(_whole(told[0])))
    else:
        width = max(len(one["name"]) for one in told)
        for one in told:
            origin = "" if one["from"] == OURS else f"  [{one['from']}]"
            click.echo(f"{one['name']:<{width}}  {one['summary']}{origin}")
    for plugin, why in registry.broken.items():
        click.echo(f"warning: plug-in {plugin} could not be imported and is left out: {why}", err=True)


def _whole(one: dict[str, Any]) -> Iterator[str]:
    yield f"{one['name']}  (from {one['from']})"
    yield ""
    yield one["documentation"]
    yield ""
    if one["source"]:
        yield f"source: {one['source']}"
    if "suffixes" in one:
        yield f"suffixes: {' '.join(one['suffixes'])}"
        yield f"told by content: {'yes' if one['by_content'] else 'no'}"
    for parameter in one.get("parameters", ()):
        yield f"  {parameter['name']}: {parameter['type']}, default {_short(parameter['default'])}"
    if one.get("scores"):
        yield f"scores: {', '.join(one['scores'])}"
    yield f"example: {one['example']}"


def _short(default: str) -> str:
    return default if len(default) <= LONGEST_DEFAULT else default[:LONGEST_DEFAULT] + "…"


def steps_page() -> str:
    """The content of docs/steps.md: our own steps; those of plug-ins are their packages' to document."""
    lines = [GENERATED, "", "# Steps", ""]
    lines.append("Every step also takes `where:`, an SQL condition over the document columns.")
    for name, entry in STEPS.items():
        if STEPS.origin(name) != OURS:
            continue
        told = step_told(name, entry)
        lines += ["", f"## `{name}`", "", told["documentation"], "", f"Source: {told['source']}.", ""]
        lines += ["| parameter | type | default |", "|---|---|---|"]
        for one in told["parameters"]:
            kind = one["type"].replace("|", "\\|")
            default = one["default"] if one["default"] == REQUIRED else f"`{_short(one['default'])}`"
            lines.append(f"| `{one['name']}` | `{kind}` | {default} |")
        if told["scores"]:
            lines += ["", f"Scores: {', '.join(f'`{score}`' for score in told['scores'])}."]
        lines += ["", "```yaml", told["example"], "```"]
    return "\n".join(lines) + "\n"


def readers_page() -> str:
    """The content of docs/readers.md."""
    lines = [GENERATED, "", "# Readers", ""]
    lines.append("Content decides first, in the order of the readers' priorities; where none knows it, the suffix.")
    lines.append("")
    lines += ["| name | suffixes | by content | reads | described in |", "|---|---|---|---|---|"]
    ours = [(name, entry) for name, entry in FORMATS.items() if FORMATS.origin(name) == OURS]
    for name, entry in ours:
        suffixes = " ".join(f"`{suffix}`" for suffix in entry.suffixes)
        content = "yes" if entry.sniff is not None else "no"
        lines.append(f"| `{name}` | {suffixes} | {content} | {entry.summary} | {entry.source} |")
    lines += ["", "As a recipe's sources:", "", "```yaml", "sources:"]
    examples = [(name, entry.example) for name, entry in ours]
    named = Counter(one.split(",")[0] for _, one in examples)
    # Of several readers' examples with one source name each adds its own.
    unique = [one.replace(",", f"-{name},", 1) if named[one.split(",")[0]] > 1 else one for name, one in examples]
    lines += [f"  - {one}" for one in unique]
    lines += ["```"]
    return "\n".join(lines) + "\n"


PAGES = {"steps.md": steps_page, "readers.md": readers_page}


def main() -> None:
    """Write the pages again."""
    if not DOCS.is_dir():
        raise WrongCall(f"{DOCS} does not exist; the pages are written in a checkout")
    for name, page in PAGES.items():
        write_text(DOCS / name, page())
        click.echo(DOCS / name)


if __name__ == "__main__":
    main()
