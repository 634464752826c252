"""Train or take the tokenizer, with the chat template of conversations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np

from pipelines.plan import GIVEN_TEMPLATE as TEMPLATE
from pipelines.plan import GIVEN_TOKENIZER as TOKENIZER
from pipelines.run_folder import RunFolder
from pipelines.stage import Outputs, partitions, stage
from pipelines.stages.curate import STAGE as CURATE
from schemas.errors import WrongCall
from storage.columnar import parquet_frames
from storage.fingerprints import sha256_file
from storage.json_files import read_json, write_json
from storage.places import Place
from storage.publishing import copy_file, published, write_text
from tokenization.chat_template import BUILT_IN, ChatTemplate, built_in
from tokenization.marks import CONFIG_FILE, named_tokens, read_config, wanted_beginning, with_beginning
from tokenization.shards import shuffle_keys
from tokenization.tokenizer import TextTokenizer, load_tokenizer
from tokenization.training import train_tokenizer

STAGE: Final = "tokenizer"
TOKENIZER_FILE: Final = "tokenizer/tokenizer.json"
TEMPLATE_FILE: Final = "tokenizer/chat_template.jinja"
GIVEN_TEMPLATE: Final = "tokenizer/given_template.json"  # the recipe's own, checked when the run is made
RUN_CONFIG: Final = f"tokenizer/{CONFIG_FILE}"  # the tokens that templates are given, for whoever trains and exports
GIVEN_CONFIG: Final = "tokenizer/given_config.json"  # the configuration beside the recipe's own tokenizer
GIVEN_TOKENIZER: Final = "tokenizer/given.json"  # the recipe's own file, copied when the run is made


def _writes(run: RunFolder, task: str) -> list[Place]:
    return [run.path / name for name in (TOKENIZER_FILE, TEMPLATE_FILE, RUN_CONFIG)]


def _reads(run: RunFolder, task: str) -> list[Outputs]:
    """What is kept, not what was dropped and why; a tokenizer that is given depends on no document."""
    read = [] if run.recipe.tokenizer.file else partitions(run)
    return [Outputs(CURATE, partition, f"curated/{partition}.parquet") for partition in read]


def _settings(run: RunFolder, task: str) -> dict[str, Any]:
    return {
        "tokenizer": run.recipe.tokenizer.model_dump(mode="json"),
        "template": run.recipe.conversations.template,
        "date": str(run.recipe.conversations.date),
        "talks": holds_conversations(run),
        "given": [file.told() for file in run.plan.given if file.source in (TOKENIZER, TEMPLATE)],
        "seed": run.recipe.seed,
    }


def holds_conversations(run: RunFolder) -> bool:
    """Whether any source of the recipe holds conversations."""
    return any(source.holds_turns for source in run.recipe.sources)


@stage(
    STAGE,
    title="prepare the tokenizer",
    after=(CURATE,),
    cut="one",
    unit="tokenizer",
    tasks=lambda run: ["tokenizer"],
    reads=_reads,
    writes=_writes,
    settings=_settings,
)
def prepare_tokenizer(run: RunFolder, task: str) -> dict[str, Any]:
    """Train on the curated corpus, or copy the recipe's file, into `tokenizer/`; with the chat template."""
    target = run.path / TOKENIZER_FILE
    wanted = run.recipe.tokenizer
    if wanted.file:
        source = run.path / GIVEN_TOKENIZER
        config = read_config(run.path / GIVEN_CONFIG)
        loaded = load_tokenizer(source, wanted.end)
        begin = wanted_beginning(config, wanted.begin, loaded.begin_of_text)
        if begin == loaded.begin_of_text:
            copy_file(source, target)
        else:
            write_text(target, _beginning_with(begin, loaded, source))
    else:
        assert wanted.train is not None
        tokenizer = train_tokenizer(_training_texts(run, wanted.train.max_characters), wanted.train.vocab_size)
        with published(target) as temporary:
            tokenizer.save(str(temporary), pretty=False)
    loaded = run_tokenizer(run)
    template = chat_template(run)
    if template is not None:
        write_text(run.path / TEMPLATE_FILE, template.source)
    write_json(run.path / RUN_CONFIG, _config(run, loaded, template))
    begins = {"begin_of_text": loaded.begin_of_text, "begin_of_text_id": loaded.begin_of_text_id}
    return {
        "vocabulary": loaded.vocabulary,
        "digest": sha256_file(target),
        "end_of_text": loaded.end_of_text,
        "end_of_text_id": loaded.end_of_text_id,
        **(begins if loaded.begin_of_text else {}),
    }


def _beginning_with(mark: str | None, loaded: TextTokenizer, source: Place) -> str:
    """The given tokenizer with another mark at the beginning of documents, or with none."""
    number = loaded.tokenizer.token_to_id(mark) if mark else None
    if mark and number is None:
        raise WrongCall(f"the tokenizer has no token {mark}, with which documents are to begin")
    return with_beginning(source.read_text(encoding="utf-8"), mark, number)


def _config(run: RunFolder, loaded: TextTokenizer, template: ChatTemplate | None) -> dict[str, Any]:
    """`tokenizer_config.json` of the run: special tokens by name, and the day that the template is told."""
    begin = {"bos_token": loaded.begin_of_text} if loaded.begin_of_text else {}
    given = read_config(run.path / GIVEN_CONFIG)
    named = {**begin, "eos_token": loaded.end_of_text, **named_tokens(given), **(template.values if template else {})}
    return {**{name: value for name, value in named.items() if value}, "add_bos_token": bool(begin)}


def _training_texts(run: RunFolder, max_characters: int) -> Iterator[list[str]]:
    """Curated texts; above `max_characters` an even sample of documents by their hash."""
    paths = [run.path / "curated" / f"{task}.parquet" for task in partitions(run)]
    total = sum(int(frame["text"].str.len_chars().sum()) for path in paths for frame in parquet_frames(path, ["text"]))
    if not total:  # a delivery that brings nothing new ends whole: its tokenizer knows bytes alone
        return
    share = min(1.0, max_characters / total)
    limit = np.uint64(min(int(share * 2**64), 2**64 - 1))
    for path in paths:
        for frame in parquet_frames(path, ["id", "text"]):
            chosen = frame.filter(shuffle_keys(frame["id"], run.recipe.seed) <= limit)
            yield chosen["text"].to_list()


@lru_cache(maxsize=1)
def _tokenizer(path: Place, digest: str, end: str | None) -> TextTokenizer:
    return load_tokenizer(path, end)


def run_tokenizer(run: RunFolder) -> TextTokenizer:
    """The run's tokenizer, loaded once a process."""
    path = run.path / TOKENIZER_FILE
    return _tokenizer(path, sha256_file(path), run.recipe.tokenizer.end)


def chat_template(run: RunFolder) -> ChatTemplate | None:
    """The run's chat template; None where no source holds conversations."""
    if not holds_conversations(run):
        return None
    wanted = run.recipe.conversations.template
    if wanted in BUILT_IN:
        return built_in(wanted, run_tokenizer(run))
    name, source, values = read_json(run.path / GIVEN_TEMPLATE)
    return ChatTemplate(name, source, values)
