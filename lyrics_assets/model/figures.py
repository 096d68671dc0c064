"""The pictures of the evaluation report: SVG curves that follow the page's colours, and PNGs for what shows no SVG."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 400, 300
"""Of a curve, in CSS pixels at scale 1: it is readable on a phone, which shows it at about that size."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 44
_MOST_LABELS = 5
_MARK, _SOFT = "#2f6db5", "#5d6b82"

# On the page the variables are the page's; in a file of its own the fall-backs hold.
_STYLE = """
.curve{font:12px system-ui,sans-serif;fill:var(--soft,#5d6b82)}
.curve .grid{stroke:var(--line,#d9dfe8);stroke-width:1}
.curve .ideal{stroke:var(--soft,#5d6b82);stroke-width:1;stroke-dasharray:4 4}
.curve .line{stroke:var(--mark,#2f6db5);stroke-width:2;fill:none}
.curve .whisker{stroke:var(--mark,#2f6db5);stroke-width:1.5;opacity:.6}
.curve .point{fill:var(--mark,#2f6db5)}
"""


class _Axes:
    """Turns values into places of the drawing."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a pair of values, in pixels from the top left."""
        (x_from, x_to), (y_from, y_to) = self._x, self._y
        across = _LEFT + (x - x_from) / (x_to - x_from) * (WIDTH - _LEFT - _RIGHT)
        down = HEIGHT - _BOTTOM - (y - y_from) / (y_to - y_from) * (HEIGHT - _TOP - _BOTTOM)
        return round(across, 1), round(down, 1)


def calibration_svg(curve: Sequence[Mapping[str, Any]]) -> str:
    """Return the calibration curve: mean confidence of each bin against its share of right answers."""
    axes = _Axes((0, 1), (0, 1))
    ticks = [(value / 5, f"{value / 5:.1f}") for value in range(6)]
    (x1, y1), (x2, y2) = axes.at(0, 0), axes.at(1, 1)
    marks = [f'<line class="ideal" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>']
    most = max((row["n"] for row in curve), default=1)
    for row in curve:
        marks.append(_whisker(axes, row["confidence"], row["accuracy_interval"]))
        x, y = axes.at(row["confidence"], row["accuracy"])
        title = f"{row['from']:.1f} to {row['to']:.1f}: {row['accuracy']:.0%} right, {row['n']} songs"
        radius = 3 + 5 * (row["n"] / most) ** 0.5
        marks.append(f'<circle class="point" cx="{x}" cy="{y}" r="{radius:.1f}"><title>{title}</title></circle>')
    return _drawing(
        "Calibration curve", axes, ticks, ticks, "mean confidence of the answer, 0 to 1", "share right", marks
    )


def learning_curve_svg(points: Sequence[Mapping[str, Any]]) -> str:
    """Return macro-F1 on the test songs against the number of training songs."""
    largest = max(point["n_train"] for point in points)
    low = min(point["macro_f1_interval"][0] for point in points)
    high = max(point["macro_f1_interval"][1] for point in points)
    floor, ceiling = max(0.0, np.floor(low * 10) / 10), min(1.0, np.ceil(high * 10) / 10)
    axes = _Axes((0, largest * 1.05), (floor, max(ceiling, floor + 0.1)))
    steps = round((max(ceiling, floor + 0.1) - floor) * 10)
    every = max(1, round(steps / _MOST_LABELS))
    y_ticks = [(floor + step / 10, f"{floor + step / 10:.1f}") for step in range(0, steps + 1, every)]
    x_ticks = [(point["n_train"], f"{point['n_train']:,}") for point in points]
    places = [axes.at(point["n_train"], point["macro_f1"]) for point in points]
    marks = [f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in places)}"/>']
    for point, (x, y) in zip(points, places, strict=True):
        marks.append(_whisker(axes, point["n_train"], point["macro_f1_interval"]))
        title = f"{point['share']:.0%} of the artists, {point['n_train']} songs: macro-F1 {point['macro_f1']:.3f}"
        marks.append(f'<circle class="point" cx="{x}" cy="{y}" r="4.5"><title>{title}</title></circle>')
    return _drawing("Learning curve", axes, x_ticks, y_ticks, "training songs", "macro-F1, new artists", marks)


def _whisker(axes: _Axes, x: float, ends: Sequence[float]) -> str:
    (across, bottom), (_, top) = axes.at(x, ends[0]), axes.at(x, ends[1])
    return f'<line class="whisker" x1="{across}" y1="{bottom}" x2="{across}" y2="{top}"/>'


def _drawing(
    name: str,
    axes: _Axes,
    x_ticks: Iterable[tuple[float, str]],
    y_ticks: Iterable[tuple[float, str]],
    x_label: str,
    y_label: str,
    marks: Iterable[str],
) -> str:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(name)}"><style>{_STYLE}</style>'
    ]
    for value, label in y_ticks:
        _, y = axes.at(axes._x[0], value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
    for value, label in x_ticks:
        x, _ = axes.at(value, axes._y[0])
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    parts.append(
        f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(12 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}'
        "</text>"
    )
    return "".join([*parts, *marks, "</svg>"])


def confusion_picture(report: Mapping[str, Any]) -> bytes:
    """Return the confusion matrix as a PNG; shades are shares of each true genre, numbers are songs."""
    from matplotlib.figure import Figure

    genres = report["confusion_matrix"]["genres"]
    counts = np.array(report["confusion_matrix"]["rows_are_truth"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8.6, 7.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(genres)), genres, rotation=45, ha="right")
    axes.set_yticks(range(len(genres)), genres)
    axes.set(xlabel="predicted genre", ylabel="true genre")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if shares[row, column] > 0.5 else "#1b2a41"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _as_png(figure, dpi=110)


def calibration_picture(curve: Sequence[Mapping[str, Any]]) -> bytes:
    """Return `calibration_svg` as a PNG."""
    figure, axes = _plain_axes("mean confidence of the answer, 0 to 1", "share right")
    axes.axline((0, 0), (1, 1), color=_SOFT, linewidth=1, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    most = max((row["n"] for row in curve), default=1)
    sizes = [20 + 120 * row["n"] / most for row in curve]
    _draw_points(axes, [row["confidence"] for row in curve], curve, "accuracy", sizes)
    return _as_png(figure)


def learning_curve_picture(points: Sequence[Mapping[str, Any]]) -> bytes:
    """Return `learning_curve_svg` as a PNG."""
    figure, axes = _plain_axes("training songs", "macro-F1, new artists")
    songs = [point["n_train"] for point in points]
    axes.plot(songs, [point["macro_f1"] for point in points], color=_MARK, linewidth=2)
    axes.set_xlim(0, max(songs) * 1.05)
    _draw_points(axes, songs, points, "macro_f1", [40.0] * len(points))
    return _as_png(figure)


def _plain_axes(x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label, color=_SOFT)
    axes.set_ylabel(y_label, color=_SOFT)
    axes.grid(axis="y", color="#d9dfe8")
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=_SOFT)
    return figure, axes


def _draw_points(
    axes: "Axes", x: Sequence[float], rows: Sequence[Mapping[str, Any]], name: str, sizes: Sequence[float]
) -> None:
    """Draw a figure of each row, with its interval."""
    lows, highs = ([row[f"{name}_interval"][end] for row in rows] for end in (0, 1))
    axes.vlines(x, lows, highs, color=_MARK, alpha=0.6)
    axes.scatter(x, [row[name] for row in rows], s=sizes, color=_MARK, zorder=3, clip_on=False)


def _as_png(figure: "Figure", dpi: int = 160) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()
