"""Charts that never were: dates of made-up songs among which nothing changes but what always does, and planted drifts.

A song is by an artist, who has a genre, words of his own, a usual length and one language, and is in the charts with
several songs, some of which come together. So a day's charts resemble the day before, and songs resemble each other by
artist: what a bound must take for quiet.
"""

import datetime as dt
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
from lyrics_assets.model.drift.champion import Served
from lyrics_assets.model.evaluation import guesses, headline
from lyrics_assets.model.promotion import learned_songs
from lyrics_assets.model.report import predict
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.model.splits import assign_splits
from scrapy_project.genres import GENRE_NAMES

FIRST = dt.date(2026, 3, 1)
TRAINED_AT = "2026-03-31T08:00:00+00:00"
TURNOVER = 0.05
"""Share of the songs that another one takes the place of, a day."""
QUICK = Hyperparameters(word_ngram_max=1, char_ngram_max=3, word_min_df=2, char_min_df=3, C=4.0)
"""Hyperparameters of a model that is fitted in a moment and tells most songs."""

_SYLLABLES = ("ba", "ca", "do", "fe", "ga", "la", "mor", "na", "rio", "sol", "ta", "ve", "xo", "ze", "lu", "pe", "ri")
_COMMON, _OF_GENRE, _RARE = 1500, 150, 60_000
_WORDS_A_LINE = 6
_ALBUM = 5
"""Songs that sometimes come together."""

Row = dict[str, Any]
Drift = Callable[[list[Row], float, "Charts"], list[Row]]


class _Words:
    """The words that all charts are written in; the same in every process."""

    def __init__(self) -> None:
        source = random.Random("words")
        found: dict[str, None] = {}
        while len(found) < _COMMON + _OF_GENRE * len(GENRE_NAMES) + _RARE:
            found["".join(source.choices(_SYLLABLES, k=source.randint(2, 6)))] = None
        words = np.array(list(found), dtype=object)
        # By frequency, as in a language: the n-th comes up about as often as 1 / n.
        self.common = words[:_COMMON]
        self.weights = np.cumsum(1 / np.arange(1, _COMMON + 1))
        self.weights /= self.weights[-1]
        of_genres = words[_COMMON : _COMMON + _OF_GENRE * len(GENRE_NAMES)].reshape(len(GENRE_NAMES), _OF_GENRE)
        self.of_genre = dict(zip(GENRE_NAMES, of_genres, strict=True))
        self.rare = words[-_RARE:]


@functools.cache
def _vocabulary() -> _Words:
    return _Words()


class _Artist:
    """Who sings, and how."""

    def __init__(self, name: str, genre: str, rng: np.random.Generator) -> None:
        self.name, self.genre = name, genre
        self.own = rng.choice(np.concatenate([_vocabulary().common, _vocabulary().of_genre[genre]]), 25)
        self.length = float(rng.lognormal(0, 0.25))
        self.language = str(rng.choice(["en", "es", "it"], p=[0.8, 0.15, 0.05])) if rng.random() < 0.15 else None
        self.portuguese_share = 1.0 if rng.random() < 0.8 else float(rng.beta(20, 2))


class Charts:
    """The charts of some genres from day to day; the same seed gives the same days.

    Args:
        seed: of everything.
        n_genres: how many charts.
        songs_a_genre: of each chart.
        n_words: of a song, about.
        newcomers: share of new songs that are by artists of whom nothing is in the charts.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        n_genres: int = 15,
        songs_a_genre: int = 20,
        n_words: int = 110,
        newcomers: float = 0.5,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.genres = GENRE_NAMES[:n_genres]
        self.n_words = n_words
        self._songs_a_genre, self._newcomers = songs_a_genre, newcomers
        self._n_artists = self._n_songs = 0
        self._standing: dict[str, list[Row]] = {genre: [] for genre in self.genres}
        self._artists: dict[str, list[_Artist]] = {genre: [] for genre in self.genres}

    def days(self, turnover: float = TURNOVER) -> Iterator[list[Row]]:
        """Yield the songs of one day after another; with a turnover of 1 none is ever there on the next one."""
        while True:
            for genre, standing in self._standing.items():
                leaving = self.rng.binomial(len(standing), turnover)
                kept = [standing[place] for place in sorted(self.rng.permutation(len(standing))[leaving:])]
                # Artists who are gone are forgotten, so that a day of other songs is one of other artists too.
                names = {row["artist"] for row in kept}
                self._artists[genre] = [artist for artist in self._artists[genre] if artist.name in names]
                self._standing[genre] = kept + self.enter(genre, self._songs_a_genre - len(kept))
            yield [row for rows in self._standing.values() for row in rows]

    def enter(self, genre: str, count: int) -> list[Row]:
        """Return so many new songs of a genre: some by artists who are in its charts, now and then several at once."""
        rows: list[Row] = []
        artists = self._artists[genre]
        while len(rows) < count:
            if not artists or self.rng.random() < self._newcomers:
                artist = _Artist(f"Artista {self._n_artists}", genre, self.rng)
                artists.append(artist)
                self._n_artists += 1
            else:
                artist = artists[int(self.rng.integers(len(artists)))]
            at_once = _ALBUM if self.rng.random() < 0.1 else 1
            rows += [self.write(artist) for _ in range(min(at_once, count - len(rows)))]
        return rows

    def write(self, artist: _Artist) -> Row:
        """Return a song of an artist, as the feature store holds it but for its date."""
        rng, number, vocabulary = self.rng, self._n_songs, _vocabulary()
        self._n_songs += 1
        n_words = max(12, round(self.n_words * artist.length * rng.lognormal(0, 0.3)))
        # Each seventh song is written in another genre's words: no model tells all of them.
        genre = str(rng.choice(self.genres)) if rng.random() < 0.15 else artist.genre
        kinds = rng.choice(4, n_words, p=[0.64, 0.2, 0.1, 0.06])
        words = np.empty(n_words, dtype=object)
        words[kinds == 0] = vocabulary.common[np.searchsorted(vocabulary.weights, rng.random((kinds == 0).sum()))]
        words[kinds == 1] = rng.choice(vocabulary.of_genre[genre], (kinds == 1).sum())
        words[kinds == 2] = rng.choice(artist.own, (kinds == 2).sum())
        words[kinds == 3] = vocabulary.rare[(_RARE * rng.random((kinds == 3).sum()) ** 3).astype(int)]
        return with_words(
            {
                "song_id": f"{number:032x}",
                "title": f"Canção {number}",
                "artist": artist.name,
                "genre": artist.genre,
                "genres": [artist.genre],
                "sources": ["letras", "vagalume"],
                "is_translation": artist.language is not None,
                "original_language": artist.language,
                "portuguese_share": artist.portuguese_share,
                "rank": None,
                "lyrics_group": f"{number:032x}",
            },
            list(words),
        )


def with_words(row: Row, words: list[str]) -> Row:
    """Return a song with another text, of these words."""
    lines = [" ".join(words[start : start + _WORDS_A_LINE]) for start in range(0, len(words), _WORDS_A_LINE)]
    return row | {"lyrics": "\n".join(lines), "n_lines": len(lines), "n_words": len(words)}


def date_table(rows: list[Row], date: dt.date) -> pa.Table:
    """Return a date's songs as the feature store holds them."""
    return pa.Table.from_pylist([row | {"extraction_date": date} for row in rows], schema=SCHEMA)


def train_champion(tables: dict[dt.date, pa.Table], parameters: Hyperparameters = QUICK) -> Served:
    """Return a champion that learned from the newest row of each song of these dates, as the training assets do."""
    songs = pa.concat_tables(tables.values()).to_pandas()
    songs = songs.sort_values("extraction_date").drop_duplicates("song_id", keep="last").reset_index(drop=True)
    songs["split"] = assign_splits(songs, 0.25, seed=1)
    train, test = songs[songs["split"] == "train"], songs[songs["split"] == "test"]
    scorer = Scorer.compile(build_pipeline(parameters).fit(train["lyrics"], train["genre"]))
    figures = headline(
        test["genre"].to_numpy(dtype=str), guesses(predict(scorer, test)), test["artist"].map(artist_key), seed=0
    )
    low, high = figures["macro_f1_interval"]
    tags = {
        "first_extraction_date": str(min(tables)),
        "last_extraction_date": str(max(tables)),
        "trained_at": TRAINED_AT,
        "n_train": str(len(train)),
        "macro_f1": f"{figures['macro_f1']:.6f}",
        "macro_f1_low": f"{low:.6f}",
        "macro_f1_high": f"{high:.6f}",
    }
    return Served(1, scorer, tags, learned_songs(train))


# Planted drifts. Each takes a date's songs and returns them with a share of something changed.


def other_genre_mix(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Replace a share of the songs by new ones of the first genre."""
    kept = charts.rng.permutation(len(rows))[round(share * len(rows)) :]
    return [rows[place] for place in sorted(kept)] + charts.enter(charts.genres[0], len(rows) - len(kept))


def other_words(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Replace a share of the words of each song by words that nobody ever sang."""
    new = [f"{first}w{second}k" for first in _SYLLABLES for second in _SYLLABLES]

    def sung(word: str) -> str:
        return str(charts.rng.choice(new)) if charts.rng.random() < share else word

    return [with_words(row, [sung(word) for word in row["lyrics"].split()]) for row in rows]


def shorter(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Leave a share of each song's words away, from its end."""
    cut = [row["lyrics"].split()[: max(1, round((1 - share) * row["n_words"]))] for row in rows]
    return [with_words(row, words) for row, words in zip(rows, cut, strict=True)]


def more_translations(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Make translations from English of a share of the songs that are none."""
    return [
        row | {"is_translation": True, "original_language": "en"}
        if not row["is_translation"] and charts.rng.random() < share
        else row
        for row in rows
    ]


def other_languages(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Make a share of the translations ones from Korean."""
    return [
        row | {"original_language": "ko"} if row["is_translation"] and charts.rng.random() < share else row
        for row in rows
    ]


def less_portuguese(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Take a share of each song's Portuguese away."""
    return [row | {"portuguese_share": row["portuguese_share"] * (1 - share)} for row in rows]


def shuffled_labels(rows: list[Row], share: float, charts: Charts) -> list[Row]:
    """Shuffle the genres of a share of the songs among these."""
    places = charts.rng.permutation(len(rows))[: round(share * len(rows))]
    genres = [rows[place]["genre"] for place in charts.rng.permutation(places)]
    changed = {place: rows[place] | {"genre": genre} for place, genre in zip(places, genres, strict=True)}
    return [changed.get(place, row) for place, row in enumerate(rows)]
