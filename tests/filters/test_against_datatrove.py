"""Our column filters against datatrove's own filters, document by document, as the oracle."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from filters.c4 import c4
from filters.datatrove_adapter import datatrove
from filters.fineweb_quality import fineweb_quality
from filters.gopher_quality import gopher_quality
from filters.gopher_repetition import gopher_repetition
from filters.step import Batch, Outcome
from schemas.errors import WrongCall
from schemas.recipe import Source
from sources.inputs import find_inputs
from sources.reading import read_frames
from tests.conftest import batch

MIN_AGREEMENT = 0.97


@pytest.fixture(scope="module")
def english(shared: Path) -> Batch:
    """A third of articles and textbook sections (the oracle takes 20 seconds a million words), and pieces of them
    that are short, repeated or listed."""
    frames = []
    for files in ("textbooks/**/*.cnxml", "literature/plos/*.xml"):
        source = Source(name="x", files=[files], source_type="literature", language="en")
        frames += [frame for file in find_inputs(source, shared) for frame, _ in read_frames(file, source)]
    frame = pl.concat(frames)[::3]
    texts = frame["text"].to_list()
    texts += [text[:400] for text in texts[::3]] + [text[:300] * 6 for text in texts[::7]]
    texts += ["\n".join(f"- {word}" for word in text.split()[:120]) for text in texts[:20]]
    return batch(texts, language="en")


def dropped(outcome: Outcome) -> pl.Series:
    """Whether each row is dropped."""
    assert outcome.reasons is not None
    return outcome.reasons.is_not_null()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda b: gopher_repetition(b), {"block": "filters.GopherRepetitionFilter"}),
        (
            lambda b: gopher_quality(b, symbols_are_words=True, layout_counts=True),
            {"block": "filters.GopherQualityFilter"},
        ),
        (lambda b: fineweb_quality(b, layout_counts=True), {"block": "filters.FineWebQualityFilter"}),
        (
            lambda b: c4(b, terminal_punctuation=False),
            {"block": "filters.C4QualityFilter", "filter_no_terminal_punct": False},
        ),
    ],
    ids=["gopher_repetition", "gopher_quality", "fineweb_quality", "c4"],
)
def test_decisions_agree(english: Batch, ours, theirs) -> None:  # type: ignore[no-untyped-def]
    mine, reference = dropped(ours(english)), dropped(datatrove(english, **theirs))
    agreement = (mine == reference).mean()
    assert agreement >= MIN_AGREEMENT, f"{agreement:.3f}; both drop {(mine & reference).sum()} of {reference.sum()}"
    assert reference.sum() > 0, "the oracle dropped nothing, so the test says nothing"


def test_adapter_runs_formatters_and_refuses_unknown_blocks() -> None:
    from datatrove.pipeline import formatters

    assert hasattr(formatters, "FTFYFormatter") or formatters
    with pytest.raises(WrongCall, match="did you mean 'GopherQualityFilter'"):
        datatrove(batch(["text"]), block="filters.GopherQualitiFilter")
    with pytest.raises(WrongCall, match="unexpected keyword"):
        datatrove(batch(["text"]), block="filters.GopherQualityFilter", nonsense=1)
