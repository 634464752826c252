"""From a training step to its documents, and from a document to the steps that saw it.

Nothing is searched: the step's record tells which samples it took, the blend which component each
came from, Megatron's indices (kept beside the model) which rows; and a document's rows follow from
its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import WrongCall
from schemas.manifest import Manifest, load_manifest
from storage.json_files import read_json
from tokenization.places import Place
from trainers.data.appended import Joined, open_appended
from trainers.data.datasets import StageData, in_order, stage_data
from trainers.loop.records import read_log, record_of_step
from trainers.stage import TrainConfig


@dataclass(frozen=True)
class TrainedOn:
    """A trained model with the data it was trained on, opened again."""

    model: Path
    config: TrainConfig
    manifest: Manifest
    folder: Path
    data: StageData
    appended: list[Joined]

    @classmethod
    def open(cls, model: Path, manifest_path: Path | None) -> TrainedOn:
        """Open by what the model's folder says of its run; `manifest_path` where it has moved since."""
        told = read_json(model / "train.json") if (model / "train.json").exists() else None
        if told is None:
            raise WrongCall(f"{model} is no trained model: train.json is missing")
        joined = told.get("appended", [])
        where = manifest_path or Path(told["manifest"])
        manifest = load_manifest(where)
        if manifest.digest in {one["manifest_digest"] for one in joined}:  # asked of what was appended
            where = Path(told["manifest"])
            manifest = load_manifest(where)
        if manifest.digest != told["manifest_digest"]:
            raise WrongCall(
                f"{where} is not the manifest that {model} was trained on ({told['manifest_digest'][:12]}); "
                "name the right run's folder"
            )
        config = TrainConfig.model_validate(told["stage"])
        folder = where if where.is_dir() else where.parent
        ordered = in_order(config, told.get("order", "megatron"))
        appended = open_appended(config.data, manifest, joined, 0)
        data = stage_data(ordered, manifest, folder, model / "dataset-cache", None, appended)
        return cls(model, config, manifest, folder, data, appended)

    @property
    def runs(self) -> list[tuple[Path, Manifest]]:
        """Folders and manifests of all runs of curation that it was trained on."""
        return [(self.folder, self.manifest), *((one.folder, one.manifest) for one in self.appended)]

    def documents_of_step(self, step: int) -> list[dict[str, Any]]:
        """Component, document and sample of every row in a step's batch."""
        record = record_of_step(self.model / "log.jsonl", step)
        if record is None:
            last = read_log(self.model / "log.jsonl")[-1:] or [{"step": 0}]
            raise WrongCall(f"{self.model} has no step {step}; its last is {last[0]['step']}")
        first, found = record["first_sample"], []
        for index in range(first, first + record["batch"]):
            for component, document in self.data.training.documents(index):
                found.append({"sample": index, "component": component, "document": document})
        return found

    def _name(self, place: Place, run: Path) -> str:
        """The component that training draws a place of a run from."""
        found = [one for one in self.appended if one.folder.resolve() == run.resolve() and one.mixture == place.mixture]
        return f"{found[0].wanted.name if found else place.mixture}/{place.component}"

    def steps_of_document(self, places: list[Place], run: Path | None = None) -> list[int]:
        """Steps taken so far whose batch holds any part of a document of a run, unless said the stage's own."""
        samples: list[int] = []
        blend = self.data.training.blend
        for place in places:
            name = self._name(place, run or self.folder)
            if name not in self.data.training.components or self._is_held_out(place, name):
                continue
            component = self.data.training.components[name]
            mine = np.flatnonzero(blend.chosen == blend.names.index(name))
            numbers = component.numbers_of_row(place.component_row, int(blend.numbers[mine].max(initial=0)) + 1)
            samples += mine[np.isin(blend.numbers[mine], numbers)].tolist()
        return self._steps(sorted(set(samples)))

    def held_out(self, places: list[Place], run: Path | None = None) -> list[str]:
        """Components whose rows of a document are held out for validation: no step will ever see them."""
        named = {self._name(place, run or self.folder): place for place in places}
        return sorted(name for name, place in named.items() if self._is_held_out(place, name))

    def _is_held_out(self, place: Place, name: str) -> bool:
        component = self.data.training.components.get(name)
        return component is not None and place.component_row >= len(component.tokens)

    def _steps(self, samples: list[int]) -> list[int]:
        records = read_log(self.model / "log.jsonl")
        starts = np.array([record["first_sample"] for record in records], np.int64)
        steps: set[int] = set()
        for sample in samples:
            place = int(np.searchsorted(starts, sample, side="right")) - 1
            if place >= 0 and sample < starts[place] + records[place]["batch"]:
                steps.add(int(records[place]["step"]))
        return sorted(steps)
