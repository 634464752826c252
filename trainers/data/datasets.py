"""A stage's training and validation samples, blended from the components of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from schemas.errors import CurateError, WrongCall
from schemas.manifest import ComponentShards, Manifest
from trainers.data.appended import Joined, phases_with
from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.blending import Blend, PlannedPhase, check_mixtures, make_blend, mixtures_of, planned_phases
from trainers.data.packs import pack
from trainers.data.rows import Rows
from trainers.data.samples import Sample, Samples
from trainers.data.windows import EndOfText, WindowSettings
from trainers.stage import TrainConfig

PACKED = ("conversations", "preferences")  # kinds whose rows stay whole
FEWEST_FOR_VALIDATION = 10  # rows below which none is kept for validation


@dataclass(frozen=True)
class Blended:
    """Samples in the order of training; `tags` names what the tags of their tokens stand for."""

    blend: Blend
    components: dict[str, Samples]
    tags: list[str]
    vocabulary: int

    def __len__(self) -> int:
        return len(self.blend.chosen)

    def at(self, index: int) -> tuple[str, int]:
        """Component and number within it of a sample."""
        return self.blend.names[self.blend.chosen[index]], int(self.blend.numbers[index])

    def __getitem__(self, index: int) -> Sample:
        name, number = self.at(index)
        sample = self.components[name].sample(number)
        largest = max(int(sample.tokens.max()), int(sample.labels.max()))
        if largest >= self.vocabulary:
            documents = ", ".join(document for _, document in self.documents(index))
            raise CurateError(
                f"component {name} holds the token id {largest}, beyond the vocabulary of {self.vocabulary}; "
                f"it is in one of the documents {documents}; curate again with the manifest's tokenizer"
            )
        return sample

    def documents(self, index: int) -> list[tuple[str, str]]:
        """Component and document id of every row in a sample."""
        name, number = self.at(index)
        samples = self.components[name]
        return [(name, samples.tokens.document_id(piece.row)) for piece in samples.pieces(number)]


@dataclass(frozen=True)
class StageData:
    """What a stage trains on and is validated on, and how many steps that makes."""

    training: Blended
    validation: Blended | None
    steps: int
    order: str


@dataclass(frozen=True)
class _Component:
    training: Rows
    validation: Rows | None


# Samples of one component, as an objective makes them.
MakeSamples = Callable[[Rows, TrainConfig, WindowSettings, int, str, int], Samples]


def stage_data(
    config: TrainConfig,
    manifest: Manifest,
    folder: Path,
    cache: Path,
    samples: MakeSamples | None = None,
    appended: Sequence[Joined] = (),
) -> StageData:
    """Open the mixtures a stage names, hold out validation rows, and blend.

    Rows of a component lie in the order of a hash, so its last rows are a fair sample: they are
    kept for validation, but for those of `appended` data, so that its curve goes on. `samples` says what a
    sample is: the objective of the stage, unless given.
    """
    make = samples or _of_stage(config)
    check_mixtures(config.data, manifest, folder / "manifest.json")
    components: dict[str, _Component] = {}
    for mixture in mixtures_of(config.data):
        kind = manifest.mixtures[mixture].kind
        for name, part in manifest.mixtures[mixture].components.items():
            components[f"{mixture}/{name}"] = _split(f"{mixture}/{name}", part, kind, config, folder, manifest.digest)
    for one in appended:
        found = one.manifest.mixtures[one.mixture]
        for name, part in found.components.items():
            at = f"{one.wanted.name}/{name}"
            components[at] = _whole(at, part, found.kind, config, one.folder, one.manifest.digest)
    phases = planned_phases(config.data, manifest)
    if appended:
        count = config.batch.before(config.schedule.steps or _steps_of_tokens(config))
        phases = phases_with(phases[0], appended, count)
    used = {name: any(phase.weights.get(name) for phase in phases) for name in components}
    per_epoch = {name: one.training.per_epoch if used[name] else 0 for name, one in components.items()}
    if config.schedule.epochs is not None:
        return _by_epochs(config, manifest, cache, components, per_epoch, make)
    steps = config.schedule.steps or _steps_of_tokens(config)
    count = config.batch.before(steps)
    blend = make_blend(phases, config.data.transition, per_epoch, config.data.max_epochs, count, _spare(config))
    return _opened(config, manifest, cache, components, blend, steps, make)


def in_order(config: TrainConfig, order: str) -> TrainConfig:
    """The same stage with the order that its data were read in before."""
    return config.model_copy(update={"data": config.data.model_copy(update={"order": order})})


def _of_stage(config: TrainConfig) -> MakeSamples:
    from trainers.objectives.objective import objective_of  # an objective's file imports this room

    return objective_of(config).samples


def _by_epochs(
    config: TrainConfig,
    manifest: Manifest,
    cache: Path,
    components: dict[str, _Component],
    per_epoch: dict[str, int],
    make: MakeSamples,
) -> StageData:
    """Whole epochs: every component by its own size; the last step is filled from the epoch after."""
    wanted = round(float(config.schedule.epochs or 1) * sum(per_epoch.values()))
    steps = 1
    while config.batch.before(steps) < wanted:
        steps += 1
    sizes = [PlannedPhase(1.0, {name: float(count) for name, count in per_epoch.items()})]
    blend = make_blend(sizes, 0.0, per_epoch, None, config.batch.before(steps), _spare(config))
    return _opened(config, manifest, cache, components, blend, steps, make)


def _spare(config: TrainConfig) -> int:
    """Samples beyond the schedule that steps taken again after a rollback may need."""
    if config.spikes.action != "rollback":
        return 0
    return config.spikes.most * (config.checkpoint.every + 1) * config.batch.global_


def _steps_of_tokens(config: TrainConfig) -> int:
    assert config.schedule.tokens is not None
    steps = max(1, config.schedule.tokens // (config.batch.global_ * config.data.sequence_length))
    while config.batch.before(steps) * config.data.sequence_length < config.schedule.tokens:
        steps += 1
    return steps


def _whole(name: str, part: ComponentShards, kind: str, config: TrainConfig, folder: Path, digest: str) -> _Component:
    """All rows of a component for training."""
    without = config.model_copy(update={"data": config.data.model_copy(update={"validation": 0.0})})
    return _split(name, part, kind, without, folder, digest)


def _split(name: str, part: ComponentShards, kind: str, config: TrainConfig, folder: Path, digest: str) -> _Component:
    try:
        whole = ArrowTokens.open(name, [folder / shard.path for shard in part.shards])
    except CurateError as error:
        raise WrongCall(str(error)) from None
    count = len(whole)
    kept = round(config.data.validation * count)
    if config.data.validation and not kept and count >= FEWEST_FOR_VALIDATION:
        kept = 1
    cut = count - kept
    training = whole.part(f"{digest[:16]}/{name}/train-0-{cut}", 0, cut)
    validation = whole.part(f"{digest[:16]}/{name}/valid-{cut}-{count}", cut, count)
    enough = kept and (kind in PACKED or validation.sequence_lengths.sum() > config.data.sequence_length)
    if not enough:
        whole = whole.part(f"{digest[:16]}/{name}/train-0-{count}", 0, count)
        return _Component(_rows(whole, kind, config.data.sequence_length), None)
    return _Component(*(_rows(part, kind, config.data.sequence_length) for part in (training, validation)))


def _rows(tokens: ArrowTokens, kind: str, length: int) -> Rows:
    if kind in PACKED:
        packing = pack(tokens, length, pairs=kind == "preferences")
        return Rows(tokens, packing, len(packing), kind)
    if kind == "prompts":
        return Rows(tokens, None, len(tokens), kind)
    return Rows(tokens, None, max(0, (int(tokens.sequence_lengths.sum(dtype=np.int64)) - 1) // length))


def _opened(
    config: TrainConfig,
    manifest: Manifest,
    cache: Path,
    components: dict[str, _Component],
    blend: Blend,
    steps: int,
    make: MakeSamples,
) -> StageData:
    counts = np.bincount(blend.chosen, minlength=len(blend.names))
    settings = WindowSettings(
        config.data.sequence_length,
        config.seed,
        EndOfText(manifest.tokenizer.end_of_text_id, manifest.tokenizer.vocabulary),
        cache,
    )
    tags: list[str] = []
    opened: dict[str, Samples] = {}
    order = config.data.order or _order(config, blend, components)
    config = in_order(config, order)
    for name, count in zip(blend.names, counts, strict=True):
        rows = components[name].training
        opened[name] = make(rows, config, settings, int(count), "authority", len(tags))
        tags += [f"{name}|{grade}" for grade in rows.tokens.names("authority")]
    training = Blended(blend, opened, tags, manifest.tokenizer.vocabulary)
    return StageData(training, _validation(config, settings, components, make), steps, order)


def _order(config: TrainConfig, blend: Blend, components: dict[str, _Component]) -> Literal["megatron", "by_epoch"]:
    """By epoch where any component is read more than once; the filling of a last step is no second epoch."""
    counts = np.bincount(blend.chosen, minlength=len(blend.names))
    sizes = [components[name].training.per_epoch for name in blend.names]
    again = [count > size + config.batch.global_ for count, size in zip(counts, sizes, strict=True)]
    return "by_epoch" if any(again) else "megatron"


def _validation(
    config: TrainConfig, settings: WindowSettings, components: dict[str, _Component], make: MakeSamples
) -> Blended | None:
    """All held-out rows, component beside component by size; tokens are tagged with their source."""
    wanted = config.validation.batches * config.batch.global_
    tags: list[str] = []
    opened: dict[str, Samples] = {}
    sizes: dict[str, int] = {}
    for name, one in components.items():
        rows = one.validation
        if rows is None or not rows.per_epoch:
            continue
        sizes[name] = rows.per_epoch
        opened[name] = make(rows, config, settings, wanted, "source", len(tags))
        tags += [f"{name}|{source}" for source in rows.tokens.names("source")]
    if not sizes:
        return None
    shares = [PlannedPhase(1.0, {name: float(count) for name, count in sizes.items()})]
    blend = make_blend(shares, 0.0, sizes, None, wanted)
    return Blended(blend, opened, tags, settings.tokenizer.vocab_size)
