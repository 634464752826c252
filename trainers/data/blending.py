"""From the recipe's weights, phases, replay and caps to which sample of which component comes when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import WrongCall
from schemas.manifest import Manifest
from schemas.nearest import nearest
from tokenization.blending import blend
from trainers.stage import DataConfig

NO_CAP = np.iinfo(np.int64).max


@dataclass(frozen=True)
class PlannedPhase:
    """Weights by component (`mixture/component`) until a share of training."""

    until: float
    weights: dict[str, float]


def mixtures_of(data: DataConfig) -> list[str]:
    """Every mixture a stage draws from, the main one first."""
    names = [data.mixture, *(phase.mixture for phase in data.phases if phase.mixture)]
    return list(dict.fromkeys([*names, *([data.replay.mixture] if data.replay else [])]))


def check_mixtures(data: DataConfig, manifest: Manifest, where: Path) -> None:
    """Refuse mixtures that the manifest at `where` does not have."""
    for mixture in mixtures_of(data):
        check_mixture(mixture, manifest, where)


def check_mixture(mixture: str, manifest: Manifest, where: Path) -> None:
    """Refuse a mixture that the manifest at `where` does not have."""
    if mixture not in manifest.mixtures:
        raise WrongCall(f"{where} has no mixture '{mixture}'{nearest(mixture, list(manifest.mixtures))}")


def planned_phases(data: DataConfig, manifest: Manifest) -> list[PlannedPhase]:
    """The phases of a stage, weights normalised, replay mixed in; unknown components are refused by name."""
    if not data.phases:
        return [PlannedPhase(1.0, _weights(data, manifest, data.mixture, data.weights))]
    return [
        PlannedPhase(
            phase.until, _weights(data, manifest, phase.mixture or data.mixture, phase.weights or data.weights)
        )
        for phase in data.phases
    ]


def _weights(data: DataConfig, manifest: Manifest, mixture: str, wanted: dict[str, float]) -> dict[str, float]:
    own = _of_mixture(manifest, mixture, wanted)
    if data.replay is None:
        return own
    replayed = _of_mixture(manifest, data.replay.mixture, {})
    share = data.replay.share
    blended = {name: weight * (1 - share) for name, weight in own.items()}
    for name, weight in replayed.items():
        blended[name] = blended.get(name, 0.0) + weight * share
    return blended


def component_weights(manifest: Manifest, mixture: str, wanted: dict[str, float]) -> dict[str, float]:
    """Shares of a mixture's components, by the recipe's weights or the manifest's own."""
    parts = manifest.mixtures[mixture].components
    for name in wanted:
        if name not in parts:
            raise WrongCall(f"data.weights: mixture '{mixture}' has no component '{name}'{nearest(name, list(parts))}")
    weights = {name: wanted.get(name, 0.0) if wanted else part.weight for name, part in parts.items()}
    total = sum(weights.values())
    if total <= 0:
        raise WrongCall(f"mixture '{mixture}': all weights are zero")
    return {name: weight / total for name, weight in weights.items()}


def _of_mixture(manifest: Manifest, mixture: str, wanted: dict[str, float]) -> dict[str, float]:
    return {f"{mixture}/{name}": share for name, share in component_weights(manifest, mixture, wanted).items()}


@dataclass(frozen=True)
class Blend:
    """For each sample of training the component and the number within it; shape (samples,)."""

    names: list[str]
    chosen: npt.NDArray[np.int16]
    numbers: npt.NDArray[np.int64]
    ran_out: dict[str, int]

    def epochs(self, per_epoch: dict[str, int]) -> dict[str, float]:
        """How often each component's samples come."""
        counts = np.bincount(self.chosen, minlength=len(self.names))
        return {name: float(counts[i] / per_epoch[name]) for i, name in enumerate(self.names)}


def make_blend(
    phases: list[PlannedPhase],
    transition: float,
    per_epoch: dict[str, int],
    max_epochs: float | None,
    count: int,
    spare: int = 0,
) -> Blend:
    """Blend `count` samples, and `spare` more for steps that are taken again.

    Components without samples have no share, capped ones give theirs away.

    Raises:
        WrongCall: every component reached its cap before the end.
    """
    names = [name for name, samples in per_epoch.items() if samples]
    weights = np.array([[phase.weights.get(name, 0.0) for name in names] for phase in phases])
    ends = np.array([round(phase.until * count) for phase in phases], np.int64)
    caps = np.full(len(names), NO_CAP, np.int64)
    if max_epochs is not None:
        caps = np.array([max(1, round(max_epochs * per_epoch[name])) for name in names], np.int64)
    if not names or not weights.sum(axis=1).all():
        raise WrongCall(
            "a phase of the blend has no component with enough tokens for one sequence; "
            "shorten data.sequence_length or curate more"
        )
    chosen, numbers, filled, spent = blend(weights, ends, round(transition * count), caps, count + spare)
    if filled < count:
        raise WrongCall(
            f"with data.max_epochs {max_epochs:g} the data last for {filled} of {count} samples; "
            f"lower the schedule's length, raise data.max_epochs, or curate more"
        )
    return Blend(
        names,
        chosen[:filled],
        numbers[:filled],
        {name: int(at) for name, at in zip(names, spent, strict=True) if at >= 0},
    )
