"""How far two labellers agree beyond chance: a model's labels against people's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def agreement(pairs: Sequence[tuple[str, str]]) -> tuple[float | None, float | None]:
    """Share of equal labels and Cohen's kappa (1960) of pairs of labels.

    Both are None without pairs; kappa is None where the labels' own frequencies leave no room for chance to miss.
    """
    if not pairs:
        return None, None
    count = len(pairs)
    share = sum(one == other for one, other in pairs) / count
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(ones[label] * others[label] for label in ones) / count**2
    return share, (None if by_chance == 1 else (share - by_chance) / (1 - by_chance))
