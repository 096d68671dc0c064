"""The drift report: songs, performance, traffic and ages in one, as JSON values."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lyrics_assets.model.drift.champion import Served, ask_champion
from lyrics_assets.model.drift.dates import Dates, Shown
from lyrics_assets.model.drift.findings import AGE, MENDED_BY_TRAINING, Findings, Options, told
from lyrics_assets.model.drift.performance import measure_performance
from lyrics_assets.model.drift.songs import compare_songs
from lyrics_assets.model.drift.words import find_words

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DATES = 30
"""Of the dates that the champion learned from, so many at most are read: the cost is bounded, and more tell no more."""
FEW_DATES = 7
"""Of fewer, how much dates differ among themselves is hardly known: then nearly all is learned from other artists."""


class DriftError(ValueError):
    """Nothing can be compared; the message says what to do."""


def learned_dates(stored: Sequence[dt.date], served: Served, most: int = MAX_DATES) -> list[dt.date]:
    """Return the stored dates of the champion's window, evenly spaced if they are more than `most`, with both ends.

    Raises:
        DriftError: the version does not say which dates it learned from, or the store holds none of them.
    """
    try:
        first, last = (dt.date.fromisoformat(served.tags[f"{end}_extraction_date"]) for end in ("first", "last"))
    except (KeyError, ValueError) as error:
        raise DriftError(
            f"version {served.version} does not say which dates it learned from: materialize genre_classifier again"
        ) from error
    dates = [date for date in stored if first <= date <= last]
    if not dates:
        raise DriftError(
            f"version {served.version} learned from {first} to {last}, of which the feature store holds no date: "
            "materialize genre_classifier again"
        )
    chosen = np.unique(np.linspace(0, len(dates) - 1, min(most, len(dates))).round().astype(int))
    return [dates[place] for place in chosen]


def measure_drift(
    newest: dt.date,
    learned: Sequence[dt.date],
    read: "Callable[[dt.date], pa.Table]",
    served: Served,
    options: Options | None = None,
) -> dict[str, Any]:
    """Return the report on a date's songs; `add` puts in what else was found.

    Args:
        newest: the date to judge.
        learned: the dates that the champion learned from, see `learned_dates`.
        read: returns `dates.COLUMNS` of a date's songs; asked once a date.
        served: the champion.
        options: how far is too far.
    """
    started = time.perf_counter()
    options = options or Options()
    dates = Dates()
    shown = {date: dates.add(date, read(date)) for date in sorted({*learned, newest})}
    before, now = [shown[date] for date in learned], shown[newest]
    answers = ask_champion(dates, list(shown.values()), served)
    songs, own = compare_songs(dates, before, now, answers, options)
    report: dict[str, Any] = {
        "date": str(newest),
        "champion": {"version": served.version, "trained_at": served.tags.get("trained_at")},
        "learned": _describe_learned(dates, before, own),
        "songs": len(now.texts),
        "new_songs": _count_new(before, now),
        "drifted": [],
        "warned": [],
        "measures": {},
        "not_measured": {},
        "genres": _genre_shares(dates, before, now),
        "words": find_words(dates, before, now),
        "notes": [],
        "method": {
            "false_alarm_rate": options.false_alarm_rate,
            "floor": options.floor,
            "draws": options.n_draws,
            "seed": options.seed,
        },
    }
    if len(before) < FEW_DATES:
        report["notes"].append(
            f"The champion learned from {len(before)} stored {'date' if len(before) == 1 else 'dates'}: how much quiet "
            "dates differ among themselves is hardly known, so the bounds come from drawing its songs by artist."
        )
    if newest in learned:
        report["notes"].append(f"The champion learned from {newest} itself: no song is newer than what it knows.")
    add(report, songs)
    add(report, measure_performance(dates, now, answers, served, options.seed))
    report["seconds"] = round(time.perf_counter() - started, 2)
    return report


def measure_ages(stored: dt.date, today: dt.date, now: dt.datetime, served: Served, options: Options) -> Findings:
    """Return how many days old the newest date is, and how many days ago the champion was trained.

    Args:
        stored: the newest date of the feature store.
        today: the date by which it is counted.
        now: the moment, UTC.
        served: the champion.
        options: how old is too old.
    """
    data = told(AGE, (today - stored).days, options.max_data_age_days, None, "days since the newest date")
    trained_at = served.tags.get("trained_at")
    if trained_at is None:
        return Findings({"data_age": data}, {"model_age": "the champion's version does not say when it was trained"})
    days = (now - dt.datetime.fromisoformat(trained_at)).days
    model = told(AGE, days, options.max_model_age_days, None, "days since the champion was trained")
    return Findings({"data_age": data, "model_age": model}, {})


def add(report: dict[str, Any], findings: Findings) -> None:
    """Put findings into a report: what training can mend counts as drift beyond its bound, all else as a warning."""
    report["measures"] |= findings.measures
    report["not_measured"] |= findings.not_measured
    report["notes"] += findings.notes
    for name, measure in findings.measures.items():
        if measure["beyond"]:
            where = report["drifted" if measure["kind"] in MENDED_BY_TRAINING else "warned"]
            where.append(name)
            where.sort()


def _count_new(learned: Sequence[Shown], newest: Shown) -> int:
    """Return how many songs of the newest date stood on none of the learned ones."""
    return len(np.setdiff1d(newest.recordings, np.concatenate([shown.recordings for shown in learned])))


def _describe_learned(dates: Dates, learned: Sequence[Shown], own: list[dict[str, Any]]) -> dict[str, Any]:
    recordings = np.unique(np.concatenate([date.recordings for date in learned]))
    return {
        "first": str(learned[0].date),
        "last": str(learned[-1].date),
        "dates": len(learned),
        "songs": len(recordings),
        "artists": len(np.unique(dates.artists[recordings])),
        "distances": own,
    }


def _genre_shares(dates: Dates, learned: Sequence[Shown], newest: Shown) -> list[dict[str, Any]]:
    """Return the share of each genre among the learned dates' songs and the newest date's."""
    codes = np.concatenate([shown.genres for shown in learned]), newest.genres
    before, now = (np.bincount(code, minlength=len(dates.genres)) / len(code) for code in codes)
    return [
        {"genre": genre, "before": float(before[code]), "now": float(now[code])}
        for genre, code in sorted(dates.genres.items())
    ]
