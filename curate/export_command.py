"""`curate export`: what was made here, in the forms that others read."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("export")
def export_command() -> None:
    """Write models and corpora in the forms that other programs read.

    \b
    Examples:
      curate export megatron runs/demo --to exported/megatron
      curate export huggingface runs/demo --to exported/datasets
      curate export model runs/demo/models/sft --to exported
      curate export model runs/cpt --to exported --dtype bfloat16 --step 2500
      curate export model runs/demo/models/cold_start --to served --untied
    """


@export_command.command("model")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new folder.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), help="Default: as it was trained.")
@click.option("--step", type=click.IntRange(1), help="The checkpoint after this step (default: the newest).")
@click.option("--untied", is_flag=True, help="Tied embeddings as two tensors, for a server that samples rollouts.")
def export_model(model: Path, to: Path, dtype: str | None, step: int | None, untied: bool) -> None:
    """Write the trained MODEL as a Hugging Face folder, LoRA updates merged.

    transformers, vLLM and the like load it as it is: safetensors, configuration, tokenizer and chat
    template.
    """
    from schemas.errors import WrongCall
    from trainers.loop.position import checkpoint_folder
    from trainers.model.hf_export import export_hf

    chosen = checkpoint_folder(model, step) if step else None
    if chosen is not None and not (chosen / "position.json").exists():
        raise WrongCall(f"{model} keeps no checkpoint of step {step}")
    files = export_hf(model, to, dtype, chosen, untied)  # type: ignore[arg-type]
    size = sum(path.stat().st_size for path in files)
    click.echo(f"{len(files)} files, {size / 1e6:,.1f} MB", err=True)
    click.echo(str(to))


RUN = click.Path(path_type=Path, exists=True, file_okay=False)
NEW = click.Path(path_type=Path, file_okay=False)


def _into_new(to: Path) -> None:
    from schemas.errors import WrongCall
    from storage.places import empty

    if not empty(to):
        raise WrongCall(f"{to} is not empty; choose a new folder")


@export_command.command("megatron")
@click.argument("run_dir", type=RUN)
@click.option("--to", type=NEW, required=True, help="A new folder.")
@click.option("--mixture", "mixtures", multiple=True, help="Only this one (repeatable; default: all of documents).")
def export_megatron_files(run_dir: Path, to: Path, mixtures: tuple[str, ...]) -> None:
    """Write the token shards of RUN_DIR as Megatron's .bin and .idx, one pair a component.

    TO/MIXTURE/data-path.txt holds what Megatron's --data-path takes. Masks are not part of that form: of
    conversations it would learn every token.

    \b
    Examples:
      curate export megatron runs/demo --to exported/megatron
      curate export megatron runs/demo --to exported/megatron --mixture pretrain
    """
    from schemas.manifest import load_manifest
    from trainers.data.megatron_files import export_megatron

    _into_new(to)
    export_megatron(run_dir, load_manifest(run_dir), to, mixtures, lambda told: click.echo(told, err=True))
    click.echo(str(to))


@export_command.command("huggingface")
@click.argument("run_dir", type=RUN)
@click.option("--to", type=NEW, required=True, help="A new folder.")
def export_huggingface(run_dir: Path, to: Path) -> None:
    """Write RUN_DIR as Hugging Face datasets: its curated documents, and the token rows of each mixture.

    \b
    Examples:
      curate export huggingface runs/demo --to exported/datasets
      python -c "import datasets; print(datasets.load_from_disk('exported/datasets'))"
      python -c "import datasets; print(datasets.load_dataset('exported/datasets', 'pretrain'))"
    """
    from schemas.manifest import load_manifest
    from tokenization.huggingface import export_datasets

    _into_new(to)
    export_datasets(run_dir, load_manifest(run_dir), to, lambda told: click.echo(told, err=True))
    click.echo(str(to))
