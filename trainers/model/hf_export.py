"""A trained model as a Hugging Face folder: safetensors with an index, configuration, tokenizer, chat template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors.torch import save_file

from schemas.errors import WrongCall
from storage.json_files import read_json, write_json
from storage.places import make_folder, remove_tree, rename
from storage.publishing import copy_file
from tokenization.marks import CONFIG_FILE, marks_around, named_tokens, read_config
from tokenization.tokenizer import load_tokenizer
from trainers.loop.position import latest, read_position
from trainers.model.card import GENERATION_FILE, TEMPLATE_FILE, ModelCard, read_card
from trainers.model.families import to_hf_config, weights_of
from trainers.model.parts import hf_parts
from trainers.model.reward_head import HEAD
from trainers.model.saved_weights import SavedWeights

FILE_BYTES: Final = 5 << 30
Dtype = Literal["float32", "bfloat16", "float16"]


def newest_checkpoint(model: Path) -> Path:
    """The newest whole checkpoint of a trained model; having none is refused."""
    found = latest(model)
    if found is None:
        raise WrongCall(f"{model} has no whole checkpoint yet")
    read_position(found)
    return found


def hf_tensors(card: ModelCard, checkpoint: Path, untied: bool = False) -> Iterator[tuple[str, torch.Tensor]]:
    """Hugging Face tensors one after the other; LoRA updates are merged into the weights they belong to.

    `untied`: a matrix that is embedding and output in one is given twice.
    """
    saved = SavedWeights(checkpoint)
    for weight in weights_of(card.model).values():
        if card.aspects and weight.name == "output_layer.weight":
            continue  # its place is the reward head's
        whole = saved.read(weight.name)
        adapter = weight.name.removesuffix("weight")
        if card.lora is not None and weight.name.endswith(".weight") and adapter + "lora_up" in saved:
            up, down = saved.read(adapter + "lora_up"), saved.read(adapter + "lora_down")
            scale = card.lora.alpha / card.lora.rank
            whole = (whole.double() + scale * (up.double() @ down.double())).to(whole.dtype)
        parts = hf_parts(weight, card.model, whole, card.vocabulary)
        yield from parts.items()
        if untied and weight.name == "embedding.word_embeddings.weight" and card.model.tie_embeddings:
            yield "lm_head.weight", next(iter(parts.values())).clone()
    if card.aspects:
        yield "score.weight", saved.read(f"output_layer.{HEAD}")


def export_hf(
    model: Path, to: Path, dtype: Dtype | None = None, checkpoint: Path | None = None, untied: bool = False
) -> list[Path]:
    """Write the newest (or the given) checkpoint of `model` into the folder `to`; returns its files.

    `untied`: for servers that reload an output matrix only where it is a tensor of its own.
    """
    if to.exists() and any(to.iterdir()):
        raise WrongCall(f"{to} is not empty; choose another folder")
    card = read_card(model)
    source = checkpoint or newest_checkpoint(model)
    temporary = to.with_name(f".{to.name}.part")
    remove_tree(temporary)
    make_folder(temporary)
    written = _write_tensors(hf_tensors(card, source, untied), temporary, getattr(torch, dtype) if dtype else None)
    config = _config(card, written)
    write_json(temporary / "config.json", {**config, "tie_word_embeddings": False} if untied else config)
    _write_tokenizer(model, card, temporary)
    if to.exists():
        remove_tree(to)
    rename(temporary, to)
    return sorted(to.iterdir())


def _config(card: ModelCard, written: str) -> dict[str, Any]:
    """A reward model is a classifier of sequences to transformers, with a label for each aspect."""
    config = to_hf_config(card.model, card.vocabulary, card.sequence_length, written)
    if card.aspects:
        config["architectures"] = [
            one.replace("ForCausalLM", "ForSequenceClassification") for one in config["architectures"]
        ]
        names = dict(enumerate(card.aspects))
        config.update(num_labels=len(names), id2label=names, label2id={name: at for at, name in names.items()})
    return config


def _write_tensors(tensors: Iterator[tuple[str, torch.Tensor]], folder: Path, dtype: torch.dtype | None) -> str:
    """Files of at most `FILE_BYTES`, an index over them; returns the type of the weights."""
    files: list[dict[str, torch.Tensor]] = [{}]
    names: list[list[str]] = []
    size = total = 0
    kind = "float32"
    for name, tensor in tensors:
        tensor = tensor.to(dtype) if dtype else tensor
        kind = str(tensor.dtype).removeprefix("torch.")
        if size + tensor.nbytes > FILE_BYTES and files[0]:
            names.append(_flush(files[0], folder, len(names)))
            size = 0
        files[0][name] = tensor
        size, total = size + tensor.nbytes, total + tensor.nbytes
    names.append(_flush(files[0], folder, len(names)))
    _name_files(folder, names, total)
    return kind


def _flush(tensors: dict[str, torch.Tensor], folder: Path, number: int) -> list[str]:
    save_file(tensors, str(folder / f"part-{number}.safetensors"), metadata={"format": "pt"})
    names = list(tensors)
    tensors.clear()
    return names


def _name_files(folder: Path, names: list[list[str]], total: int) -> None:
    if len(names) == 1:
        rename(folder / "part-0.safetensors", folder / "model.safetensors")
        return
    places = {}
    for number, some in enumerate(names):
        file = f"model-{number + 1:05d}-of-{len(names):05d}.safetensors"
        rename(folder / f"part-{number}.safetensors", folder / file)
        places.update(dict.fromkeys(some, file))
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def _write_tokenizer(model: Path, card: ModelCard, folder: Path) -> None:
    """Tokenizer, template and settings with which transformers and vLLM make the very rows that were trained on."""
    source = model / "tokenizer"
    if not (source / "tokenizer.json").exists():
        return
    copy_file(source / "tokenizer.json", folder / "tokenizer.json")
    loaded = load_tokenizer(source / "tokenizer.json").tokenizer
    ends = card.end_of_turn or card.end_of_text
    begins = {"bos_token": begin} if (begin := marks_around(loaded)[0]) else {}
    told: dict[str, Any] = {
        **begins,
        "pad_token": card.end_of_text,
        **named_tokens(read_config(source / CONFIG_FILE)),
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": ends,
        "clean_up_tokenization_spaces": False,
        "model_max_length": card.model.max_positions or card.sequence_length,
    }
    if (source / TEMPLATE_FILE).exists():
        told["chat_template"] = (source / TEMPLATE_FILE).read_text(encoding="utf-8")
    write_json(folder / CONFIG_FILE, told)
    numbers = {f"{name}_token_id": loaded.token_to_id(told.get(f"{name}_token", "")) for name in ("bos", "eos", "pad")}
    ids = {name: number for name, number in numbers.items() if number is not None}
    kept = read_json(source / GENERATION_FILE) if (source / GENERATION_FILE).exists() else {}
    if "eos_token_id" in ids:
        write_json(folder / GENERATION_FILE, _generation(kept, ids))


def _generation(kept: dict[str, Any], ids: dict[str, int]) -> dict[str, Any]:
    """A parent's settings with this model's marks; the parent's other marks of an end go on ending an answer."""
    before = kept.get("eos_token_id")
    others = before if isinstance(before, list) else [] if before is None else [before]
    ends = [ids["eos_token_id"], *(one for one in others if one != ids["eos_token_id"])]
    return {**kept, **ids, "eos_token_id": ends if len(ends) > 1 else ends[0]}
