"""How good a reward model is on held-out pairs: accuracy, calibration, and whether it only likes length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BINS: Final = 10  # of equal numbers of pairs, for calibration (Naeini et al. 2015 use as many of equal width)
ALIKE: Final = 0.1  # answers whose lengths differ by less than this share of the longer count as equally long
LIKES_LENGTH: Final = 0.5  # rank correlation of score and length differences from which on length is what is liked
FEWEST: Final = 5  # pairs below which no accuracy of a part is told


@dataclass(frozen=True)
class Scored:
    """Held-out pairs: aspect of each, scores by aspect (pairs, aspects), tokens of both answers (pairs,)."""

    aspects: list[str]
    names: Sequence[str]
    chosen: npt.NDArray[np.float64]
    rejected: npt.NDArray[np.float64]
    chosen_tokens: npt.NDArray[np.int64]
    rejected_tokens: npt.NDArray[np.int64]

    @property
    def differences(self) -> npt.NDArray[np.float64]:
        """Difference of scores in each pair's own aspect, (pairs,)."""
        place = {name: number for number, name in enumerate(self.names)}
        own = np.array([place[one] for one in self.aspects], np.int64)
        rows = np.arange(len(own))
        return np.asarray(self.chosen[rows, own] - self.rejected[rows, own])


def accuracy(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Share, number of pairs, and Wilson's interval of 95%."""
    if len(right) < FEWEST:
        return {"pairs": len(right)}
    from scipy.stats import binomtest  # over a second to load, which every rank would wait for

    low, high = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, method="wilson")
    told = {"accuracy": float(right.mean()), "lower": float(low), "upper": float(high)}
    return {"pairs": len(right), **{name: round(value, 4) for name, value in told.items()}}


def quality(scored: Scored) -> dict[str, Any]:
    """All that `reward.json` tells of a reward model."""
    differences = scored.differences
    right = differences > 0
    lengths = scored.chosen_tokens - scored.rejected_tokens
    longer = np.maximum(scored.chosen_tokens, scored.rejected_tokens)
    alike = np.abs(lengths) < ALIKE * longer
    by_length = {
        "chosen_longer": accuracy(right[~alike & (lengths > 0)]),
        "alike": accuracy(right[alike]),
        "chosen_shorter": accuracy(right[~alike & (lengths < 0)]),
    }
    liking = _rank_correlation(differences, lengths)
    aspects = np.array(scored.aspects)
    return {
        "accuracy": accuracy(right),
        "by_aspect": {name: accuracy(right[aspects == name]) for name in scored.names},
        "calibration": calibration(differences),
        "by_length": by_length,
        "longer_is_better": accuracy(lengths > 0),  # what one would reach that only looks at lengths
        "length_correlation": liking,
        "likes_length": liking is not None and liking > LIKES_LENGTH,
        "agreement_of_aspects": {
            f"{one}/{other}": round(_agreement(scored, number, place), 4)
            for (number, one), (place, other) in combinations(enumerate(scored.names), 2)
        },
        # What these scores are compared by when they are mixed with others: they do not change any more.
        "scores": {
            name: {"mean": float(values.mean()), "deviation": float(values.std())}
            for number, name in enumerate(scored.names)
            for values in [np.concatenate([scored.chosen[:, number], scored.rejected[:, number]])]
        },
    }


def calibration(differences: npt.NDArray[np.float64]) -> dict[str, Any]:
    """How sure the model is of the side it prefers beside how often that is right, and their mean distance."""
    if not len(differences):
        return {"error": None, "bins": []}
    sure = 1 / (1 + np.exp(-np.abs(differences)))
    right = np.where(differences == 0, 0.5, differences > 0)
    order = np.argsort(sure, kind="stable")
    bins = [part for part in np.array_split(order, min(BINS, len(order))) if len(part)]
    told = [{"said": float(sure[part].mean()), "found": float(right[part].mean()), "pairs": len(part)} for part in bins]
    error = sum(one["pairs"] * abs(one["said"] - one["found"]) for one in told) / len(order)
    return {"error": round(error, 4), "bins": told}


def _rank_correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float | None:
    if len(one) < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    from scipy.stats import spearmanr

    return round(float(spearmanr(one, other).statistic), 4)


def _agreement(scored: Scored, one: int, other: int) -> float:
    """Share of pairs in which two aspects prefer the same answer."""
    difference = scored.chosen - scored.rejected
    return float((np.sign(difference[:, one]) == np.sign(difference[:, other])).mean()) if len(difference) else 0.0
