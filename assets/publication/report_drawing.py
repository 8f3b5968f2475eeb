"""Small pictures as SVG text: lines over days, shares as bars, the efficient frontier.

Belongs here: scales, axes and shapes, for plain numbers. Must not be here: the database, what the numbers mean, styles
(the page's style sheet names the colours by class). Drawn by hand: a report needs no plotting library and no script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

Point = tuple[float, float]
Series = Sequence[tuple[date, float | None]]

_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 10.0, 24.0
_MOST_POINTS = 700


@dataclass(frozen=True)
class Frame:
    """The inner rectangle of a picture and the ranges of its axes; a range of no width is widened."""

    width: float
    height: float
    x_range: Point
    y_range: Point

    def x(self, value: float) -> float:
        """Horizontal place of a value, in pixels."""
        low, high = self.x_range
        return _LEFT + (value - low) / ((high - low) or 1) * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Vertical place of a value, in pixels from the top."""
        low, high = self.y_range
        return self.height - _BOTTOM - (value - low) / ((high - low) or 1) * (self.height - _TOP - _BOTTOM)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from at most `low` to at least `high`."""
    if high <= low:
        high = low + (abs(low) or 1)
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= raw * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def thin(series: Series, most: int = _MOST_POINTS) -> list[tuple[date, float | None]]:
    """At most about `most` points: of each stretch of days its lowest and highest, so that no peak is lost."""
    if len(series) <= most:
        return list(series)
    size = math.ceil(len(series) / (most / 2))
    kept: list[tuple[date, float | None]] = [series[0]]
    for start in range(0, len(series), size):
        known = [point for point in series[start : start + size] if point[1] is not None]
        if not known:
            kept.append(series[start])
            continue
        extremes = {min(known, key=lambda p: p[1] or 0.0), max(known, key=lambda p: p[1] or 0.0)}
        kept.extend(sorted(extremes, key=lambda p: p[0]))
    return [*kept, series[-1]]


def line_chart(
    lines: Sequence[tuple[str, Series]],
    label: str,
    number: Callable[[float], str],
    *,
    height: float = 230,
    width: float = 976,
    is_filled: bool = False,
) -> str:
    """Lines over days, one per (CSS class, series); an unknown value is a gap. Zero is always on the axis.

    Args:
        lines: class and points of each line, the first one on top.
        label: what the picture shows, for readers that cannot see it.
        number: how a value stands beside the axis.
        height: pixels.
        width: pixels.
        is_filled: whether the area between the first line and zero is filled.
    """
    thinned = [(css, thin(series)) for css, series in lines]
    values = [value for _, series in thinned for _, value in series if value is not None]
    days = [day.toordinal() for _, series in thinned for day, _ in series]
    if not values:
        return empty(label, "no values yet")
    y_ticks = ticks(min(0.0, *values), max(0.0, *values))
    frame = Frame(width, height, (min(days), max(days)), (y_ticks[0], y_ticks[-1]))
    shapes = [_horizontal_grid(frame, y_ticks, number), _day_axis(frame)]
    for index, (css, series) in reversed(list(enumerate(thinned))):
        for run in _unbroken(series):
            points = [(frame.x(day.toordinal()), frame.y(value)) for day, value in run]
            if is_filled and index == 0:
                zero = f"{frame.y(0):.1f}"
                area = f"M{points[0][0]:.1f},{zero}L{_path(points)}L{points[-1][0]:.1f},{zero}Z"
                shapes.append(f'<path class="{css} area" d="{area}"/>')
            shapes.append(f'<path class="{css} line" d="M{_path(points)}"/>')
    return _svg(frame, label, shapes)


def bars(rows: Sequence[tuple[str, float, float | None, str]], label: str, *, width: float = 464) -> str:
    """Horizontal bars of shares: (name, share, target share or None, text beside the bar).

    The scale runs from zero to the largest share or target, rounded up; a negative share has its text only. The text is
    the bar's, so it stands at the bar's end, behind the target's mark only where that would cross it.
    """
    if not rows:
        return empty(label, "nothing is held", width=width)
    row_height, name_width, text_width = 24.0, 92.0, 58.0
    largest = max(max(share, target or 0.0) for _, share, target, _ in rows) or 1.0
    scale = (width - name_width - text_width) / largest
    height = row_height * len(rows) + 6
    shapes = []
    for index, (name, share, target, text) in enumerate(rows):
        top = index * row_height + 4
        length = max(share, 0.0) * scale
        shapes.append(
            f'<text class="name" x="{name_width - 8}" y="{top + 13:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        shapes.append(f'<rect class="bar" x="{name_width}" y="{top:.1f}" width="{length:.1f}" height="16"/>')
        end = length
        if target is not None:
            x = name_width + target * scale
            if length < target * scale < length + text_width:
                end = target * scale
            shapes.append(f'<path class="target" d="M{x:.1f},{top - 3:.1f}v22"/>')
        shapes.append(f'<text x="{name_width + end + 7:.1f}" y="{top + 13:.1f}">{escape(text)}</text>')
    return _svg(Frame(width, height, (0, 1), (0, 1)), label, shapes)


def frontier_chart(
    points: Sequence[Point], chosen: Point | None, label: str, *, width: float = 464, height: float = 250
) -> str:
    """The frontier as (volatility, return) per year, and the point that the policy chose."""
    every = [*points, *([chosen] if chosen else [])]
    if not every:
        return empty(label, "no frontier", width=width)
    x_low, x_high = min(x for x, _ in every), max(x for x, _ in every)
    y_low, y_high = min(y for _, y in every), max(y for _, y in every)
    x_ticks, y_ticks = ticks(x_low, x_high, 4), ticks(y_low, y_high, 5)
    frame = Frame(width, height - 14, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    shapes = [_horizontal_grid(frame, y_ticks, _percent)]
    for value in x_ticks:
        x = frame.x(value)
        shapes.append(f'<text x="{x:.1f}" y="{frame.height - 8:.1f}" text-anchor="middle">{_percent(value)}</text>')
    shapes.append(
        f'<text class="axis" x="{(width + _LEFT) / 2:.0f}" y="{height - 4:.0f}" text-anchor="middle">'
        "volatility per year</text>"
    )
    placed = [(frame.x(x), frame.y(y)) for x, y in points]
    if len(placed) > 1:
        shapes.append(f'<path class="value line" d="M{_path(placed)}"/>')
    shapes.extend(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>' for x, y in placed)
    if chosen:
        x, y = frame.x(chosen[0]), frame.y(chosen[1])
        side, anchor = (-7, "end") if x > width / 4 else (7, "start")
        shapes.append(f'<circle class="chosen" cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
        shapes.append(f'<text class="name" x="{x + side:.1f}" y="{y - 8:.1f}" text-anchor="{anchor}">chosen</text>')
    return _svg(Frame(width, height, (0, 1), (0, 1)), label, shapes)


def empty(label: str, reason: str, *, width: float = 976) -> str:
    """A picture with nothing to show says why."""
    text = f'<text x="{width / 2:.0f}" y="28" text-anchor="middle">{escape(reason)}</text>'
    return _svg(Frame(width, 48, (0, 1), (0, 1)), label, [text])


def _percent(value: float) -> str:
    return f"{100 * value:.4g} %".replace("-", "\N{MINUS SIGN}")


def _unbroken(series: Series) -> list[list[tuple[date, float]]]:
    """Stretches of known values."""
    runs: list[list[tuple[date, float]]] = [[]]
    for day, value in series:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((day, value))
    return [run for run in runs if run]


def _path(points: Sequence[Point]) -> str:
    return "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _horizontal_grid(frame: Frame, values: Sequence[float], number: Callable[[float], str]) -> str:
    shapes = []
    for value in values:
        y = frame.y(value)
        css = "zero" if value == 0 else "grid"
        shapes.append(f'<path class="{css}" d="M{_LEFT},{y:.1f}H{frame.width - _RIGHT}"/>')
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 3.5:.1f}" text-anchor="end">{escape(number(value))}</text>')
    return "".join(shapes)


def _day_axis(frame: Frame) -> str:
    """Years where the picture spans more than two, else months."""
    first, last = (date.fromordinal(int(value)) for value in frame.x_range)
    months = [(year, month) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    inside = [date(year, month, 1) for year, month in months if first <= date(year, month, 1) <= last]
    is_long = (last - first).days > 730
    shown = [day for day in inside if day.month == 1] if is_long else inside[:: max(1, len(inside) // 8)]
    shapes = []
    for day in shown:
        x = frame.x(day.toordinal())
        text = f"{day.year}" if is_long else f"{day:%b %Y}"
        shapes.append(f'<path class="tick" d="M{x:.1f},{frame.height - _BOTTOM:.1f}v4"/>')
        shapes.append(f'<text x="{x:.1f}" y="{frame.height - 7:.1f}" text-anchor="middle">{text}</text>')
    return "".join(shapes)


def _svg(frame: Frame, label: str, shapes: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width:.0f} {frame.height:.0f}" width="{frame.width:.0f}" role="img"'
        f' aria-label="{escape(label, quote=True)}">{"".join(shapes)}</svg>'
    )
