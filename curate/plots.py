"""Small plots as inline SVG, coloured by the page's own variables so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 260  # without the legend, which stands above
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 40
LINE, LETTER, MARK = 18, 7.2, 26  # of the legend: height of a line, width of a letter and of the mark, in pixels
Points = Sequence[tuple[float, float]]


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values between `low` and `high`."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = np.ceil(low / step) * step
    return [float(value) for value in np.arange(first, high + step * 1e-6, step)]


def line_plot(series: Mapping[str, Points], x_name: str, y_name: str) -> Markup:
    """Lines over a common pair of axes, with a legend."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    spread = (max(ys) - min(ys)) or 1.0
    y_low, y_high = min(ys) - 0.05 * spread, max(ys) + 0.05 * spread
    if max(ys) == min(ys) != 0:  # a line that stays where it is lies in the middle of a scale of its own size
        y_low, y_high = sorted((0.0, 2.0 * ys[0]))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        down = TOP + (y_high - y) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    parts = _frame(x_low, x_high, y_low, y_high, place, x_name, y_name)
    for index, points in enumerate(series.values()):
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline class="line s{index}" points="{path}"/>')
        if len(points) <= 12:
            parts += [
                f'<circle class="dot s{index}" r="3.5" cx="{x}" cy="{y}"/>' for x, y in (place(*p) for p in points)
            ]
    legend, lines = _legend(list(series)) if len(series) > 1 else ([], 0)
    return _svg([*parts, *legend], f"{y_name} by {x_name}: {', '.join(series)}", above=LINE * lines)


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    """Marks and names above the plot, in as many lines as they need; and that number."""
    widths = [MARK + LETTER * len(name) + 14 for name in names]
    places: list[tuple[float, int]] = []
    x, line = float(LEFT), 0
    for width in widths:
        if places and x + width > WIDTH - RIGHT:
            x, line = float(LEFT), line + 1
        places.append((x, line))
        x += width
    parts = []
    for index, (name, (left, at)) in enumerate(zip(names, places, strict=True)):
        y = TOP + LINE * (at - line - 1)
        parts.append(f'<line class="line s{index}" x1="{left:.0f}" x2="{left + 18:.0f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="legend s{index}" x="{left + MARK:.0f}" y="{y + 4}">{escape(name)}</text>')
    return parts, line + 1


def histogram(logs: npt.NDArray[Any], bins: int = 24) -> Markup:
    """Distribution of values given as base-10 logarithms."""
    low, high = np.floor(logs.min()), max(np.ceil(logs.max()), np.floor(logs.min()) + 1)
    counts, edges = np.histogram(logs, bins=bins, range=(low, high))
    height, width = 110, 300
    tallest = max(counts.max(), 1)
    parts = []
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        x = 8 + (start - low) / (high - low) * (width - 16)
        bar = count / tallest * (height - 34)
        across = (end - start) / (high - low) * (width - 16) - 1
        if count:
            parts.append(
                f'<rect class="bar" x="{x:.1f}" y="{height - 22 - bar:.1f}" width="{across:.1f}" height="{bar:.1f}"/>'
            )
    for power in range(int(low), int(high) + 1):
        x = 8 + (power - low) / (high - low) * (width - 16)
        label = f"{10**power:,}" if power < 4 else f"10{'⁰¹²³⁴⁵⁶⁷⁸⁹'[power]}"
        anchor = "start" if power == low else "end" if power == high else "middle"
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 6}" text-anchor="{anchor}">{label}</text>')
    parts.append(f'<line class="axis" x1="8" x2="{width - 8}" y1="{height - 22}" y2="{height - 22}"/>')
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="length distribution">{body}</svg>')


def share_histogram(shares: npt.NDArray[Any], bins: int = 20) -> Markup:
    """Distribution of values between 0 and 1."""
    counts, edges = np.histogram(np.clip(shares, 0, 1), bins=bins, range=(0, 1))
    height, width = 84, 300
    tallest = max(counts.max(), 1)
    across = (width - 16) / bins
    parts = [
        f'<rect class="bar" x="{8 + start * (width - 16):.1f}" y="{height - 22 - count / tallest * (height - 34):.1f}" '
        f'width="{across - 1:.1f}" height="{count / tallest * (height - 34):.1f}"/>'
        for count, start in zip(counts, edges[:-1], strict=True)
        if count
    ]
    for value, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        x = 8 + value * (width - 16)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 6}" text-anchor="{anchor}">{value:g}</text>')
    parts.append(f'<line class="axis" x1="8" x2="{width - 8}" y1="{height - 22}" y2="{height - 22}"/>')
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="distribution of scores">{body}</svg>')


def _frame(x_low: float, x_high: float, y_low: float, y_high: float, place: Any, x_name: str, y_name: str) -> list[str]:
    parts = []
    for value in _ticks(y_low, y_high):
        _, y = place(x_low, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value + 0.0:g}</text>')
    for value in _ticks(x_low, x_high, 6):
        x, _ = place(value, y_low)
        parts.append(f'<text class="tick" x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="name" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>')
    return parts


def _svg(parts: list[str], label: str, above: int = 0) -> Markup:
    body = "".join(parts)
    box = f"0 {-above} {WIDTH} {HEIGHT + above}"
    return Markup(f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">{body}</svg>')
