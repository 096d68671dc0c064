"""What is kept of the dates that a trends report looks at: counts, and which words a text has, in no order."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.lyrics.lexicon import themes_of
from lyrics_assets.lyrics.text import normalise
from lyrics_assets.lyrics.trends.statistics import Flags, Floats, Numbers, wilson_interval

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ["song_id", "title", "artist", "genre", "is_translation", "rank", "lyrics", "lyrics_group"]
"""What is read of a date."""
MIN_SONGS = 10
"""Songs that a genre must have in a period, or on a date, to be compared."""


class Shown(NamedTuple):
    """A song in a chart."""

    title: str
    artist: str
    rank: int | None
    is_translation: bool


@dataclass
class Movement:
    """The songs of a genre, or of all, from date to date."""

    series: list[dict[str, Any]] = field(default_factory=list)
    standing: dict[str, Shown] = field(default_factory=dict)
    entering: list[Shown] = field(default_factory=list)
    leaving: list[Shown] = field(default_factory=list)

    def step(self, date: dt.date, now: dict[str, Shown], *, compared: bool) -> None:
        """Go on to the next date; the first of all has nothing to be compared with."""
        before, songs = self.standing, len(now)
        self.entering = [song for key, song in now.items() if key not in before]
        self.leaving = [song for key, song in before.items() if key not in now]
        translated = sum(song.is_translation for song in now.values())
        self.series.append(
            {
                "date": date.isoformat(),
                "songs": songs,
                "entered": len(self.entering) if compared else None,
                "stayed": songs - len(self.entering) if compared else None,
                "left": len(self.leaving) if compared else None,
                "translated": translated,
                "translated_share": rounded(translated / songs) if songs else None,
                "translated_interval": [rounded(end) for end in wilson_interval(translated, songs)],
            }
        )
        self.standing = now


@dataclass
class Genre(Movement):
    """What is kept of a genre: numbers of texts, never their words in order."""

    texts: list[int] = field(default_factory=list)
    """Each text once, where it was first seen."""
    artists: list[int] = field(default_factory=list)
    is_later: list[bool] = field(default_factory=list)
    """Whether the text was first seen in the later period."""
    seen: set[int | str] = field(default_factory=set)
    ends: dict[dt.date, dict[int, int]] = field(default_factory=dict)
    """On the first and on the newest date: the artist of each text."""
    themes: list[Counter[str]] = field(default_factory=list)
    """Of each date: songs with each theme."""


class Texts:
    """The words of every text of the window, each text looked at once."""

    def __init__(self) -> None:
        self.words: list[Numbers] = []
        """Of each text: the numbers of its different words."""
        self.themes: list[list[str]] = []
        self._number_of_word: dict[str, int] = {}
        self._by_layout: dict[bytes, int] = {}
        self._by_words: dict[bytes, int] = {}

    def number(self, lyrics: str) -> int:
        """Return the number of a text, the same for texts that differ in layout, case or accents alone."""
        layout = _digest(lyrics)
        if layout not in self._by_layout:
            text = normalise(lyrics)
            words = _digest(text)
            if words not in self._by_words:
                self._by_words[words] = self._add(set(text.split()))
            self._by_layout[layout] = self._by_words[words]
        return self._by_layout[layout]

    def vocabulary(self) -> list[str]:
        """Return the words by number."""
        return list(self._number_of_word)

    def _add(self, words: set[str]) -> int:
        numbers = self._number_of_word
        # Sorted: a set's order changes from process to process, and with it which of two equal words comes first.
        self.words.append(np.array([numbers.setdefault(word, len(numbers)) for word in sorted(words)], dtype=np.int64))
        self.themes.append(themes_of(words))
        return len(self.words) - 1


class History:
    """What the dates so far have told."""

    def __init__(self, has_previous: bool) -> None:
        self.texts = Texts()
        self.total = Movement()
        self.genres: dict[str, Genre] = {}
        self.dates: list[dt.date] = []
        self._compared = has_previous
        self._artists: dict[str, int] = {}
        self._artist_of_name: dict[str, int] = {}

    def compare_with(self, songs: "pa.Table") -> None:
        """Take the songs before the first date as those that its songs entered beside."""
        for genre, shown in _by_genre(songs).items():
            self._genre(genre).standing = shown
            self.total.standing |= shown

    def add(self, date: dt.date, songs: "pa.Table", *, is_later: bool, is_end: bool) -> None:
        """Take in a date, later than those before it."""
        shown = _by_genre(songs)
        self.total.step(
            date, {key: song for part in shown.values() for key, song in part.items()}, compared=self._compared
        )
        for name in sorted(set(self.genres) | set(shown)):
            genre = self._genre(name)
            genre.step(date, shown.get(name, {}), compared=self._compared)
            genre.themes.append(Counter())
            if is_end:
                genre.ends[date] = {}
        columns = ("genre", "artist", "lyrics", "lyrics_group")
        for name, artist, lyrics, group in zip(*(songs[column].to_pylist() for column in columns), strict=True):
            self._add_text(self.genres[name], self._artist(artist), self.texts.number(lyrics), group, date, is_later)
        self.dates.append(date)
        self._compared = True

    def _add_text(self, genre: Genre, artist: int, text: int, group: str | None, date: dt.date, is_later: bool) -> None:
        genre.themes[-1].update(self.texts.themes[text])
        if date in genre.ends:
            genre.ends[date].setdefault(text, artist)
        # A cover, or a text that a mended parser reads a little better, is not new either.
        known: set[int | str] = {text} if group is None else {text, group}
        if genre.seen.isdisjoint(known):
            genre.texts.append(text)
            genre.artists.append(artist)
            genre.is_later.append(is_later)
        genre.seen |= known

    def _genre(self, name: str) -> Genre:
        if name not in self.genres:
            self.genres[name] = genre = Genre()
            # A genre that comes late had no song before.
            for date in self.dates:
                genre.step(date, {}, compared=bool(genre.series) or self.total.series[0]["entered"] is not None)
                genre.themes.append(Counter())
        return self.genres[name]

    def _artist(self, name: str) -> int:
        if name not in self._artist_of_name:
            self._artist_of_name[name] = self._artists.setdefault(artist_key(name), len(self._artists))
        return self._artist_of_name[name]


@dataclass(frozen=True)
class Bags:
    """Which texts have which words, flat: entry i says that text `rows[i]` has word `words[i]`."""

    rows: Numbers
    words: Numbers
    size: int
    """How many words are told apart."""

    def count(self, chosen: Flags) -> Floats:
        """Return how many of the chosen texts have each word."""
        return np.asarray(np.bincount(self.words, weights=chosen[self.rows], minlength=self.size), dtype=float)

    def only(self, chosen: Flags) -> "Bags":
        """Return the entries of the chosen texts."""
        return Bags(self.rows[chosen[self.rows]], self.words[chosen[self.rows]], self.size)


def bags_of(texts: Sequence[int], history: History, numbers: Numbers | None = None) -> Bags:
    """Return the words of these texts; if `numbers` gives each word a new number, only of those not given -1."""
    words = [history.texts.words[text] for text in texts]
    rows = np.repeat(np.arange(len(words)), [len(part) for part in words])
    flat = np.concatenate(words) if words else np.zeros(0, dtype=np.int64)
    if numbers is None:
        return Bags(rows, flat, len(history.texts.vocabulary()))
    flat = numbers[flat]
    return Bags(rows[flat >= 0], flat[flat >= 0], int(numbers.max(initial=-1)) + 1)


def count_artists(bags: Bags, artists: Numbers) -> Numbers:
    """Return of how many artists the texts with each word are."""
    n_artists = int(artists.max(initial=0)) + 1
    pairs = np.unique(bags.words * n_artists + artists[bags.rows])
    return np.bincount(pairs // n_artists, minlength=bags.size)


def _by_genre(songs: "pa.Table") -> dict[str, dict[str, Shown]]:
    columns = ("genre", "song_id", "title", "artist", "rank", "is_translation")
    found: dict[str, dict[str, Shown]] = {}
    for genre, key, *shown in zip(*(songs[column].to_pylist() for column in columns), strict=True):
        found.setdefault(genre, {})[key] = Shown(*shown)
    return found


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def rounded(value: float) -> float:
    return round(float(value), 4)
