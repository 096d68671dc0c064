"""Whether the newest date's songs are farther from those that the champion learned from than quiet dates come to lie.

What it learned from are whole dates, and a song that stays in the charts stands on many of them: each date counts
alike, as a song of the newest date would have been met on it. In the training set, what stayed for a day counts as much
as what stayed for a month: a date would differ from it even if nothing ever changed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lyrics_assets.model.drift.champion import NOT_KNOWN, Answers
from lyrics_assets.model.drift.dates import Dates, Shown
from lyrics_assets.model.drift.findings import (
    DISTANCE,
    MIN_ARTISTS,
    MIN_SONGS,
    SONGS,
    Findings,
    Options,
    difference,
    told,
    too_few,
)
from lyrics_assets.model.drift.measures import (
    OF_UNSEEN,
    Counted,
    Measure,
    build_measures,
    count_by_artist,
    count_songs,
)
from lyrics_assets.model.drift.quiet import Floats, Stratum, distances, draw_units, learn_bounds

_DRAWS_AT_ONCE = 250
"""More would take more memory, and no less time."""


def compare_songs(
    dates: Dates, learned: Sequence[Shown], newest: Shown, answers: Answers | None, options: Options
) -> tuple[Findings, list[dict[str, Any]]]:
    """Return how far the newest date is from the learned ones by measure, and how far each of those is from them all.

    Args:
        dates: by what all dates were read.
        learned: the dates that the champion learned from, oldest first, at least one.
        newest: the date to judge; it may be one of them.
        answers: what the champion says of songs that are new to it; None if it is not known which are.
        options: how far is too far.
    """
    measures = build_measures(dates, learned, newest, answers)
    not_measured = {} if answers else dict.fromkeys(OF_UNSEEN, NOT_KNOWN)
    sizes: dict[str, tuple[int, int]] = {}
    for name, measure in measures.items():
        now, before = (count_songs(shown, measure, dates) for shown in ([newest], learned))
        sizes[name] = now[0], before[0]
        for (n, n_artists), where in ((now, f"on {newest.date}"), (before, "on the learned dates")):
            if n < MIN_SONGS or n_artists < MIN_ARTISTS:
                not_measured[name] = too_few(n, n_artists, f"{measure.of} {where}".strip())
    measures = {name: measure for name, measure in measures.items() if name not in not_measured}
    if not measures:
        return Findings({}, not_measured), []
    stock = _Stock(dates, learned, measures)
    own = [stock.differences(date) for date in learned]
    seen = {name: np.array([row[name]["seen"] for row in own]) for name in measures}
    quiet = stock.quiet_distances(len(newest.texts), options.n_draws, options.seed)
    allowed = learn_bounds(quiet, seen, options.false_alarm_rate, options.floor)
    found = {}
    for name, apart in stock.differences(newest).items():
        n, n_before = sizes[name]
        found[name] = told(SONGS, apart.pop("seen"), allowed[name], n, DISTANCE, n_before=n_before, **apart)
    series = [
        {"date": str(date.date), **{name: float(seen[name][place]) for name in measures}}
        for place, date in enumerate(learned)
    ]
    return Findings(found, not_measured), series


class _Stock:
    """The dates that the champion learned from, counted by measure and artist."""

    def __init__(self, dates: Dates, learned: Sequence[Shown], measures: dict[str, Measure]) -> None:
        self._dates, self._measures = dates, measures
        artists = np.unique(np.concatenate([dates.artists[shown.recordings] for shown in learned]))
        self._counts = {
            name: np.zeros((len(artists), len(measure.categories)), dtype=np.float32)
            for name, measure in measures.items()
        }
        self._songs = np.zeros((len(artists), len(dates.genres)))
        """Of each artist in each genre, on all dates together."""
        self._times: Floats = np.zeros(len(artists), dtype=np.float32)
        """Dates on which each artist stood."""
        for shown in learned:
            counted = self._count(shown)
            rows = np.searchsorted(artists, counted.artists)
            self._times[rows] += 1
            np.add.at(self._songs, (np.searchsorted(artists, dates.artists[shown.recordings]), shown.genres), 1)
            for name, counts in counted.counts.items():
                self._counts[name][rows] += counts

    def differences(self, shown: Shown) -> dict[str, dict[str, Any]]:
        """Return how far a date is from all learned ones together, by measure, and what moved most."""
        counts = self._count(shown).counts
        return {
            name: difference(self._counts[name], counts[name], measure.categories, measure.grows)
            for name, measure in self._measures.items()
        }

    def quiet_distances(self, n_songs: int, n_draws: int, seed: int) -> dict[str, Floats]:
        """Return how far dates of so many songs come to lie if nothing changes, by measure: one distance a draw.

        A draw makes a date of artists, each drawn as often as it stood on the learned dates and with the songs that it
        had there on the average; and the learned dates anew, of as many artists as they have. A chart holds so many
        songs whoever sings them: each genre's artists are drawn by themselves. Both sides are drawn apart, as if no
        song stood on both: real dates, which share most of theirs, differ less and raise fewer alarms, until the songs
        of the learned dates are gone.
        """
        rng = np.random.default_rng(seed)
        all_dates, one_date = self._strata(n_songs)
        found: dict[str, list[Floats]] = {name: [] for name in self._measures}
        for times in _parts(n_draws, -(-n_draws // _DRAWS_AT_ONCE)):
            before = draw_units(all_dates, len(self._times), times, rng)
            now = draw_units(one_date, len(self._times), times, rng) / self._times
            for name, counts in self._counts.items():
                found[name].append(distances(before @ counts, now @ counts))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def _strata(self, n_songs: int) -> tuple[list[Stratum], list[Stratum]]:
        """Return what is drawn to make the learned dates anew, and what to make a date of so many songs."""
        genres, songs = self._songs.argmax(axis=1), self._songs.sum(axis=1)
        all_dates, one_date = [], []
        for genre in np.unique(genres):
            units = np.flatnonzero(genres == genre)
            times = self._times[units]
            # An artist of the genre has on a date, on the average, so many songs.
            songs_a_time = songs[units].sum() / times.sum()
            wanted = n_songs * songs[units].sum() / songs.sum()
            all_dates.append(Stratum(units, np.ones(len(units)), len(units)))
            one_date.append(Stratum(units, times, max(1, round(wanted / songs_a_time))))
        return all_dates, one_date

    def _count(self, shown: Shown) -> Counted:
        return count_by_artist(shown, self._measures, self._dates)


def _parts(total: int, n_parts: int) -> list[int]:
    """Return a total parted as evenly as whole numbers allow."""
    return [total // n_parts + (part < total % n_parts) for part in range(n_parts)]
