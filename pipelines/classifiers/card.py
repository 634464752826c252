"""A classifier's card in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """The card in words, as Markdown."""
    others = ", ".join(label for label in card["labels"] if label != card["positive"])
    yield f"# Classifier {card['name']}: {card['positive']} against {others}"
    yield ""
    asked = f"{card['precision_asked']:.0%}"
    yield f"Threshold {card['threshold']:.4f}, chosen for a precision of {asked} on the validation split."
    yield f"Text: {card['segmentation']}; the first {card['max_characters']:,} characters."
    yield f"Model SHA-256 {card['model_sha256'][:16]}."
    yield ""
    yield "| split | documents | precision | recall | accuracy |"
    yield "|---|---|---|---|---|"
    splits = {"validation": card["validation"], "test (other sources)": card["test"]}
    splits |= {f"test: {name}": one for name, one in card["test_by_source"].items()}
    for name, one in splits.items():
        if one:
            shares = " | ".join(_told(one[key]) for key in ("precision", "recall", "accuracy"))
            yield f"| {name} | {one['documents']:,} | {shares} |"
    yield ""
    yield "| source | role | labels | SHA-256 of the texts |"
    yield "|---|---|---|---|"
    for name, one in card["data"].items():
        labels = ", ".join(f"{label} {count}" for label, count in one["labels"].items())
        yield f"| {name} | {one['role']} | {labels} | {one['sha256'][:16]} |"
    yield ""
    yield "Nearest to the threshold:"
    for one in card["near_threshold"]:
        yield f"- {one['score']:.3f} ({one['label']}, {one['source']}): {one['text']}"


def _told(share: Mapping[str, float] | None) -> str:
    return f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})" if share else "-"
