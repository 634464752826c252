"""Several stages one after the other, each starting from the one before; what is done is not done again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from schemas.errors import WrongCall
from schemas.recipe import Name, Strict
from storage.json_files import read_json
from storage.yaml_files import read_yaml, validated
from trainers.loop.position import latest, read_position
from trainers.rl.settings import RewardModelUse, RlConfig
from trainers.stage import TrainConfig, load_stage


class Link(Strict):
    """A stage of a chain: its recipe's file beside the chain's, and what it starts from.

    `parent`: a stage named earlier, or a folder; without one, the stage before, and the first
    starts from its own recipe's parent.
    """

    recipe: str
    parent: str | None = None


class ChainConfig(Strict):
    """Stages in order."""

    name: Name
    stages: list[Link] = Field(min_length=1)

    @field_validator("stages", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return [{"recipe": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class PlannedStage:
    """A stage with its place on disk and its parent's."""

    config: TrainConfig
    out: Path

    def done(self) -> bool:
        """Whether its last step is saved."""
        newest = latest(self.out)
        settings = self.out / "train.json"
        if newest is None or not settings.exists():
            return False
        return read_position(newest).step >= int(read_json(settings)["total_steps"])


def is_chain(path: Path) -> bool:
    """Whether a recipe names stages rather than being one."""
    raw = read_yaml(path)
    return isinstance(raw, dict) and "stages" in raw


def plan_chain(path: Path, out: Path, first_parent: Path | None = None) -> list[PlannedStage]:
    """The stages of a chain with their folders under `out`; wrong recipes and parents are refused before any runs."""
    chain = validated(ChainConfig, read_yaml(path), path)
    planned: list[PlannedStage] = []
    for link in chain.stages:
        config = load_stage(path.parent / link.recipe)
        if any(one.config.name == config.name for one in planned):
            raise WrongCall(f"{path}: two stages are called '{config.name}'")
        parent = _parent(link, config, planned, first_parent)
        config = config.model_copy(update={"parent": parent, "rl": _judged_by(config, planned)})
        planned.append(PlannedStage(config, out / config.name))
    return planned


def _judged_by(config: TrainConfig, planned: list[PlannedStage]) -> RlConfig | None:
    """The stage's part on reinforcement learning, reward models that are earlier stages found by their names."""
    if config.rl is None:
        return None
    folders = {one.config.name: str(one.out) for one in planned}

    def found(use: RewardModelUse) -> RewardModelUse:
        return use.model_copy(update={"path": folders.get(use.path, use.path)})

    gold = found(config.rl.gold) if isinstance(config.rl.gold, RewardModelUse) else config.rl.gold
    return config.rl.model_copy(update={"reward_models": [found(use) for use in config.rl.reward_models], "gold": gold})


def _parent(link: Link, config: TrainConfig, planned: list[PlannedStage], first_parent: Path | None) -> str | None:
    if link.parent is not None:
        named = next((one for one in planned if one.config.name == link.parent), None)
        return str(named.out) if named else link.parent
    if planned:
        return str(planned[-1].out)
    return str(first_parent) if first_parent else config.parent
