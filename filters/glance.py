"""Whether a page is worth extracting, told from its words without layout: its language, and its subject.

Most pages of a crawl are in another language or about something else; they are dropped with their reason before
the costly part. The floor lies well below the threshold of the step that decides, since menus dilute a subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from filters.classifier_model import load_classifier
from filters.language import language_shares, lid_model
from schemas.recipe import Glance
from textcolumns.columns import TextColumn

WINDOW: Final = 800  # characters that language is told from
LEAST_SHARE: Final = 0.15  # of the wanted languages together; lid.176 gives prose 0.8 and more
LEAST_TEXT: Final = 80  # characters: of fewer nothing can be told, and extraction decides
CANDIDATES: Final = 4


def glancer(settings: Glance) -> Callable[[str], str | None]:
    """What looks at a page's words: the reason why it is left out, or None."""
    model = load_classifier(settings.model) if settings.model else None
    lid = lid_model()

    def look(words: str) -> str | None:
        if len(words) < LEAST_TEXT:
            return None
        if settings.languages:
            labels, values = lid.predict([words[:WINDOW]], k=CANDIDATES)
            kana = "__label__ja" in labels[0] and any("\u3041" <= one <= "\u30ff" for one in words[:WINDOW])
            shares = language_shares(list(labels[0]), list(values[0]), kana)
            if sum(shares.get(one, 0.0) for one in settings.languages) < LEAST_SHARE:
                told = max(shares, key=lambda one: shares[one], default="und")
                return f"at a glance: language={told}, not {', '.join(settings.languages)}"
        if model is not None:
            score = float(model.scores(TextColumn(pl.Series([words])))[0])
            if score < settings.floor:
                return f"at a glance: {settings.model}={score:.3f} < floor={settings.floor:g}"
        return None

    return look
