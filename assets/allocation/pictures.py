"""Pictures of an optimisation, as PNG bytes for metadata.

Belongs here: drawing what was computed. Must not be here: computing, SQL, Dagster.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

# 480 x 300 pixels
_INCHES = (4.8, 3.0)
_DOTS_PER_INCH = 100
_MOST_BARS = 12


def frontier_picture(points: Sequence[tuple[float, float]], chosen: tuple[float, float] | None = None) -> bytes:
    """The efficient frontier, and the chosen portfolio on it.

    Args:
        points: (volatility, expected return) a year, fractions.
        chosen: the same of the target weights.
    """
    figure, axes = _canvas()
    axes.plot([100 * v for v, _ in points], [100 * r for _, r in points], marker=".", color="#1f6feb")
    if chosen is not None:
        axes.plot([100 * chosen[0]], [100 * chosen[1]], marker="o", color="#d1242f")
    axes.set_xlabel("volatility, % a year")
    axes.set_ylabel("expected return, % a year")
    return _png(figure)


def weights_picture(weights: Mapping[str, float]) -> bytes:
    """The largest weights as bars, the rest together.

    Args:
        weights: fractions by instrument.
    """
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    shown, rest = ordered[:_MOST_BARS], ordered[_MOST_BARS:]
    if rest:
        shown = [*shown, (f"{len(rest)} more", sum(weight for _, weight in rest))]
    figure, axes = _canvas()
    names = [name.rpartition(":")[2][:16] for name, _ in shown][::-1]
    axes.barh(range(len(shown)), [100 * weight for _, weight in shown][::-1], color="#1f6feb")
    axes.set_yticks(range(len(shown)), names)
    axes.set_xlabel("target weight, %")
    return _png(figure)


def _canvas() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.tick_params(labelsize=7)
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
