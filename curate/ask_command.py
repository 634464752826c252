"""`curate ask`: one question to a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from curate.terminal import json_line, say


@click.command("ask")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("question")
@click.option("--system", help="A system text before the question.")
@click.option("--tokens", type=click.IntRange(1, 4096), default=128, show_default=True, help="Longest answer.")
@click.option("--json", "as_json", is_flag=True, help="Answer and whether the model ended it, for programs.")
def ask_command(model: Path, question: str, system: str | None, tokens: int, as_json: bool) -> None:
    """Ask a trained MODEL one QUESTION, greedily: to see what a stage has taught.

    \b
    Examples:
      curate ask runs/demo/models/sft "What is metformin used for?"
      curate ask runs/demo/models/sft 二甲双胍治什么病？ --tokens 64
    """
    from trainers.answer import Answerer

    text, ended = Answerer(model).answer(question, system, tokens)
    if as_json:
        click.echo(json_line({"answer": text, "ended": ended}))
        return
    say(text)
    if not ended:
        click.echo(f"cut off after {tokens} tokens: the model did not end its answer", err=True)
