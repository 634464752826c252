"""The recipe of one training stage: model, data, layout, batch, schedule. YAML, validated before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from endpoints.settings import Endpoint
from schemas.canonical import canonical_digest
from schemas.errors import WrongCall
from schemas.recipe import Name, Seed, Strict
from storage.yaml_files import read_yaml, validated
from trainers.model.config import Lora, ModelConfig
from trainers.preference.settings import DpoConfig, RewardConfig
from trainers.rl.settings import RlConfig


class Phase(Strict):
    """A part of training: until which share of it, on which mixture, with which weights by component."""

    until: float = Field(1.0, gt=0, le=1)
    mixture: str | None = None
    weights: dict[str, float] = {}


class Replay(Strict):
    """Another mixture beside the main one, so that what was learned before is not forgotten.

    Ibrahim et al. 2024 (Simple and Scalable Strategies to Continually Pre-train) find 5% enough
    for a weak shift of the data, and up to 50% for a strong one.
    """

    mixture: str
    share: float = Field(0.05, gt=0, lt=1)


class Appended(Strict):
    """More data for a run: another finished run of curation, drawn from the step at which it is first named."""

    name: Name
    run: str
    mixture: str | None = Field(None, description="of that run; the stage's own where it is absent")
    share: float = Field(gt=0, lt=1, description="of all samples from then on")
    weights: dict[str, float] = {}


def placeless(appended: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of appended data decides the weights: not where they lie; which they are stands in `train.json`."""
    return [{name: value for name, value in one.items() if name != "run"} for one in appended]


class DataConfig(Strict):
    """Which mixture of the manifest, how it is blended, and what is kept for validation."""

    mixture: str = "pretrain"
    sequence_length: int = Field(256, ge=8)
    validation: float = Field(0.02, ge=0, lt=1)
    weights: dict[str, float] = {}
    max_epochs: float | None = Field(None, gt=0)
    phases: list[Phase] = []
    transition: float = Field(0.0, ge=0, le=1)
    replay: Replay | None = None
    append: list[Appended] = []
    loss: Literal["assistant", "last"] = "assistant"
    prefetch: int = Field(4, ge=1)
    # None: by_epoch where documents are read more than once; runs of before there was a choice keep Megatron's order.
    order: Literal["megatron", "by_epoch"] | None = None

    @model_validator(mode="after")
    def _append_alone(self) -> DataConfig:
        names = [one.name for one in self.append]
        if len(set(names)) < len(names):
            raise ValueError("append: a name stands there twice")
        if self.append and self.phases:
            raise ValueError("append: data join at a step, and phases are shares of the whole length; give one of them")
        return self

    @field_validator("phases")
    @classmethod
    def _in_order(cls, value: list[Phase]) -> list[Phase]:
        ends = [phase.until for phase in value]
        if value and (ends != sorted(set(ends)) or ends[-1] != 1.0):
            raise ValueError("`until` must rise from phase to phase and end at 1.0")
        return value


class ParallelConfig(Strict):
    """Processes along each dimension; their product is the number of processes.

    `chunks`: parts of the model each pipeline stage holds (interleaved 1F1B where above 1).
    `sequence`: whether tensor-parallel ranks also share norms by sequence (Korthikanti et al. 2022).
    """

    tensor: int = Field(1, ge=1)
    pipeline: int = Field(1, ge=1)
    context: int = Field(1, ge=1)
    data: int = Field(1, ge=1)
    chunks: int = Field(1, ge=1)
    sequence: bool = True

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.tensor * self.pipeline * self.context * self.data


class Ramp(Strict):
    """The global batch until a step."""

    until: int = Field(ge=1)
    global_: int = Field(ge=1, alias="global")


class BatchConfig(Strict):
    """Sequences a micro-batch on one process, and sequences a step over all of them, smaller at first by `ramp`."""

    micro: int = Field(4, ge=1)
    global_: int = Field(16, ge=1, alias="global")
    ramp: list[Ramp] = []

    def at(self, step: int) -> int:
        """Sequences of a step, counted from 1."""
        return next((part.global_ for part in self.ramp if step <= part.until), self.global_)

    def before(self, step: int) -> int:
        """Sequences consumed by all steps up to and with `step`."""
        total, done = 0, 0
        for part in self.ramp:
            end = min(step, part.until)
            total += max(0, end - done) * part.global_
            done = max(done, end)
        return total + max(0, step - done) * self.global_


class ScheduleConfig(Strict):
    """How long (one of steps, tokens, epochs), linear warm-up, and decay to `min_learning_rate`.

    A continued stage warms up again from `start_learning_rate` (Gupta et al. 2023). `wsd` holds the
    rate and lets it fall over the last `decay_share` of steps (Hu et al. 2024).
    """

    steps: int | None = Field(None, ge=1)
    tokens: int | None = Field(None, ge=1)
    epochs: float | None = Field(None, gt=0)
    warmup: int = Field(0, ge=0)
    decay: Literal["cosine", "linear", "constant", "inverse-square-root", "wsd"] = "cosine"
    decay_share: float = Field(0.1, gt=0, le=1)
    learning_rate: float = Field(1e-3, ge=0)  # 0 looks at a stage without changing its model
    min_learning_rate: float = Field(1e-4, ge=0)
    start_learning_rate: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _one_length(self) -> ScheduleConfig:
        if [self.steps, self.tokens, self.epochs].count(None) != 2:
            raise ValueError("give one of `steps`, `tokens` and `epochs`")
        if self.steps is not None and self.warmup >= self.steps:
            raise ValueError(f"schedule.warmup ({self.warmup}) must be below schedule.steps")
        return self


class Group(Strict):
    """A factor on learning rate or weight decay for parameters whose name matches a pattern (`*embedding*`)."""

    match: str
    learning_rate: float = Field(1.0, gt=0)
    weight_decay: float | None = Field(None, ge=0)


class OptimizerSettings(Strict):
    """AdamW (Loshchilov and Hutter 2019) as Megatron's distributed optimizer runs it.

    Biases and norms have no weight decay unless a group says otherwise.
    """

    weight_decay: float = Field(0.1, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = Field(1e-8, gt=0)
    clip: float = Field(1.0, ge=0)
    groups: list[Group] = []


class SpikeConfig(Strict):
    """When a step counts as a spike, and what becomes of it.

    A step is one if loss or gradient norm is not finite, or lies above the median of the last `window`
    steps (for losses: of the same components) by `loss_factor` or `norm_factor`. PaLM skipped 200 to
    500 batches around spikes (Chowdhery et al. 2022, section 5.1). `rollback` goes back to the last
    checkpoint and on with later data; more than `most` spikes end the run.
    """

    action: Literal["skip", "rollback", "record", "stop"] = "skip"
    window: int = Field(50, ge=5)
    loss_factor: float = Field(2.0, gt=1)
    norm_factor: float = Field(20.0, gt=1)
    most: int = Field(20, ge=1)


class CheckpointConfig(Strict):
    """Save every n steps and at the end; keep the last k, and for ever each one at a multiple of `keep_every`."""

    every: int = Field(100, ge=1)
    keep: int = Field(2, ge=1)
    keep_every: int | None = Field(None, ge=1)
    asynchronous: bool = True


class ValidationConfig(Strict):
    """Validation loss every n steps over this many global batches."""

    every: int = Field(50, ge=1)
    batches: int = Field(4, ge=1)


class LogConfig(Strict):
    """What is written beside the JSON lines."""

    tensorboard: bool = True
    wandb: bool = False
    peak_flops: float | None = Field(None, gt=0)
    entropy: bool = False


class TrainConfig(Strict):
    """One stage of training."""

    name: Name
    stage: Literal[
        "pretrain", "cpt", "ift", "sft", "cold_start", "reward_model", "dpo", "rl_reasoning", "rl_alignment"
    ] = "pretrain"
    objective: str | None = None
    seed: Seed = 17
    precision: Literal["fp32", "bf16"] = "fp32"
    parent: str | None = None
    model: ModelConfig | None = None
    data: DataConfig = DataConfig()
    parallel: ParallelConfig = ParallelConfig()
    batch: BatchConfig = BatchConfig()
    schedule: ScheduleConfig
    optimizer: OptimizerSettings = OptimizerSettings()
    lora: Lora | None = None
    recompute: Literal["none", "attention", "full"] = "none"
    spikes: SpikeConfig = SpikeConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    validation: ValidationConfig = ValidationConfig()
    log: LogConfig = LogConfig()
    rl: RlConfig | None = None
    reward: RewardConfig | None = None
    dpo: DpoConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _own_part(cls, value: Any) -> Any:
        """A stage that learns from pairs has its part of the recipe also where it says nothing of it."""
        part = (
            {"reward_model": "reward", "dpo": "dpo"}.get(str(value.get("stage"))) if isinstance(value, dict) else None
        )
        return {**value, part: value.get(part) or {}} if part else value

    @model_validator(mode="after")
    def _pairs_fit(self) -> TrainConfig:
        for part, stage in (("reward", "reward_model"), ("dpo", "dpo")):
            if getattr(self, part) is not None and self.stage != stage:
                raise ValueError(f"`{part}` is a part of the stage {stage} alone")
        return self

    @model_validator(mode="after")
    def _rl_fits(self) -> TrainConfig:
        if (self.rl is not None) != self.stage.startswith("rl_"):
            raise ValueError("stages rl_reasoning and rl_alignment have a part `rl`, and no other stage has")
        if self.rl is None:
            return self
        if self.parallel.context > 1:
            if (self.rl.ratio, self.rl.aggregation) != ("token", "token"):
                raise ValueError("parallel.context above 1 cuts answers in pieces: rl.ratio and aggregation by token")
            if self.rl.served is not None and self.rl.served.importance != "token":
                raise ValueError("parallel.context above 1 cuts answers in pieces: rl.served.importance by token")
            if self.rl.scored_by:
                raise ValueError("reward models read whole answers: set parallel.context to 1")
        if self.schedule.steps is None:
            raise ValueError("rl: give the length as schedule.steps")
        rollouts = self.rl.groups * self.rl.samples
        if rollouts % self.batch.global_ or self.batch.ramp:
            raise ValueError(f"rl.groups x rl.samples ({rollouts}) must be a multiple of batch.global, without a ramp")
        return self

    @property
    def updates(self) -> int:
        """Optimizer steps that one batch of rollouts is learned in."""
        assert self.rl is not None
        return self.rl.epochs * self.rl.groups * self.rl.samples // self.batch.global_

    @model_validator(mode="after")
    def _append_fits(self) -> TrainConfig:
        if self.data.append and self.rl is not None:
            raise ValueError("data.append: reinforcement learning asks its prompts in rounds, to which none can join")
        if self.data.append and self.schedule.epochs is not None:
            raise ValueError("data.append: give schedule.steps or tokens; epochs of what joins are not known before")
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> TrainConfig:
        per_micro = self.batch.micro * self.parallel.data
        for size in {self.batch.global_, *(part.global_ for part in self.batch.ramp)}:
            if size % per_micro:
                raise ValueError(
                    f"batch.global ({size}) must be divisible by batch.micro x parallel.data ({per_micro})"
                )
        return self

    def micro_batches(self, step: int) -> int:
        """Micro-batches of a step on one data-parallel rank."""
        return self.batch.at(step) // (self.batch.micro * self.parallel.data)

    @property
    def whole_micro_batches(self) -> int:
        """Micro-batches of a full batch, the ramp behind it, on one data-parallel rank."""
        return self.batch.global_ // (self.batch.micro * self.parallel.data)

    def trajectory_digest(self) -> str:
        """Digest of everything that decides the weights; layout, logging and saving do not."""
        decides = {"stage", "seed", "precision", "model", "data", "schedule", "optimizer", "lora", "spikes"}
        kept: dict[str, Any] = self.model_dump(mode="json", include=decides)
        if self.data.order is None:
            del kept["data"]["order"]
        if appended := placeless(kept["data"].pop("append")):
            kept["data"]["append"] = appended
        if self.objective is not None:  # absent, it is the stage's own, as it was before objectives had names
            kept["objective"] = self.objective
        if self.rl is not None:
            # Where a reward model lies decides nothing; which it is stands in `trainers.start.trajectory_digest`.
            places: dict[str, Any] = {"reward_models": {"__all__": {"path"}}, "gold": {"path"}}
            left_out: dict[str, Any] = (
                dict.fromkeys(("slots", "judges", "held_out_prompts", "gold_window", "hang_seconds"), True) | places
            )
            # What a server is told to do decides, and not where it is.
            left_out["served"] = True if self.rl.served is None else set(Endpoint.model_fields) | {"weights"}
            left_out |= {} if self.rl.scales else {"scales": True}
            kept["rl"] = self.rl.model_dump(mode="json", exclude=left_out)
        for part in ("reward", "dpo"):
            if (found := getattr(self, part)) is not None:
                kept[part] = found.model_dump(mode="json")
        kept["batch"] = self.batch.model_dump(mode="json", exclude={"micro"})
        return canonical_digest(kept)


def load_stage(path: Path) -> TrainConfig:
    """The validated stage recipe at `path`; anything wrong is a `WrongCall` with file and line."""
    return validated(TrainConfig, read_yaml(path), path)


def check_layout(config: TrainConfig, model: ModelConfig) -> None:
    """Refuse a layout that this model cannot have, naming the nearest that it can."""
    parallel = config.parallel
    for name, value in (("heads", model.heads), ("kv_heads", model.kv_heads), ("ffn", model.ffn)):
        _divides("parallel.tensor", parallel.tensor, f"model.{name}", value)
    _divides("parallel.pipeline x parallel.chunks", parallel.pipeline * parallel.chunks, "model.layers", model.layers)
    split = (2 * parallel.context if parallel.context > 1 else 1) * (parallel.tensor if parallel.sequence else 1)
    _divides(
        "the split of a sequence (2 x context, x tensor)", split, "data.sequence_length", config.data.sequence_length
    )
    if parallel.chunks > 1:
        if parallel.pipeline == 1:
            raise WrongCall("parallel.chunks above 1 needs parallel.pipeline of at least 2; set chunks: 1")
        for step in {1, *(part.until + 1 for part in config.batch.ramp)}:
            count = config.micro_batches(step)
            if count % parallel.pipeline:
                nearest = _nearest_multiple(
                    config.batch.at(step), config.batch.micro * parallel.data * parallel.pipeline
                )
                raise WrongCall(
                    f"interleaved stages need micro-batches in multiples of parallel.pipeline ({parallel.pipeline}), "
                    f"and step {step} has {count}; the nearest batch.global is {nearest}"
                )


def _divides(name: str, divisor: int, what: str, value: int) -> None:
    if value % divisor:
        possible = [n for n in range(1, value + 1) if value % n == 0]
        near = sorted(sorted(possible, key=lambda n: abs(n - divisor))[:3])
        raise WrongCall(
            f"{what} ({value}) must be divisible by {name} ({divisor}); nearest that do: {', '.join(map(str, near))}"
        )


def _nearest_multiple(value: int, of: int) -> int:
    return max(of, round(value / of) * of)
