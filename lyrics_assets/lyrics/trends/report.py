"""How genres change over the dates of the store: songs that come and go, words and themes that rise and fall.

Each date is read once and only one is held at a time. Of a text is kept which words it has, in no order, and not how
often: a refrain is no trend, and no lyric can be told from a report.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrics_assets.lyrics.lexicon import THEME_WORDS, THEMES
from lyrics_assets.lyrics.trends.comparison import MIN_ARTISTS_WITH_WORD, MIN_SONGS_WITH_WORD, compare_periods
from lyrics_assets.lyrics.trends.distances import distances
from lyrics_assets.lyrics.trends.history import MIN_SONGS, History, Shown, rounded
from lyrics_assets.lyrics.trends.statistics import CHANCE, SHUFFLES, wilson_interval

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW_DAYS = 90
"""Days up to the newest date that a report looks at, unless it is told otherwise."""
RECENT_DAYS = 28
"""Days of the later period: what came in them is set against what was there before."""
LISTED_SONGS = 10


def measure_trends(
    dates: Sequence[dt.date],
    read: Callable[[dt.date], "pa.Table"],
    previous: dt.date | None = None,
    recent_days: int = RECENT_DAYS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the whole report as JSON values.

    Words and themes are compared between the songs that a genre already had in the earlier period and those that
    came in the later one. A text counts once, whatever the recordings, covers and dates; a text that was there before
    is not new. Whatever is named a trend stands out among `SHUFFLES` shuffles of the periods (see `shuffled_sides`).

    Args:
        dates: the dates of the window, oldest first, at least one.
        read: returns COLUMNS of a date's songs.
        previous: the date stored before the window, to tell what entered and left on its first date.
        recent_days: length of the later period in days; see `split_periods`.
        seed: of the shuffles.
    """
    started = time.perf_counter()
    earlier, later = split_periods(dates, recent_days)
    history = History(previous is not None)
    if previous is not None:
        history.compare_with(read(previous))
    for date in dates:
        history.add(date, read(date), is_later=date in later, is_end=date in (dates[0], dates[-1]))
    report: dict[str, Any] = {
        "dates": [date.isoformat() for date in dates],
        "previous_date": previous.isoformat() if previous else None,
        "earlier": _span(earlier),
        "later": _span(later),
        "method": _method(seed),
        "total": {"series": history.total.series},
        "genres": _describe(history),
        "distances": distances(history, dates, np.random.default_rng(seed)),
    }
    if earlier:
        for name, compared in compare_periods(history, np.random.default_rng(seed)).items():
            report["genres"][name]["compared"] = compared
    report["notes"] = _notes(report)
    report["seconds"] = round(time.perf_counter() - started, 2)
    return report


def window(
    stored: Sequence[dt.date], since: dt.date | None = None, until: dt.date | None = None, days: int = WINDOW_DAYS
) -> tuple[list[dt.date], dt.date | None]:
    """Return the stored dates to look at, and the one stored before them, if there is one.

    Args:
        stored: the dates of the store, oldest first.
        since: the first date to look at; if None, `days` up to the newest one.
        until: the last date to look at; the newest stored one if None.
        days: length of the window if `since` is None.
    """
    known = [date for date in stored if until is None or date <= until]
    if not known:
        return [], None
    start = since or known[-1] - dt.timedelta(days=days - 1)
    before = [date for date in known if date < start]
    return known[len(before) :], before[-1] if before else None


def split_periods(dates: Sequence[dt.date], recent_days: int) -> tuple[list[dt.date], list[dt.date]]:
    """Return the dates of the earlier and of the later period; the later one is `recent_days` up to the newest date.

    If all dates are as recent, the first alone is the earlier period. One date alone has nothing before it.
    """
    start = dates[-1] - dt.timedelta(days=recent_days - 1)
    earlier = [date for date in dates if date < start] or list(dates[:-1][:1])
    return earlier, list(dates[len(earlier) :])


def _describe(history: History) -> dict[str, dict[str, Any]]:
    """Return what each genre had on each date."""
    described = {}
    for name, genre in sorted(history.genres.items()):
        songs = [row["songs"] for row in genre.series]
        themes = {}
        for theme in THEMES:
            counts = [found[theme] for found in genre.themes]
            ends = [wilson_interval(count, total) for count, total in zip(counts, songs, strict=True)]
            themes[theme] = {
                "songs": counts,
                "share": [rounded(count / n) if n else None for count, n in zip(counts, songs, strict=True)],
                "low": [rounded(end.low) for end in ends],
                "high": [rounded(end.high) for end in ends],
            }
        compared = genre.series[-1]["entered"] is not None
        described[name] = {
            "series": genre.series,
            "entering": _listed(genre.entering) if compared else [],
            "leaving": _listed(genre.leaving) if compared else [],
            "themes": themes,
            "compared": None,
        }
    return described


def _notes(report: dict[str, Any]) -> list[str]:
    """Return sentences on what the report cannot tell."""
    if len(report["dates"]) == 1:
        return ["One date is stored in the window: a trend needs two. Only what stands on that date is shown."]
    rows = [
        row
        for genre in report["genres"].values()
        for part in ("rising", "falling", "themes")
        for row in genre["compared"][part]
    ]
    if not rows:
        return [
            f"No genre has {MIN_SONGS} songs before and {MIN_SONGS} new ones: no word or theme can be compared yet."
        ]
    if not any(row["beyond_chance"] for row in rows):
        return ["Nothing beyond chance: shuffled periods hold changes of words and themes as large as those found."]
    return []


def _method(seed: int) -> dict[str, Any]:
    return {
        "words": "log-odds ratio with an informative Dirichlet prior (the genre's own words), z; a song counts once",
        "themes": f"lexicon of this project, {THEME_WORDS} different words a song; two-proportion z; Wilson intervals",
        "distances": "Jensen-Shannon distance, base 2, 0 to 1, of shares of songs' different words",
        "chance": "share of shuffles of the periods, whole artists at a time, with any figure of its kind as large",
        "beyond_chance_at_most": CHANCE,
        "shuffles": SHUFFLES,
        "seed": seed,
        "min_songs": MIN_SONGS,
        "min_songs_with_word": MIN_SONGS_WITH_WORD,
        "min_artists_with_word": MIN_ARTISTS_WITH_WORD,
    }


def _span(dates: list[dt.date]) -> dict[str, Any] | None:
    return {"first": dates[0].isoformat(), "last": dates[-1].isoformat(), "dates": len(dates)} if dates else None


def _listed(songs: list[Shown]) -> list[dict[str, Any]]:
    best = sorted(songs, key=lambda song: (song.rank is None, song.rank, song.title, song.artist))
    return [{"title": song.title, "artist": song.artist, "rank": song.rank} for song in best[:LISTED_SONGS]]
