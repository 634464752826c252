"""`curate similar`: near documents of a finished run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curate.look_commands import whole_id
from curate.terminal import json_line, say
from schemas.errors import WrongCall


@click.command("similar")
@click.argument("run_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--text", "text_file", help="A file whose text is looked for; - for standard input.")
@click.option("--id", "document", help="A document of the run, by its id or the beginning of it.")
@click.option("--k", "most", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many at most.")
@click.option("--min-similarity", type=click.FloatRange(0.0, 1.0), default=0.0, help="Estimated Jaccard similarity.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def similar_command(
    run_dir: Path, text_file: str | None, document: str | None, most: int, min_similarity: float, as_json: bool
) -> None:
    """Find documents of RUN_DIR's corpus that are near a text, or near another document.

    The first call on a run builds an LSH index over the signatures of its corpus (RUN_DIR/similar);
    later ones look into it. Similarity is that of sets of n-grams, as deduplication has it.

    \b
    Examples:
      curate similar runs/medical --text leaflet.txt
      curate similar runs/medical --id 0f3a… --k 3 --json
    """
    from pipelines.run_folder import RunFolder
    from pipelines.similar import ensure_index, similar_to_document, similar_to_text

    if (text_file is None) == (document is None):
        raise WrongCall("give either --text FILE or --id ID")
    run = RunFolder(run_dir.resolve())
    text = None if text_file is None else _text_of(text_file)
    if ensure_index(run):
        click.echo(f"built {run_dir / 'similar'}", err=True)
    if text is not None:
        found = similar_to_text(run, text, most, min_similarity)
    else:
        found = similar_to_document(run, whole_id(run_dir, str(document)), most, min_similarity)
    if as_json:
        click.echo(json_line({"results": found}))
        return
    for one in found:
        say(f"{one['similarity']:.2f}  {one['id']}  {one['source']}  {one['title'] or one['uri']}")
    if not found:
        click.echo("no document shares a band with it", err=True)


def _text_of(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(f"--text {name}: {error}") from None
