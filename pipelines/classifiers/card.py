"""A classifier's card in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from filters.classifier_model import CARD_FILE, load_classifier
from storage.json_files import write_json
from storage.places import Place
from storage.publishing import write_text


def write_card(card: Mapping[str, Any], folder: Place) -> None:
    """card.json and card.md beside the model; a model loaded before is read anew."""
    write_json(folder / CARD_FILE, card)
    write_text(folder / "card.md", "\n".join(card_lines(card)) + "\n")
    load_classifier.cache_clear()


def card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """The card in words, as Markdown."""
    others = ", ".join(label for label in card["labels"] if label != card["positive"])
    yield f"# Classifier {card['name']}: {card['positive']} against {others}"
    yield ""
    aim = "the best F1" if card.get("chosen_by") == "f1" else f"a precision of {card['precision_asked']:.0%}"
    held = "documents out of fold" if card.get("kind") == "ngrams" else "the validation split"
    yield f"Threshold {card['threshold']:.4f}, chosen for {aim} on {held}."
    yield f"Text: {card.get('segmentation') or card['scheme']}; the first {card['max_characters']:,} characters."
    yield f"Model SHA-256 {card['model_sha256'][:16]}."
    yield ""
    yield "| split | documents | precision | recall | accuracy |"
    yield "|---|---|---|---|---|"
    splits = {"validation": card["validation"], "test (other sources)": card["test"]}
    splits |= {f"out of fold: {name}": one for name, one in card.get("by_source", {}).items()}
    splits |= {f"test: {name}": one for name, one in card["test_by_source"].items()}
    for name, one in splits.items():
        if one:
            shares = " | ".join(_told(one[key]) for key in ("precision", "recall", "accuracy"))
            yield f"| {name} | {one['documents']:,} | {shares} |"
    if card.get("test_shared"):
        yield ""
        yield (
            f"Careful: {card['test_shared']:,} documents of the test are equal or near to documents that were learned "
            "from, so that its figures flatter."
        )
    yield ""
    yield "| source | role | labels | SHA-256 of the texts |"
    yield "|---|---|---|---|"
    for name, one in card["data"].items():
        labels = ", ".join(f"{label} {count}" for label, count in one["labels"].items())
        yield f"| {name} | {one['role']} | {labels} | {one['sha256'][:16]} |"
    yield ""
    if head := card.get("head"):
        yield (
            f"Scores from {head['band'][0]} to {head['band'][1]} ({head['asked']:.0%} of the documents) are asked of "
            f"{head['identity']}: F1 {head['alone']:.3f} without it, {head['with_head']:.3f} with it, out of fold."
        )
        yield ""
    if card.get("expected"):
        yield "| threshold | expected precision | expected recall |"
        yield "|---|---|---|"
        for one in card["expected"]:
            yield " | ".join([f"| {one['threshold']}", _percent(one["precision"]), _percent(one["recall"])]) + " |"
        yield ""
    if card.get("disagreements"):
        yield "Label and model differ most (look whether the label is right):"
        for one in card["disagreements"]:
            yield f"- {one['score']:.3f} but {one['label']} ({one['source']}, {one['uri']}): {one['text']}"
        yield ""
    if card["near_threshold"]:
        yield "Nearest to the threshold:"
    for one in card["near_threshold"]:
        yield f"- {one['score']:.3f} ({one['label']}, {one['source']}): {one['text']}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _told(share: Mapping[str, float] | None) -> str:
    return f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})" if share else "-"
