"""A drift report to look at: its table and its page. No figure is made here."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]

PLOT_WIDTH, PLOT_HEIGHT = 260, 84
"""Units of the small plots; they scale to the width of their card."""
_MARGIN, _TOP = 6, 8
_NOTHING = 5e-4
"""A share that moved by less is told as the same."""
_LABELS = {
    "genre_mix": "Mix of genres",
    "vocabulary": "Vocabulary",
    "length": "Length of the lyrics",
    "translations": "Translations",
    "languages": "Languages translated from",
    "portuguese_share": "Portuguese in the texts",
    "unknown_words": "Unknown words",
    "confidence": "Confidence of the champion",
    "performance": "Performance",
    "traffic": "Traffic",
    "traffic_length": "Traffic: length",
    "traffic_languages": "Traffic: languages",
    "traffic_portuguese_share": "Traffic: Portuguese",
    "traffic_genres": "Traffic: genres told",
    "traffic_confidence": "Traffic: confidence",
    "traffic_unknown_words": "Traffic: unknown words",
    "data_age": "Age of the data",
    "model_age": "Age of the champion",
}


def label(name: str) -> str:
    """Return what a measure is called on the page."""
    return _LABELS.get(name, name)


def measure_rows(report: Report) -> list[dict[str, Any]]:
    """Return the table of the measures: value, bound, what it was measured on, and what moved most."""
    return [
        {
            "measure": name,
            "": "drift" if name in report["drifted"] else "warning" if name in report["warned"] else "",
            "seen": measure["seen"],
            "bound": f"{measure['bound']} {measure['allowed']:.4g}",
            "unit": measure["unit"],
            "n": "–" if measure["n"] is None else measure["n"],
            "moved most": _moved(measure),
        }
        for name, measure in report["measures"].items()
    ]


def render_html(report: Report, earlier: Sequence[Report]) -> str:
    """Return the report as one self-contained page, light or dark as its reader's screen is.

    Args:
        report: of a date.
        earlier: reports of dates before, oldest first, for the measures' history.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("page.html.j2").render(
        report=report,
        label=label,
        moved=_moved,
        plots={name: plot for name in report["measures"] if (plot := _plot(name, report, earlier))},
        n_earlier=len(earlier),
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
    )


def _moved(measure: Mapping[str, Any]) -> str:
    """Return which category's share changed most, or the figures behind a performance."""
    if "moved" in measure:
        moved = measure["moved"]
        if abs(moved["now"] - moved["before"]) < _NOTHING:
            return "nothing"
        return f"{moved['what']}: {100 * moved['before']:.3g} % → {100 * moved['now']:.3g} %"
    if "reported" in measure:
        (low, high), reported = measure["macro_f1_interval"], measure["reported"]
        return (
            f"macro-F1 {reported['macro_f1']:.3f} → {measure['macro_f1']:.3f} ({low:.3f} to {high:.3f}), "
            f"accuracy {measure['accuracy']:.3f}"
        )
    return ""


def _plot(name: str, report: Report, earlier: Sequence[Report]) -> dict[str, Any] | None:
    """Return the drawing of a measure's history; None if there is only the one value.

    A line goes through what the reports saw, a dashed one through what was allowed; rings stand for the dates that the
    champion learned from, by their own distance from all of them.
    """
    told = [
        (one["date"], one["measures"][name]["seen"], one["measures"][name]["allowed"])
        for one in [*earlier, report]
        if name in one["measures"]
    ]
    own = [(date["date"], date[name]) for date in report["learned"]["distances"] if name in date]
    if len(told) + len(own) < 2:
        return None
    days = {date: dt.date.fromisoformat(date).toordinal() for date, *_ in [*told, *own]}
    first, last = min(days.values()), max(days.values())
    most = max(*(max(seen, allowed) for _, seen, allowed in told), *(seen for _, seen in own), 1e-9) * 1.08

    def at(date: str, value: float) -> tuple[float, float]:
        across = _MARGIN + (PLOT_WIDTH - 2 * _MARGIN) * (days[date] - first) / max(1, last - first)
        return round(across, 1), round(_TOP + (PLOT_HEIGHT - 2 * _TOP) * (1 - value / most), 1)

    seen = [at(date, value) for date, value, _ in told]
    return {
        "seen": seen,
        "line": " ".join(f"{x:g},{y:g}" for x, y in seen),
        "allowed": " ".join("{:g},{:g}".format(*at(date, value)) for date, _, value in told),
        "level": at(*told[-1][::2])[1],
        "own": [at(date, value) for date, value in own],
        "first": min(days, key=days.__getitem__),
        "last": max(days, key=days.__getitem__),
    }
