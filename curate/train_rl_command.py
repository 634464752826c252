"""`curate train rl`: how hard prompts are for a model, and what verifiers say of old answers by now."""

from __future__ import annotations

from pathlib import Path

import click

from curate.terminal import json_line


@click.group("rl")
def rl_group() -> None:
    """Look at prompts before, and at rollouts after a stage of reinforcement learning.

    \b
    Examples:
      curate train rl difficulty recipes/train/rl_reasoning.yaml --manifest runs/medical --from models/cold_start
      curate train rl rescore models/rl_reasoning
      curate train rl packet models/rl_alignment --to packet
      curate train rl label packet/packet.csv --to labels.csv --url http://judge:8000/v1 --model judge
    """


@rl_group.command("difficulty")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--manifest", type=click.Path(path_type=Path), required=True, help="Manifest of a curated run.")
@click.option("--from", "parent", type=click.Path(path_type=Path, file_okay=False), help="The model that answers.")
@click.option("--samples", type=click.IntRange(2, 256), default=8, show_default=True, help="Answers a prompt.")
def difficulty_command(recipe: Path, manifest: Path, parent: Path | None, samples: int) -> None:
    """Measure how often a model answers each prompt of RECIPE's mixture rightly.

    Writes pass-rates-MIXTURE.parquet beside the manifest, by which a stage chooses its prompts
    (`rl: {pass_rate: [0.1, 0.9]}`). Called again with the same model it goes on with what is missing.

    \b
    Examples:
      curate train rl difficulty recipes/train/rl_reasoning.yaml --manifest runs/medical --from models/cold_start
    """
    import polars as pl

    from curate.progress import counted
    from storage.columnar import read_parquet
    from trainers.launch.local import check_installed
    from trainers.stage import load_stage

    check_installed()
    config = load_stage(recipe)
    if parent is not None:
        config = config.model_copy(update={"parent": str(parent)})
    from trainers.rl.difficulty import measure_pass_rates
    from trainers.rl.pass_rates import scales

    with counted("prompts") as told:
        path = measure_pass_rates(config, manifest, samples, told)
    rates = read_parquet(path)
    bins = rates.group_by(
        pl.when(pl.col("pass_rate").is_null()).then(pl.lit("no verdict"))
        .when(pl.col("pass_rate") == 0).then(pl.lit("0"))
        .when(pl.col("pass_rate") == 1).then(pl.lit("1"))
        .otherwise(pl.lit("between")).alias("pass rate")
    ).len()  # fmt: skip
    for name, count in sorted(bins.iter_rows()):
        click.echo(f"pass rate {name}: {count} prompts", err=True)
    for name, mean, deviation in scales(rates):
        click.echo(f"scores of {name}: {{mean: {mean:.3f}, deviation: {deviation:.3f}}}", err=True)
    click.echo(str(path))


@rl_group.command("packet")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), required=True, help="A folder for the packet.")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="Pairs of answers.")
@click.option("--batches", type=click.IntRange(1), default=20, show_default=True, help="How many of the last batches.")
def packet_command(model: Path, to: Path, count: int, batches: int) -> None:
    """Choose answers of MODEL that its reward models doubt or disagree on, for people to label.

    Writes the same pairs for Label Studio, for Argilla and as CSV. What comes back is a source of preferences
    (`preferences: labels`), from which a reward model is trained on (`--from` the last one).

    \b
    Examples:
      curate train rl packet runs/demo/models/rl_alignment --to packet --count 50
    """
    from schemas.errors import WrongCall
    from trainers.preference.packets import chosen_doubts, write_packet
    from trainers.rl.rollout_files import batches_of, read_rollouts

    rollouts = [one for number in batches_of(model)[-batches:] for one in read_rollouts(model, number)[0]]
    doubts = chosen_doubts(rollouts, count)
    if not doubts:
        raise WrongCall(f"{model} has no rollouts that a reward model scored: give its recipe rl.reward_models")
    for path in write_packet(to, doubts):
        click.echo(str(path))
    click.echo(f"{len(doubts)} pairs", err=True)


@rl_group.command("label")
@click.argument("packet", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The CSV with the labels.")
@click.option("--url", required=True, help="An OpenAI-compatible server, up to and with /v1.")
@click.option("--model", required=True, help="The judging model's name there.")
@click.option("--key-variable", help="The environment variable that holds the server's key.")
@click.option("--votes", type=click.IntRange(1, 32), default=2, show_default=True, help="In each order of the answers.")
@click.option("--json", "as_json", is_flag=True, help="What came of it as JSON.")
def label_command(
    packet: Path, to: Path, url: str, model: str, key_variable: str | None, votes: int, as_json: bool
) -> None:
    """Let a judging model label the pairs of PACKET (packet.csv), with its reasoning.

    Each pair is shown in both orders; a preference that turns with the order is a tie. Labels that people gave
    stay, and the judge's agreement with them is told: label a few by hand before you believe the others. The CSV
    is a source of preferences (`preferences: labels`). Judgements are kept beside it and not asked for twice.

    \b
    Examples:
      curate train rl label packet/packet.csv --to labels.csv --url http://127.0.0.1:8000/v1 --model judge
    """
    from dataclasses import asdict

    from pydantic import ValidationError

    from endpoints.ledger import Ledger
    from endpoints.settings import Endpoint
    from schemas.errors import WrongCall
    from trainers.preference.judged_packets import label_packet

    try:
        endpoint = Endpoint(url=url, model=model, key_variable=key_variable)
    except ValidationError as error:
        raise WrongCall(f"--url: {error.errors()[0]['msg']}") from None
    told = label_packet(packet, to, endpoint, votes, Ledger(to.with_name(f"{to.stem}-judgements")))
    if as_json:
        click.echo(json_line(asdict(told)))
    click.echo(f"{told.pairs} pairs: {told.preferred} preferred, {told.ties} ties, {told.unread} unreadable", err=True)
    if told.agreed is not None:
        kappa = "" if told.kappa is None else f", kappa {told.kappa:.2f}"
        click.echo(
            f"people labelled {told.compared} of them, and the judge agrees on {told.agreed:.0%}{kappa}", err=True
        )
    if not as_json:
        click.echo(str(to))


@rl_group.command("rescore")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--manifest", type=click.Path(path_type=Path), help="Where the manifest lies now (default: as it was).")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a batch, with every answer that is judged anew.")
def rescore_command(model: Path, manifest: Path | None, as_json: bool) -> None:
    """Judge the rollouts of MODEL again by the verifiers as they are now; nothing is generated or changed.

    \b
    Examples:
      curate train rl rescore runs/demo/models/rl_reasoning
      curate train rl rescore models/rl --json | jq .changed
    """
    from dataclasses import asdict

    from trainers.rl.rescore import rescored

    answers = others = 0
    for one in rescored(model, manifest):
        answers, others = answers + one.answers, others + len(one.changed)
        if as_json:
            click.echo(json_line(asdict(one)))
        elif one.changed:
            first = one.changed[0]
            click.echo(
                f"batch {one.batch}: reward {one.before:.3f} → {one.now:.3f}, {len(one.changed)} verdicts differ, "
                f"such as {first['before']} → {first['now']}: {first['why']}"
            )
    click.echo(f"{others} of {answers} answers are judged differently by now", err=True)
