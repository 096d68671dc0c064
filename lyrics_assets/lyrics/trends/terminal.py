"""A trends report on a terminal, or plain where the output is none."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lyrics_assets.lyrics.trends.page import distance_rows, genre_rows, periods, theme_rows, word_rows

SHOWN_DATES = 14
"""Of the series of a genre, the newest ones."""


def print_trends(report: dict[str, Any], console: Console, genre: str | None = None) -> None:
    """Print the report: all genres side by side, or one genre in full.

    Args:
        report: what `measure_trends` returned.
        console: where to print.
        genre: one of the report's genres; all if None.
    """
    dates = report["dates"]
    console.print(Text(f"Trends{f' of {genre}' if genre else ''}, {dates[0]} to {dates[-1]}", style="bold"))
    console.print(Text(f"{len(dates)} dates. {periods(report)}"))
    for note in report["notes"]:
        console.print(Text(note, style="yellow"))
    if genre and not report["notes"] and not report["genres"][genre]["compared"]["themes"]:
        console.print(Text(f"Too few songs of {genre} in one of the periods: no word, no theme is compared.", "yellow"))
    if genre is None:
        _print_table(console, f"Genres on {dates[-1]}", genre_rows(report))
    else:
        _print_table(console, "Songs by date", _series_rows(report["genres"][genre])[-SHOWN_DATES:])
        _print_table(console, "Themes", _theme_shares(report["genres"][genre]))
    mine = [row for row in word_rows(report) if genre in (None, row["genre"])]
    _print_table(console, "Words beyond chance", mine)
    if genre is not None and not mine:
        unsure = [row for row in word_rows(report, beyond_chance=False) if row["genre"] == genre and not row["kind"]]
        _print_table(console, "The strongest words that chance may have moved", unsure)
    _print_table(console, "Themes beyond chance", [row for row in theme_rows(report) if genre in (None, row["genre"])])
    _print_table(console, "Pairs of genres that moved beyond chance", _moved(report, genre))
    if genre is not None:
        _print_table(console, f"Nearest genres on {dates[-1]}", _nearest(report, genre))
        console.print(Text("\nSongs that came (+) and left (-)", "bold"))
        for sign, part in (("+", "entering"), ("-", "leaving")):
            for song in report["genres"][genre][part]:
                console.print(Text(f" {sign} {song['title']}, {song['artist']}"))


def _print_table(console: Console, title: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        console.print(Text(f"\n{title}: none", style="dim"))
        return
    console.print()
    table = Table(title=title, title_justify="left", title_style="bold")
    for name, value in rows[0].items():
        # Counts such as "3 of 80" begin with a digit too.
        is_number = not isinstance(value, str) or value[:1].isdigit() or value[:1] in "–+-"
        table.add_column(name, justify="right" if is_number and value != "" else "left")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row.values()))
    console.print(table)


def _series_rows(genre: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for row in genre["series"]:
        counts = {name: "–" if row[name] is None else row[name] for name in ("songs", "entered", "stayed", "left")}
        rows.append({"date": row["date"]} | counts | {"translated": f"{row['translated']} of {row['songs']}"})
    return rows


def _theme_shares(genre: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each theme on the first and on the newest date, most frequent first."""
    rows = []
    total = genre["series"][-1]["songs"]
    for name, theme in sorted(genre["themes"].items(), key=lambda item: -item[1]["songs"][-1]):
        first, newest = (_percent(theme["share"][place]) for place in (0, -1))
        rows.append(
            {
                "theme": name,
                "first date": first,
                "newest date": newest,
                "songs": f"{theme['songs'][-1]} of {total}",
                "95 % interval": f"{_percent(theme['low'][-1])} to {_percent(theme['high'][-1])}",
            }
        )
    return rows


def _moved(report: dict[str, Any], genre: str | None) -> list[dict[str, Any]]:
    return [row for row in distance_rows(report) if genre is None or genre in row["genres"].split(" and ")]


def _nearest(report: dict[str, Any], genre: str) -> list[dict[str, Any]]:
    """Return the five genres whose words are the least apart beyond what so few songs give."""
    pairs = [pair for pair in report["distances"]["pairs"] if genre in pair["genres"]]
    return [
        {
            "genre": next(name for name in pair["genres"] if name != genre),
            "distance": f"{pair['distance']:.3f}",
            "by chance": f"{pair['by_chance']:.3f}",
        }
        for pair in sorted(pairs, key=lambda pair: pair["distance"] - pair["by_chance"])[:5]
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
