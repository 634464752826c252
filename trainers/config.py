"""A training recipe: model, data, layout, batch, schedule. YAML, validated before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from schemas.files import canonical_digest
from schemas.recipe import Strict
from schemas.recipe_file import read_yaml, validated


class ModelConfig(Strict):
    """A decoder with rotary positions, RMSNorm, SwiGLU and grouped queries."""

    layers: int = Field(4, ge=1)
    hidden: int = Field(256, ge=8)
    heads: int = Field(8, ge=1)
    kv_heads: int = Field(2, ge=1)
    ffn: int = Field(688, ge=8)
    sequence_length: int = Field(256, ge=8)
    rotary_base: int = 10_000
    tie_embeddings: bool = True
    norm_epsilon: float = 1e-6
    init_std: float = 0.02

    @model_validator(mode="after")
    def _divisible(self) -> ModelConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be divisible by heads ({self.heads})")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be divisible by kv_heads ({self.kv_heads})")
        return self


class DataConfig(Strict):
    """Which mixture of the manifest, and the share of each component's documents kept for validation."""

    mixture: str = "pretrain"
    validation: float = Field(0.02, ge=0, lt=1)
    prefetch: int = Field(4, ge=1)


class ParallelConfig(Strict):
    """Processes along each dimension; their product is the number of processes."""

    tensor: int = Field(1, ge=1)
    pipeline: int = Field(1, ge=1)
    data: int = Field(1, ge=1)

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.tensor * self.pipeline * self.data


class BatchConfig(Strict):
    """Sequences a micro-batch on one process, and sequences a step over all of them."""

    micro: int = Field(4, ge=1)
    global_: int = Field(16, ge=1, alias="global")


class ScheduleConfig(Strict):
    """Steps, linear warm-up, and decay to `min_learning_rate`."""

    steps: int = Field(ge=1)
    warmup: int = Field(0, ge=0)
    decay: Literal["cosine", "linear", "constant", "inverse-square-root"] = "cosine"
    learning_rate: float = Field(1e-3, gt=0)
    min_learning_rate: float = Field(1e-4, ge=0)


class OptimizerSettings(Strict):
    """AdamW (Loshchilov and Hutter 2019) as Megatron's distributed optimizer runs it."""

    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    clip: float = Field(1.0, ge=0)


class CheckpointConfig(Strict):
    """Save every n steps and at the end; keep the last k."""

    every: int = Field(100, ge=1)
    keep: int = Field(2, ge=1)


class ValidationConfig(Strict):
    """Validation loss every n steps over this many global batches."""

    every: int = Field(50, ge=1)
    batches: int = Field(4, ge=1)


class TrainConfig(Strict):
    """One stage of training."""

    name: str
    stage: Literal["pretrain"] = "pretrain"
    seed: int = 17
    precision: Literal["fp32", "bf16"] = "fp32"
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    parallel: ParallelConfig = ParallelConfig()
    batch: BatchConfig = BatchConfig()
    schedule: ScheduleConfig
    optimizer: OptimizerSettings = OptimizerSettings()
    checkpoint: CheckpointConfig = CheckpointConfig()
    validation: ValidationConfig = ValidationConfig()

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        per_step = self.batch.micro * self.parallel.data
        if self.batch.global_ % per_step:
            raise ValueError(
                f"batch.global ({self.batch.global_}) must be divisible by batch.micro x parallel.data ({per_step})"
            )
        for name, value in (("heads", self.model.heads), ("kv_heads", self.model.kv_heads), ("ffn", self.model.ffn)):
            if value % self.parallel.tensor:
                raise ValueError(
                    f"model.{name} ({value}) must be divisible by parallel.tensor ({self.parallel.tensor})"
                )
        if self.model.layers % self.parallel.pipeline:
            raise ValueError(
                f"model.layers ({self.model.layers}) must be divisible by parallel.pipeline ({self.parallel.pipeline})"
            )
        if self.schedule.warmup >= self.schedule.steps:
            raise ValueError(f"schedule.warmup ({self.schedule.warmup}) must be below schedule.steps")
        return self

    @property
    def micro_batches(self) -> int:
        """Micro-batches a step on one data-parallel rank."""
        return self.batch.global_ // (self.batch.micro * self.parallel.data)

    def trajectory_digest(self) -> str:
        """Digest of everything that decides the weights; layout, logging and saving do not."""
        kept = self.model_dump(mode="json", include={"stage", "seed", "model", "data", "schedule", "optimizer"})
        kept["global_batch"] = self.batch.global_
        kept["precision"] = self.precision
        return canonical_digest(kept)


def load_train_config(path: Path) -> TrainConfig:
    """The validated training recipe at `path`; anything wrong is a `WrongCall` with file and line."""
    return validated(TrainConfig, read_yaml(path), path)
