"""A trends report to look at: its tables, its page, its pictures. No figure is made here."""

import base64
import datetime as dt
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lyrics_assets.lyrics.lexicon import THEME_OF, THEMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Report = dict[str, Any]
Row = dict[str, Any]

CHART_WIDTH = 260
"""Units of the small charts of the page; they scale to the width of their card."""

_INK, _SOFT, _UP, _DOWN, _BLUE = "#1b2a41", "#5d6b82", "#1a7f5a", "#b3452c", "#4a7fc1"


def genre_rows(report: Report) -> list[Row]:
    """Return the table of the genres on the newest date."""
    rows = []
    for name, genre in report["genres"].items():
        newest, compared = genre["series"][-1], genre["compared"]
        rows.append(
            {
                "genre": name,
                "songs": newest["songs"],
                "entered": _or_dash(newest["entered"]),
                "stayed": _or_dash(newest["stayed"]),
                "left": _or_dash(newest["left"]),
                "translated": f"{newest['translated']} of {newest['songs']}",
                "new (before)": f"{compared['songs_after']} ({compared['songs_before']})" if compared else "–",
            }
        )
    return rows


def word_rows(report: Report, *, beyond_chance: bool = True) -> list[Row]:
    """Return the words that rise or fall beyond chance, with the counts behind them; or those that chance may move."""
    return [
        {
            "genre": name,
            "word": row["word"],
            "": "rises" if row["z"] > 0 else "falls",
            "songs before": f"{row['songs_before']} of {genre['compared']['songs_before']}",
            "songs new": f"{row['songs_after']} of {genre['compared']['songs_after']}",
            "artists": f"{row['artists_before']} → {row['artists_after']}",
            "z": round(row["z"], 2),
            "chance": row["chance"],
            "kind": "function word" if row["function_word"] else "",
        }
        for name, genre in report["genres"].items()
        if genre["compared"]
        for row in genre["compared"]["rising"] + genre["compared"]["falling"]
        if row["beyond_chance"] is beyond_chance
    ]


def theme_rows(report: Report) -> list[Row]:
    """Return the themes that rise or fall beyond chance, with the counts behind them."""
    return [
        {
            "genre": name,
            "theme": row["theme"],
            "": "rises" if row["z"] > 0 else "falls",
            "songs before": f"{row['songs_before']} of {genre['compared']['songs_before']}",
            "songs new": f"{row['songs_after']} of {genre['compared']['songs_after']}",
            "growth": f"{100 * row['growth']:+.0f} points",
            "95 % interval": f"{100 * row['growth_interval'][0]:+.0f} to {100 * row['growth_interval'][1]:+.0f}",
            "chance": row["chance"],
        }
        for name, genre in report["genres"].items()
        if genre["compared"]
        for row in genre["compared"]["themes"]
        if row["beyond_chance"]
    ]


def distance_rows(report: Report) -> list[Row]:
    """Return the pairs of genres whose vocabularies moved beyond chance, largest move first."""
    pairs = [pair for pair in report["distances"]["pairs"] if pair["change"] and pair["change"]["beyond_chance"]]
    return [
        {
            "genres": " and ".join(pair["genres"]),
            "": "apart" if pair["change"]["moved"] > pair["change"]["moved_by_chance"][1] else "closer",
            "distance": f"{pair['change']['first_distance']:.3f} → {pair['distance']:.3f}",
            "moved": f"{pair['change']['moved']:+.3f}",
            "by chance": "{:+.3f} to {:+.3f}".format(*pair["change"]["moved_by_chance"]),
            "songs": " and ".join(
                f"{before} → {after}"
                for before, after in zip(pair["change"]["songs_before"], pair["change"]["songs_after"], strict=True)
            ),
        }
        for pair in sorted(pairs, key=lambda pair: -abs(pair["change"]["moved"]))
    ]


def periods(report: Report) -> str:
    """Return a sentence on what was compared with what."""
    earlier, later = report["earlier"], report["later"]
    if not earlier:
        return f"One date, {later['first']}: nothing to compare it with."
    spans = [
        f"{span['first']} to {span['last']} ({span['dates']} dates)" if span["dates"] > 1 else span["first"]
        for span in (earlier, later)
    ]
    return f"Songs that came in {spans[1]} against those that were there in {spans[0]}."


def render_html(report: Report) -> str:
    """Return the report as one self-contained page, light or dark as its reader's screen is."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    dates = [dt.date.fromisoformat(date) for date in report["dates"]]
    most_songs = max((row["songs"] for genre in report["genres"].values() for row in genre["series"]), default=0)
    most_moved = max(
        (
            row[key] or 0
            for genre in report["genres"].values()
            for row in genre["series"]
            for key in ("entered", "left")
        ),
        default=0,
    )
    return environment.get_template("page.html.j2").render(
        report=report,
        periods=periods(report),
        genre_rows=genre_rows(report),
        theme_rows=theme_rows(report),
        distance_rows=distance_rows(report),
        words=word_rows(report),
        themes=THEMES,
        lexicon={theme: [word for word, of in THEME_OF.items() if of == theme] for theme in THEMES},
        places=_places(dates),
        most_songs=max(most_songs, 1),
        most_moved=max(most_moved, 1),
        distances=_matrix(report),
        width=CHART_WIDTH,
        line=_line,
        band=_band,
    )


def pictures(report: Report) -> dict[str, bytes]:
    """Return PNGs, some tens of kilobytes each: songs by date, words, themes, distances; those that have a figure."""
    drawn = {
        "songs_by_date": _draw_songs(report),
        "words": _draw_words(report),
        "themes": _draw_themes(report),
        "distances": _draw_distances(report),
    }
    return {name: _png(figure) for name, figure in drawn.items() if figure is not None}


def as_markdown_image(name: str, picture: bytes) -> str:
    """Return a PNG as Markdown that holds it."""
    return f"![{name}](data:image/png;base64,{base64.b64encode(picture).decode('ascii')})"


def _places(dates: Sequence[dt.date]) -> list[float]:
    """Return where each date stands on an axis as wide as a chart; in the middle if there is one alone."""
    days = (dates[-1] - dates[0]).days
    margin = 6
    if not days:
        return [CHART_WIDTH / 2]
    return [round(margin + (CHART_WIDTH - 2 * margin) * (date - dates[0]).days / days, 1) for date in dates]


def _line(places: Sequence[float], values: Sequence[float | None], height: float, top: float, most: float) -> str:
    """Return the points of an SVG line; `most` is drawn `height` above 0, which stands at `top` + `height`."""
    return " ".join(
        f"{x:g},{top + height - height * value / most:.1f}"
        for x, value in zip(places, values, strict=True)
        if value is not None
    )


def _band(
    places: Sequence[float], low: Sequence[float], high: Sequence[float], height: float, top: float, most: float
) -> str:
    """Return the points of an SVG area between two lines."""
    upper, lower = _line(places, high, height, top, most), _line(places, low, height, top, most)
    return f"{upper} {' '.join(reversed(lower.split()))}"


def _matrix(report: Report) -> dict[str, dict[str, Row]]:
    """Return the distances by both genres of each pair, with how deep a cell is shaded, 0 to 1."""
    pairs = report["distances"]["pairs"]
    # Of as many songs of one vocabulary: a genre of few songs would else seem far from every other.
    beyond = [max(pair["distance"] - pair["by_chance"], 0.0) for pair in pairs]
    least = min(beyond, default=0.0)
    span = max(beyond, default=0.0) - least or 1.0
    found: dict[str, dict[str, Row]] = {name: {} for name in report["distances"]["genres"]}
    for pair, value in zip(pairs, beyond, strict=True):
        one, other = pair["genres"]
        found[one][other] = found[other][one] = pair | {"beyond": value, "shade": 0.1 + 0.9 * (value - least) / span}
    return found


def _draw_songs(report: Report) -> "Figure | None":
    """Draw songs that entered and left each genre on each date."""
    from matplotlib.figure import Figure

    if len(report["dates"]) < 2:
        return None
    names = list(report["genres"])
    columns = min(5, len(names))
    rows = -(-len(names) // columns)
    # Fixed: to let Matplotlib find the room for fifteen charts takes as long as to draw them.
    width, height = 2.1 * columns, 1.15 * rows + 0.5  # inches
    figure = Figure(figsize=(width, height))
    sides = {"left": 0.4 / width, "right": 1 - 0.1 / width, "bottom": 0.1 / height, "top": 1 - 0.5 / height}
    figure.subplots_adjust(**sides, wspace=0.08, hspace=0.3)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    days = [dt.date.fromisoformat(date).toordinal() for date in report["dates"]]
    for axes, name in zip(grid.flat, names, strict=False):
        series = report["genres"][name]["series"]
        axes.bar(days, [row["entered"] or 0 for row in series], color=_UP, width=0.9)
        axes.bar(days, [-(row["left"] or 0) for row in series], color=_DOWN, width=0.9)
        axes.axhline(0, color=_SOFT, linewidth=0.5)
        axes.set_title(f"{name}: {series[-1]['songs']}", fontsize=8, color=_INK, y=1)
    for axes in grid.flat:
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=7, labelcolor=_SOFT)
        axes.set_xticks([])
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    figure.suptitle(
        f"Songs entered (green), left (red), {report['dates'][0]} to {report['dates'][-1]}; beside the name: songs now",
        fontsize=8,
        color=_INK,
    )
    return figure


def _draw_words(report: Report) -> "Figure | None":
    """Draw the words beyond chance, the strongest of all genres."""
    from matplotlib.figure import Figure

    rows = sorted(word_rows(report), key=lambda row: -abs(row["z"]))[:24]
    if not rows:
        return None
    rows.sort(key=lambda row: row["z"])
    figure = Figure(figsize=(7.5, 0.24 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(rows)), [row["z"] for row in rows], color=[_UP if row["z"] > 0 else _DOWN for row in rows])
    axes.set_yticks(range(len(rows)), [f"{row['word']} · {row['genre']}" for row in rows])
    for place, row in enumerate(rows):
        counts = f" {row['songs before']} → {row['songs new']} "
        axes.text(row["z"], place, counts, va="center", ha="left" if row["z"] > 0 else "right", fontsize=7, color=_INK)
    axes.margins(x=0.25)
    axes.set_xlabel("z of the log-odds ratio; songs before → new songs", fontsize=8)
    axes.axvline(0, color=_SOFT, linewidth=0.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    return figure


def _draw_themes(report: Report) -> "Figure | None":
    """Draw each theme's share of each genre's songs on the newest date."""
    shares = {
        name: [100 * (genre["themes"][theme]["share"][-1] or 0) for theme in THEMES]
        for name, genre in report["genres"].items()
        if genre["series"][-1]["songs"]
    }
    return _heat_map(
        list(shares.values()), list(shares), list(THEMES), "%.0f", f"Songs with each theme, %, {report['dates'][-1]}"
    )


def _draw_distances(report: Report) -> "Figure | None":
    matrix = _matrix(report)
    names = list(matrix)
    if len(names) < 2:
        return None
    values = [[matrix[one][other]["distance"] if one != other else None for other in names] for one in names]
    return _heat_map(values, names, names, "%.2f", f"Distance of vocabularies, 0 to 1, {report['dates'][-1]}")


def _heat_map(
    values: Sequence[Sequence[float | None]], rows: list[str], columns: list[str], form: str, title: str
) -> "Figure":
    import numpy as np
    from matplotlib.figure import Figure

    table = np.array(values, dtype=float)
    figure = Figure(figsize=(0.5 * len(columns) + 1.8, 0.3 * len(rows) + 1.6), layout="constrained")
    axes = figure.subplots()
    low, high = np.nanmin(table), np.nanmax(table)
    axes.imshow(table, cmap="Blues", aspect="auto", vmin=low, vmax=max(high, low + 1e-9))
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    for (row, column), value in np.ndenumerate(table):
        if not np.isnan(value):
            shade = "white" if value > (low + high) / 2 else _INK
            axes.text(column, row, form % value, ha="center", va="center", fontsize=7, color=shade)
    axes.set_title(title, fontsize=9, color=_INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    return figure


def _png(figure: "Figure") -> bytes:
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=85)
    # Dagster keeps metadata in its event log: 64 colours take a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(64).save(packed, format="png", optimize=True)
    return packed.getvalue()


def _or_dash(value: int | None) -> int | str:
    return "–" if value is None else value
