"""More data for a run that goes on: another finished run of curation, under a name, from a sample on.

What was drawn before stays what it was: the components of a run keep their order, and those that join are drawn from
the sample at which they were first named. Where that was stands in `train.json`, so that it is the same when the
run goes on again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import WrongCall
from schemas.manifest import Manifest, load_manifest
from trainers.data.blending import PlannedPhase, check_mixture, component_weights
from trainers.stage import Appended, DataConfig


@dataclass(frozen=True)
class Joined:
    """Appended data, opened: where they lie, and the sample of training from which they are drawn."""

    wanted: Appended
    mixture: str
    manifest: Manifest
    folder: Path
    first_sample: int

    def weights(self) -> dict[str, float]:
        """Shares of its components, `name/component`, which add up to 1."""
        own = component_weights(self.manifest, self.mixture, self.wanted.weights)
        return {f"{self.wanted.name}/{name}": share for name, share in own.items()}

    def told(self) -> dict[str, Any]:
        """What `train.json` keeps."""
        place = {"manifest": str(self.folder.resolve()), "manifest_digest": self.manifest.digest}
        return {"name": self.wanted.name, "mixture": self.mixture, **place, "first_sample": self.first_sample}


def open_appended(
    data: DataConfig, manifest: Manifest, recorded: Iterable[Mapping[str, Any]], position: int
) -> list[Joined]:
    """The data that a stage appends to those of its manifest; names that are not `recorded` join at sample `position`.

    Raises:
        WrongCall: data of another tokenizer, template or kind, or others than were appended under the name before.
    """
    known = {one["name"]: one for one in recorded}
    return [_opened(one, data, manifest, known.get(one.name), position) for one in data.append]


def _opened(
    wanted: Appended, data: DataConfig, manifest: Manifest, recorded: Mapping[str, Any] | None, position: int
) -> Joined:
    what = f"data.append '{wanted.name}'"
    if wanted.name in manifest.mixtures:
        raise WrongCall(f"{what}: the manifest has a mixture of this name; choose another")
    where = Path(wanted.run)
    if recorded is not None and not where.exists():  # named from another folder, as when it is traced
        where = Path(recorded["manifest"])
    found = load_manifest(where)
    if recorded is not None and recorded["manifest_digest"] != found.digest:
        raise WrongCall(
            f"{what}: {where} has the digest {found.digest[:12]}, and what was appended under this name "
            f"{recorded['manifest_digest'][:12]}; give new data a name of their own"
        )
    if found.tokenizer.digest != manifest.tokenizer.digest:
        raise WrongCall(f"{what}: {where} was written with another tokenizer than the stage's manifest")
    mixture = wanted.mixture or data.mixture
    check_mixture(mixture, found, where)
    if found.mixtures[mixture].kind != manifest.mixtures[data.mixture].kind:
        raise WrongCall(
            f"{what}: mixture '{mixture}' holds {found.mixtures[mixture].kind}, the stage's holds "
            f"{manifest.mixtures[data.mixture].kind}"
        )
    templates = [one.conversations.template_digest if one.conversations else None for one in (manifest, found)]
    if found.mixtures[mixture].kind != "documents" and templates[0] != templates[1]:
        raise WrongCall(f"{what}: {where} was written with another chat template than the stage's manifest")
    first = int(recorded["first_sample"]) if recorded else position
    return Joined(wanted, mixture, found, where if where.is_dir() else where.parent, first)


def phases_with(base: PlannedPhase, appended: Sequence[Joined], count: int) -> list[PlannedPhase]:
    """The blend of `count` samples: each that joins takes its share of all that was drawn before."""
    starts = sorted({0, *(one.first_sample for one in appended if one.first_sample < count)})
    return [
        PlannedPhase(end / count, _weights(base, [one for one in appended if one.first_sample <= start]))
        for start, end in zip(starts, [*starts[1:], count], strict=True)
    ]


def _weights(base: PlannedPhase, joined: Sequence[Joined]) -> dict[str, float]:
    weights = base.weights
    for one in joined:
        weights = {name: weight * (1 - one.wanted.share) for name, weight in weights.items()}
        weights |= {name: weight * one.wanted.share for name, weight in one.weights().items()}
    return weights
