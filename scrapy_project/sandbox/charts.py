"""How the sites move from one date to the next: which songs stand, in which order, seen how often.

Everything is a function of the seed, the song and the date. Nothing remembers what was asked before.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from scrapy_project.sandbox.chance import fraction, fractions
from scrapy_project.sandbox.songbook import Song

# Each song is away for AWAY_DAYS of every CYCLE_DAYS, so about 93 % of the songs stand on any date. A song that comes
# back plays a release, one that goes plays a removal.
CYCLE_DAYS = 150
AWAY_DAYS = 10
SMALLEST_MOVING_GENRE = 10
"""Songs. A genre of fewer stays whole: a songbook of a few songs shows all of them on every date."""

_VIEWS_SINCE = date(2010, 1, 1).toordinal()


class Charts:
    """The movement of one songbook under one seed, the same on both sites."""

    def __init__(self, songs: Iterable[Song], seed: int) -> None:
        self._seed = seed
        self._away_from = _spread_over_cycle(songs, seed)

    def stands(self, song: Song, day: date) -> bool:
        """Tell whether the sites have the song on that date; always true for a song of no songbook."""
        start = self._away_from.get(song)
        return start is None or (day.toordinal() - start) % CYCLE_DAYS >= AWAY_DAYS

    def ranked(self, songs: list[Song], chart: str, day: date) -> list[Song]:
        """Return those of `songs` that stand on that date, the most popular one of this chart first."""
        places = {song: self._place(song, chart, day, len(songs)) for song in songs if self.stands(song, day)}
        return sorted(places, key=places.__getitem__)

    def views(self, song: Song, day: date) -> int:
        """Return how often the song was seen until that date."""
        at_first, a_day, _, _ = fractions("views", self._seed, song.key)
        days = max(0, day.toordinal() - _VIEWS_SINCE)
        # A power of ten spreads them as on the sites: many songs with few views, few with millions.
        return int(10 ** (3 + 3 * at_first)) + days * (1 + int(10 ** (3 * a_day)))

    def _place(self, song: Song, chart: str, day: date, n_songs: int) -> float:
        base, fast, slow, period = fractions("place", self._seed, chart, song.key)
        weeks = math.sin(2 * math.pi * (day.toordinal() / (15 + 15 * period) + fast))
        seasons = math.sin(2 * math.pi * (day.toordinal() / (200 + 200 * period) + slow))
        return n_songs * (base + 0.1 * seasons) + min(3.0, n_songs / 6) * weeks


def _spread_over_cycle(songs: Iterable[Song], seed: int) -> dict[Song, int]:
    """Return the day of the cycle on which each song goes; within a genre the days are spread evenly."""
    by_genre: defaultdict[str, list[Song]] = defaultdict(list)
    for song in songs:
        by_genre[song.genre].append(song)
    away_from: dict[Song, int] = {}
    for genre, members in by_genre.items():
        if len(members) < SMALLEST_MOVING_GENRE:
            continue
        # Genres start at different days: otherwise every genre of the same size would change on the same dates.
        offset = fraction("offset", seed, genre) * CYCLE_DAYS
        members.sort(key=lambda song: fraction("away", seed, song.key))
        for number, song in enumerate(members):
            away_from[song] = int(offset + number * CYCLE_DAYS / len(members)) % CYCLE_DAYS
    return away_from
