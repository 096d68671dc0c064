"""What is kept of the dates that a drift report looks at: a few numbers a song, and the different words of a text."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.lyrics.text import normalise

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = [
    "song_id",
    "artist",
    "genre",
    "is_translation",
    "original_language",
    "portuguese_share",
    "lyrics",
    "lyrics_group",
    "n_words",
]
"""What is read of a date."""
PORTUGUESE, UNKNOWN_LANGUAGE = "pt", "unknown"
PORTUGUESE_NUMBER = 0
"""Among the languages of `Dates`."""

Numbers = NDArray[np.intp]


class Shown(NamedTuple):
    """The songs of a date, a value a song; names, artists and texts are numbers of their `Dates`."""

    date: dt.date
    recordings: Numbers
    """Numbers of artist and group of texts together."""
    texts: Numbers
    genres: Numbers
    languages: Numbers
    """In which they were written: Portuguese, but for translations."""
    n_words: Numbers
    portuguese_shares: NDArray[np.float64]


class Dates:
    """Takes in dates one after another; each text is looked at once, however many dates show it."""

    def __init__(self) -> None:
        self.genres: dict[str, int] = {}
        self.languages: dict[str, int] = {PORTUGUESE: PORTUGUESE_NUMBER}
        self.words: dict[str, int] = {}
        self.lyrics: list[str] = []
        """The text by number."""
        self._words_of_text: list[Numbers] = []
        self._texts: dict[bytes, int] = {}
        self._recordings: dict[tuple[str, str], int] = {}
        self._artists: dict[str, int] = {}
        self._artist_of_name: dict[str, int] = {}
        self._artist_of_recording: list[int] = []

    def add(self, date: dt.date, songs: "pa.Table") -> Shown:
        """Return what is kept of a date's songs, COLUMNS of the feature store."""
        # A store gives rows in no order, and numbers are given, and artists drawn, in that of the rows.
        songs = songs.sort_by("song_id")
        column = {name: songs[name].to_pylist() for name in COLUMNS}
        languages = [
            (language or UNKNOWN_LANGUAGE) if translated else PORTUGUESE
            for translated, language in zip(column["is_translation"], column["original_language"], strict=True)
        ]
        return Shown(
            date,
            _numbers(map(self._recording, column["artist"], column["lyrics_group"])),
            _numbers(map(self._text, column["lyrics"])),
            _numbers(self.genres.setdefault(genre, len(self.genres)) for genre in column["genre"]),
            _numbers(self.languages.setdefault(language, len(self.languages)) for language in languages),
            _numbers(column["n_words"]),
            np.array(column["portuguese_share"], dtype=np.float64),
        )

    @property
    def artists(self) -> Numbers:
        """The artist of each recording."""
        return _numbers(self._artist_of_recording)

    def recordings(self) -> pd.DataFrame:
        """Return the recordings by number: columns artist, lyrics_group."""
        return pd.DataFrame(list(self._recordings), columns=["artist", "lyrics_group"])

    def bags(self) -> "csr_array":
        """Return which texts have which words: (texts, words), 1 or nothing."""
        ends = np.cumsum([0, *(len(words) for words in self._words_of_text)])
        flat = np.concatenate([*self._words_of_text, np.empty(0, np.intp)])
        ones = np.ones(len(flat), dtype=np.float32)
        return csr_array((ones, flat, ends), shape=(len(self._words_of_text), len(self.words)))

    def _text(self, lyrics: str) -> int:
        digest = hashlib.blake2b(lyrics.encode(), digest_size=16).digest()
        if digest not in self._texts:
            self._texts[digest] = len(self.lyrics)
            self.lyrics.append(lyrics)
            # Sorted: a set's order changes from process to process.
            words = sorted(set(normalise(lyrics).split()))
            self._words_of_text.append(_numbers(self.words.setdefault(word, len(self.words)) for word in words))
        return self._texts[digest]

    def _recording(self, artist: str, group: str) -> int:
        key = (artist, group)
        if key not in self._recordings:
            self._recordings[key] = len(self._recordings)
            if artist not in self._artist_of_name:
                self._artist_of_name[artist] = self._artists.setdefault(artist_key(artist), len(self._artists))
            self._artist_of_recording.append(self._artist_of_name[artist])
        return self._recordings[key]


def _numbers(values: Iterable[int]) -> Numbers:
    return np.fromiter(values, dtype=np.intp)
