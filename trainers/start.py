"""What a stage starts from: drawn weights, a Hugging Face folder, or an earlier stage's checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from schemas.canonical import canonical_digest
from schemas.errors import WrongCall
from schemas.manifest import Manifest
from storage.fingerprints import sha256_file
from storage.json_files import write_json
from storage.publishing import copy_file, write_text
from tokenization.chat_template import ChatTemplate, end_of_turn, stored_template
from tokenization.marks import CONFIG_FILE, named_tokens, read_config
from tokenization.tokenizer import load_tokenizer
from trainers.loop.position import latest, read_position
from trainers.model.card import CARD, GENERATION_FILE, TEMPLATE_FILE, ModelCard, read_card
from trainers.model.config import ModelConfig
from trainers.stage import TrainConfig, check_layout

if TYPE_CHECKING:
    from trainers.model.hf_folder import HfFolder

DRAWN = ModelConfig()
SPOKEN = (
    "ift",
    "sft",
    "cold_start",
    "reward_model",
    "dpo",
    "rl_reasoning",
    "rl_alignment",
)  # stages that learn conversations


@dataclass(frozen=True)
class Start:
    """Kind and place of the first weights, and the model they are of."""

    kind: Literal["drawn", "hf", "checkpoint"]
    model: ModelConfig
    vocabulary: int
    folder: Path | None
    parents: list[str]
    hf: HfFolder | None = None
    stage: str | None = None  # of the checkpoint


def find_start(config: TrainConfig, manifest: Manifest) -> Start:
    """Look at the parent (never load it) and check that model, layout, tokenizer and template fit together."""
    start = _start(config, manifest)
    check_layout(config, start.model)
    return start


def _start(config: TrainConfig, manifest: Manifest) -> Start:
    if config.parent is None:
        return Start("drawn", config.model or DRAWN, manifest.tokenizer.vocabulary, None, [])
    folder = Path(config.parent)
    if (folder / CARD).exists():
        return _from_stage(config, manifest, folder)
    if not folder.is_dir():
        raise WrongCall(f"parent {folder} does not exist")
    from trainers.model.hf_folder import HfFolder  # brings torch, which most calls of this need not wait for

    hf = HfFolder(folder)
    if hf.vocabulary < manifest.tokenizer.vocabulary:
        raise WrongCall(
            f"{folder} has a vocabulary of {hf.vocabulary}, the manifest's tokenizer one of "
            f"{manifest.tokenizer.vocabulary}; curate with the model's own tokenizer (tokenizer: {{file: …}})"
        )
    tokenizer = folder / "tokenizer.json"
    # Another beginning of documents was asked for: the run's file differs from the given one in that alone.
    known = {manifest.tokenizer.digest, *manifest.inputs.get("tokenizer.file", {}).values()}
    if tokenizer.exists() and sha256_file(tokenizer) not in known:
        raise WrongCall(
            f"{tokenizer} is not the manifest's tokenizer; curate with it (tokenizer: {{file: {tokenizer}}})"
        )
    _same_model(config, hf.model, folder)
    return Start("hf", hf.model, hf.vocabulary, folder, [f"hf:{sha256_file(folder / 'config.json')}"], hf)


def _from_stage(config: TrainConfig, manifest: Manifest, folder: Path) -> Start:
    card = read_card(folder)
    if card.tokenizer_digest != manifest.tokenizer.digest:
        raise WrongCall(f"parent {folder} was trained with another tokenizer than the manifest's")
    template = manifest.conversations.template_digest if manifest.conversations else None
    if card.template_digest and template and card.template_digest != template:
        raise WrongCall(f"parent {folder} was trained with another chat template than the manifest's")
    _same_model(config, card.model, folder)
    if card.stage == "reward_model" and (config.reward is None or config.reward.aspects != card.aspects):
        raise WrongCall(
            f"parent {folder} is a reward model of {', '.join(card.aspects)}; only one of the same aspects goes on "
            "from it"
        )
    if card.lora is not None:
        raise WrongCall(
            f"parent {folder} holds LoRA adapters; merge them first: curate export model {folder} --to MERGED, "
            "then parent: MERGED"
        )
    newest = latest(folder)
    if newest is None:
        raise WrongCall(f"parent {folder} has no whole checkpoint yet")
    told = read_position(newest)
    trained = f"{folder.name}@{told.step}:{told.trajectory_digest[:16]}:{told.manifest_digest[:16]}"
    return Start("checkpoint", card.model, card.vocabulary, folder, [*card.parents, trained], stage=card.stage)


def _same_model(config: TrainConfig, found: ModelConfig, folder: Path) -> None:
    if config.model is not None and config.model != found:
        differing = [key for key in type(found).model_fields if getattr(found, key) != getattr(config.model, key)]
        raise WrongCall(f"model.{differing[0]} of the recipe is not that of its parent {folder}; leave `model` out")


def scored_by(config: TrainConfig) -> list[str]:
    """Which reward models a stage is rewarded by, wherever they lie."""
    told = []
    for use in config.rl.scored_by if config.rl else ():
        newest = latest(Path(use.path))
        if newest is None:
            raise WrongCall(f"reward model {use.path} has no whole checkpoint")
        at = read_position(newest)
        told.append(f"reward:{at.step}:{at.trajectory_digest[:16]}:{at.manifest_digest[:16]}")
    return told


def trajectory_digest(config: TrainConfig, start: Start) -> str:
    """Digest of everything that decides the weights: recipe, model and what they start from."""
    told = [config.trajectory_digest(), start.model.model_dump(mode="json"), start.parents]
    rewards = scored_by(config)
    return canonical_digest([*told, *([rewards] if rewards else [])])


def write_card(
    out: Path, config: TrainConfig, start: Start, manifest: Manifest, folder: Path, appended: Sequence[str] = ()
) -> None:
    """Write `model.json`, and copy tokenizer and chat template, beside the checkpoints.

    `appended`: digests of the manifests whose data joined those of `manifest`.
    """
    talks = manifest.conversations if config.stage in SPOKEN else None
    source, target = folder / manifest.tokenizer.file, out / "tokenizer"
    copy_file(source, target / source.name)
    if (source.parent / CONFIG_FILE).exists():
        copy_file(source.parent / CONFIG_FILE, target / CONFIG_FILE)
    template_digest = talks.template_digest if talks else None
    if talks:
        copy_file(folder / talks.template_file, target / TEMPLATE_FILE)
    elif start.folder is not None:
        template_digest = _keep_template(start.folder, target)
    if start.folder is not None:
        _keep_generation(start.folder, target)
    template = stored_template(target)
    card = ModelCard(
        model=start.model,
        vocabulary=start.vocabulary,
        tokenizer_digest=manifest.tokenizer.digest,
        end_of_text=manifest.tokenizer.end_of_text,
        end_of_turn=end_of_turn(template, load_tokenizer(source)) if template else None,
        template_digest=template_digest,
        lora=config.lora,
        aspects=config.reward.aspects if config.reward else [],
        stage=config.stage,
        sequence_length=config.data.sequence_length,
        manifest_digest=manifest.digest,
        parents=[*start.parents, *(f"data:{digest[:16]}" for digest in appended), *scored_by(config)],
    )
    write_json(out / CARD, card.model_dump(mode="json"))


def _keep_template(parent: Path, target: Path) -> str | None:
    """A stage that learns no conversations leaves its parent's chat template as it was; returns its digest."""
    if (parent / CARD).exists():
        told = read_card(parent).template_digest
        for name in (TEMPLATE_FILE, CONFIG_FILE) if told else ():
            if (parent / "tokenizer" / name).exists():
                copy_file(parent / "tokenizer" / name, target / name)
        return told
    config = read_config(parent / CONFIG_FILE)
    written = parent / TEMPLATE_FILE
    template = written.read_text(encoding="utf-8") if written.is_file() else config.get("chat_template")
    if not isinstance(template, str) or not template:
        return None
    write_text(target / TEMPLATE_FILE, template)
    named = named_tokens(config)
    write_json(target / CONFIG_FILE, {**read_config(target / CONFIG_FILE), **named})
    return ChatTemplate(TEMPLATE_FILE, template, named).digest


def _keep_generation(parent: Path, target: Path) -> None:
    """How a parent samples and where it ends, for the export."""
    folder = parent / "tokenizer" if (parent / CARD).exists() else parent
    if (folder / GENERATION_FILE).is_file():
        copy_file(folder / GENERATION_FILE, target / GENERATION_FILE)
