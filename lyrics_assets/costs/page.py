"""A report of costs to look at: its tables, its page, its pictures. No figure is made here."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrics_assets.costs import growth
from lyrics_assets.costs.report import GROWTH_DAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Report = dict[str, Any]
Row = dict[str, Any]

CHART_WIDTH = 260
"""Units of the small charts of the page; they scale to the width of their card."""
SHOWN_CHARTS = 12
"""Of the steps, the dearest ones."""
SHOWN_DATES = 14
"""Of the dates, in the table, the newest ones."""

_INK, _SOFT, _BLUE, _GREEN = "#1b2a41", "#5d6b82", "#4a7fc1", "#1a7f5a"
_MARGIN = 6


def step_rows(report: Report, *, checks: bool | None = None) -> list[Row]:
    """Return the table of the steps, dearest first: of all, of the checks alone, or of all others."""
    return [
        {
            "step": step["name"],
            "runs": f"{step['runs']}, {step['failed']} failed" if step["failed"] else str(step["runs"]),
            "wall s": _digits(step["newest"]["wall_s"]),
            "CPU s": _digits(step["newest"]["cpu_s"]),
            "of children": _digits(step["newest"]["children_cpu_s"]),
            "peak MB": _digits(step["peak_mb"], 0),
            "child MB": _digits(step["child_peak_mb"], 0),
            "songs": _count(step["newest"]["rows_out"] or step["newest"]["rows_in"]),
            "cost": _price(step["cost"], "now"),
            "norm": f"{_price(step['cost'], 'norm')}{' ▲ grown' if step['cost'] and step['cost']['grown'] else ''}",
        }
        for step in report["steps"].values()
        if checks is None or step["is_check"] is checks
    ]


def date_rows(report: Report) -> list[Row]:
    """Return the table of the newest extraction dates, newest first."""
    return [
        {
            "date": date["date"],
            "songs": _count(date["songs"]),
            "pages fetched": _count(date["pages_fetched"]),
            "wall s": _digits(date["wall_s"]),
            "CPU s": _digits(date["cpu_s"]),
            "CPU ms a song": _digits(date["cpu_ms_a_song"]),
        }
        for date in reversed(report["dates"][-SHOWN_DATES:])
    ]


def store_rows(report: Report) -> list[Row]:
    """Return the table of the stores, largest first."""
    return [
        {"store": name, "size": megabytes(store["bytes"]), "a day": change(store["bytes_a_day"])}
        for name, store in report["stores"].items()
    ]


def latency_rows(report: Report) -> list[Row]:
    """Return the table of the service's answers, newest day first."""
    return [
        {
            "UTC day": day["date"],
            "model version": day["model_version"],
            "answers": day["answers"],
            "p50 ms": _digits(day["p50_ms"]),
            "p99 ms": _digits(day["p99_ms"]),
            "longest ms": _digits(day["max_ms"]),
        }
        for day in reversed(report["latency"])
    ]


def failure_rows(report: Report) -> list[Row]:
    """Return the table of the steps that did not end well, newest first."""
    return [
        {
            "began": failure["at"][:16].replace("T", " "),
            "step": failure["step"],
            "date": failure["partition"] or "–",
            "": failure["state"],
            "wall s": _digits(failure["wall_s"]),
            "run": failure["run_id"][:8],
        }
        for failure in report["failures"]
    ]


def grown_sentences(report: Report) -> list[str]:
    """Return a sentence for each step that costs more than it used to."""
    sentences = []
    for step in report["steps"].values():
        cost = step["cost"]
        if cost and cost["grown"]:
            measure = "CPU" if cost["measure"] == "cpu" else "wall"
            sentences.append(
                f"{step['name']} costs {cost['now'] / cost['norm']:.1f} times its norm: {_price(cost, 'now')} "
                f"({measure}) instead of {_price(cost, 'norm')}, the median of {cost['runs']} earlier runs like it."
            )
    return sentences


def render_html(report: Report) -> str:
    """Return the report as one self-contained page, light or dark as its reader's screen is."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    pages = [
        date["pages_fetched"] + date["pages_from_archive"] for dates in report["crawls"].values() for date in dates
    ]
    return environment.get_template("page.html.j2").render(
        report=report,
        steps=step_rows(report, checks=False),
        checks=step_rows(report, checks=True),
        dates=date_rows(report),
        stores=store_rows(report),
        latency=latency_rows(report),
        failures=failure_rows(report),
        grown=grown_sentences(report),
        charts=_charted(report),
        dearest=max((date["cpu_ms_a_song"] or 0 for date in report["dates"]), default=0) or 1,
        most_pages=max(pages, default=1) or 1,
        largest=max((store["bytes"] for store in report["stores"].values()), default=1) or 1,
        rules=growth,
        growth_days=GROWTH_DAYS,
        width=CHART_WIDTH,
        places=places,
        line=line,
        digits=_digits,
        price=_price,
        megabytes=megabytes,
        change=change,
    )


def pictures(report: Report) -> dict[str, bytes]:
    """Return PNGs, some tens of kilobytes each: steps, cost a song, pages, stores; those that have a figure."""
    drawn = {
        "steps": _draw_steps(report),
        "cost_a_song": _draw_cost(report),
        "pages": _draw_pages(report),
        "stores": _draw_stores(report),
    }
    return {name: _png(figure) for name, figure in drawn.items() if figure is not None}


def places(number: int) -> list[float]:
    """Return where each of so many runs stands on the width of a chart; in the middle if there is one alone."""
    if number == 1:
        return [CHART_WIDTH / 2]
    step = (CHART_WIDTH - 2 * _MARGIN) / max(number - 1, 1)
    return [round(_MARGIN + step * place, 1) for place in range(number)]


def line(values: Sequence[float | None], most: float, height: float, top: float) -> str:
    """Return the points of an SVG line; `most` is drawn `height` above 0, which stands at `top` + `height`."""
    return " ".join(
        f"{x:g},{top + height - height * value / (most or 1):.1f}"
        for x, value in zip(places(len(values)), values, strict=True)
        if value is not None
    )


def megabytes(size: float) -> str:
    """Return a size in the unit that fits."""
    return f"{size / 1e9:.2f} GB" if abs(size) >= 1e9 else f"{size / 1e6:.2f} MB"


def change(size: float | None) -> str:
    """Return a growth with its sign; a dash if it is not known."""
    if size is None:
        return "–"
    return f"{'+' if size >= 0 else '−'}{megabytes(abs(size))}"


def _price(cost: Row | None, name: str) -> str:
    """Return a cost a song or a run with its unit; a dash if there is none."""
    if not cost or cost[name] is None:
        return "–"
    return f"{_digits(1000 * cost[name], 2)} ms a song" if cost["unit"] == "song" else f"{_digits(cost[name])} s a run"


def _digits(value: float | None, places: int = 1) -> str:
    return "–" if value is None else f"{value:,.{places}f}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _charted(report: Report) -> list[Row]:
    """Return the dearest steps of which more than one run is known."""
    return [step for step in report["steps"].values() if len(step["series"]) > 1][:SHOWN_CHARTS]


def _draw_steps(report: Report) -> "Figure | None":
    """Draw wall and CPU seconds of the dearest steps from run to run."""
    from matplotlib.figure import Figure

    shown = _charted(report)
    if not shown:
        return None
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(2.3 * columns, 1.35 * rows + 0.4))
    _leave_room(figure, top=0.5, between=0.35)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, step in zip(grid.flat, shown, strict=False):
        for measure, colour in (("wall_s", _SOFT), ("cpu_s", _BLUE)):
            axes.plot([row[measure] for row in step["series"]], color=colour, linewidth=1.4, marker=".", markersize=3)
        axes.set_title(step["name"], fontsize=7, color=_INK, y=1)
    for number, axes in enumerate(figure.axes):
        _plain(axes)
        axes.set_visible(number < len(shown))
        axes.set_ylim(bottom=0)
        axes.set_xticks([])
    figure.suptitle("Seconds from run to run: CPU (blue), wall (grey)", fontsize=8, color=_INK)
    return figure


def _draw_cost(report: Report) -> "Figure | None":
    from matplotlib.figure import Figure

    dates = [date for date in report["dates"] if date["cpu_ms_a_song"] is not None]
    if not dates:
        return None
    figure = Figure(figsize=(7.5, 2.2))
    _leave_room(figure, bottom=0.25)
    axes = figure.subplots()
    axes.bar(range(len(dates)), [date["cpu_ms_a_song"] for date in dates], color=_BLUE, width=0.7)
    _label_dates(axes, [date["date"] for date in dates])
    axes.set_title("CPU milliseconds a song, all steps of an extraction", fontsize=9, color=_INK, y=1)
    return figure


def _draw_pages(report: Report) -> "Figure | None":
    from matplotlib.figure import Figure

    if not report["crawls"]:
        return None
    crawls = report["crawls"]
    figure = Figure(figsize=(7.5, 1.8 * len(crawls)))
    _leave_room(figure, bottom=0.25, between=0.5)
    for axes, (name, dates) in zip(figure.subplots(len(crawls), squeeze=False).flat, crawls.items(), strict=True):
        fetched = [date["pages_fetched"] for date in dates]
        axes.bar(range(len(dates)), fetched, color=_GREEN, width=0.7)
        archived = [date["pages_from_archive"] for date in dates]
        axes.bar(range(len(dates)), archived, bottom=fetched, color=_SOFT, width=0.7, alpha=0.5)
        _label_dates(axes, [date["date"] for date in dates])
        axes.set_title(f"{name}: pages fetched (green), from the archive (grey)", fontsize=9, color=_INK, y=1)
    return figure


def _draw_stores(report: Report) -> "Figure | None":
    from matplotlib.figure import Figure

    if not report["stores"]:
        return None
    names = list(reversed(report["stores"]))
    figure = Figure(figsize=(7.5, 0.28 * len(names) + 0.7), layout="constrained")
    axes = figure.subplots()
    sizes = [report["stores"][name]["bytes"] for name in names]
    axes.barh(range(len(names)), [size / 1e6 for size in sizes], color=_BLUE)
    axes.set_yticks(range(len(names)), names)
    for place, size in enumerate(sizes):
        axes.text(size / 1e6, place, f" {megabytes(size)}", va="center", fontsize=7, color=_INK)
    axes.margins(x=0.15)
    axes.set_title("What the stores take on the disk, MB", fontsize=9, color=_INK)
    _plain(axes)
    return figure


def _leave_room(figure: "Figure", *, top: float = 0.3, bottom: float = 0.1, between: float = 0) -> None:
    """Set the inches around and between charts: to let Matplotlib find them takes as long as to draw."""
    width, height = figure.get_size_inches()
    sides = {"left": 0.4 / width, "right": 1 - 0.1 / width, "bottom": bottom / height, "top": 1 - top / height}
    figure.subplots_adjust(**sides, wspace=0.25, hspace=between)


def _label_dates(axes: Any, dates: Sequence[str]) -> None:
    every = -(-len(dates) // 8)
    axes.set_xticks(range(0, len(dates), every), dates[::every])
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=7, labelcolor=_SOFT)


def _png(figure: "Figure") -> bytes:
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=85)
    # Dagster keeps metadata in its event log: 32 colours take a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(32).save(packed, format="png", optimize=True)
    return packed.getvalue()
