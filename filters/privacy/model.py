"""A token classifier as a second opinion on persons: any Hugging Face folder of such a model, beside the rules.

In texts about one person what either finds is taken out, since a name that stays is worse than a word that goes. On
pages of the web names are taken out where both agree: there such models mark ten times what is there. What was
published is left to the rules. The rules' vetoes (medical words, words that are no names) hold for the model too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from filters.privacy.finder import Level
from filters.privacy.lexicon import Lexicon, is_medical
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


class Proposer:
    """A token classifier, loaded once; nothing is fetched from the network."""

    def __init__(self, folder: str) -> None:
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise WrongCall(
                f"phi, model {folder}: no config.json there; give a Hugging Face folder of a token classifier"
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
        self.kinds = {label: kind for label in labels if (kind := _kind(label))}
        if not self.kinds:
            raise WrongCall(
                f"phi, model {folder}: none of its labels ({', '.join(labels)}) is a class of identifiers; "
                f"known: {', '.join(sorted(KINDS))}"
            )
        positions = int(getattr(model.config, "max_position_embeddings", 0) or 512)
        tokenizer.model_max_length = min(int(tokenizer.model_max_length), positions - 4)
        stride = min(OVERLAP, tokenizer.model_max_length // 4)
        # One text at a time: what a batch is padded with would decide the last digits, and so now and then a span.
        self._classify = TokenClassificationPipeline(
            model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=stride, device="cpu"
        )

    def propose(self, text: str, lexicon: Lexicon) -> list[Span]:
        """Spans of a text that the model takes for identifiers, less what the rules know to be none."""
        if not text.strip():
            return []
        found = []
        for one in self._classify(text):
            kind = _kind(str(one["entity_group"]))
            start, end = _trimmed(text, int(one["start"]), int(one["end"]))
            if kind and start < end and float(one["score"]) >= SURE and not _vetoed(text[start:end], kind, lexicon):
                found.append(Span(start, end, kind))
        return found


@lru_cache(maxsize=2)
def load_proposer(folder: str) -> Proposer:
    """The model in a folder, loaded once a process."""
    return Proposer(folder)


def second_opinion(proposer: Proposer, text: str, spans: Sequence[Span], level: Level, lexicon: Lexicon) -> list[Span]:
    """The rules' spans of a text with the model's: together in personal texts, names that both find in public ones."""
    if level == "published":
        return list(spans)
    proposed = proposer.propose(text, lexicon)
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


def _vetoed(value: str, kind: str, lexicon: Lexicon) -> bool:
    if kind != "NAME":
        return False
    words = value.lower().split()
    return (
        len(value) > LONGEST_NAME
        or "\n" in value
        or "\x00" in value
        or is_medical(value)
        or value in lexicon.not_names_zh
        or all(word in lexicon.not_names for word in words)
    )
