"""A stretch of a tensor's elements in row-major order, cut into rectangular parts of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Box:
    """A rectangular part of a tensor, whose elements are one stretch of it in row-major order."""

    offset: tuple[int, ...]
    shape: tuple[int, ...]


def boxes(start: int, end: int, shape: Sequence[int]) -> Iterator[Box]:
    """Elements `start` to `end` of a tensor of `shape`, in order: part of a row, whole rows, part of a row."""
    if start >= end:
        return
    if len(shape) == 1:
        yield Box((start,), (end - start,))
        return
    row = prod(shape[1:])
    first, last = -(-start // row), end // row  # whole rows
    if first > last:
        yield from _in_row(last, start - last * row, end - last * row, shape)
        return
    if start < first * row:
        yield from _in_row(first - 1, start - (first - 1) * row, row, shape)
    if first < last:
        yield Box((first, *(0 for _ in shape[1:])), (last - first, *shape[1:]))
    yield from _in_row(last, 0, end - last * row, shape)


def _in_row(number: int, start: int, end: int, shape: Sequence[int]) -> Iterator[Box]:
    for box in boxes(start, end, shape[1:]):
        yield Box((number, *box.offset), (1, *box.shape))
