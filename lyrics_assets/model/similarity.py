"""Which artists sing in words like these: the training songs nearest to a lyric, told by artist and title alone.

Nearness is the cosine of the songs' rarest words, as the model weighs them. The index holds, for each word that the
model knows, which songs have it among theirs: words without order and never a line. To search needs NumPy alone.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WORDS_A_SONG = 64
"""The heaviest words of a song count; the others are in most songs."""
TITLES_AN_ARTIST = 3
_STEPS = 255
FILE = "neighbours.npz"


class SimilarArtist(NamedTuple):
    """An artist with songs like the lyric."""

    artist: str
    genre: str
    """Of the nearest song."""
    similarity: float
    """Cosine of the nearest song, 0 to 1."""
    titles: tuple[str, ...]
    """At most three, nearest first; of texts that nearly repeat each other one."""


class Words(NamedTuple):
    """A text as the index sees it: numbers of its words, and their weights of unit length."""

    numbers: "NDArray[np.intp]"
    weights: "NDArray[np.float64]"


class Neighbours:
    """The training songs by the words that they have.

    Args:
        ends: where the songs of each word end, and those of the next one begin; one longer than the vocabulary.
        songs: the songs of each word, one word after another.
        weights: of that word in that song, in 255ths of the largest possible; uint8.
        artists: of each song the number of its artist.
        groups: of each song the number of its group of near-duplicates.
        names: ``artists`` (name by number), ``titles`` and ``genres`` (by song).
    """

    def __init__(
        self,
        ends: "NDArray[np.int64]",
        songs: "NDArray[np.int32]",
        weights: "NDArray[np.uint8]",
        artists: "NDArray[np.int32]",
        groups: "NDArray[np.int32]",
        names: dict[str, list[str]],
    ) -> None:
        self._ends, self._songs, self._weights = ends, songs, weights
        self._artists, self._groups, self._names = artists, groups, names
        squares = np.bincount(songs, weights.astype(np.float64) ** 2, minlength=len(artists))
        self._lengths = np.sqrt(np.maximum(squares, 1.0))

    @property
    def n_songs(self) -> int:
        """How many songs are known."""
        return len(self._artists)

    @classmethod
    def build(cls, vocabulary_size: int, texts: Sequence[Words], songs: "pd.DataFrame") -> Self:
        """Return the index of songs.

        Args:
            vocabulary_size: how many words the model knows.
            texts: the songs' words, in the order of the rows.
            songs: columns artist, title, genre, lyrics_group.
        """
        import pandas as pd

        from lyrics_assets.lyrics.identity import artist_key

        heaviest = [_quantise(words) for words in texts]
        numbers = np.concatenate([words for words, _ in heaviest])
        weights = np.concatenate([of_song for _, of_song in heaviest])
        owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(words) for words, _ in heaviest])
        by_word = np.argsort(numbers, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=vocabulary_size))])
        artists, keys = pd.factorize(songs["artist"].map(artist_key))
        spelling = songs.groupby(artists)["artist"].first()
        names = {
            "artists": [str(spelling[number]) for number in range(len(keys))],
            "titles": [str(title) for title in songs["title"]],
            "genres": [str(genre) for genre in songs["genre"]],
        }
        groups = pd.factorize(songs["lyrics_group"])[0]
        return cls(
            ends.astype(np.int64),
            owners[by_word],
            weights[by_word],
            artists.astype(np.int32),
            groups.astype(np.int32),
            names,
        )

    def search(self, text: Words, limit: int = 5) -> list[SimilarArtist]:
        """Return the artists of the nearest songs, nearest first; none for a text without a known word.

        An artist is as near as its nearest song. Of songs that nearly repeat each other only the nearest is told: an
        artist who only sings what was already told is left out.
        """
        similarities = self._similarities(text)
        found: dict[int, list[int]] = {}
        told: set[int] = set()
        nearest = _descending(similarities, first=64 * limit)
        for song, artist, group in zip(
            nearest.tolist(), self._artists[nearest].tolist(), self._groups[nearest].tolist(), strict=True
        ):
            if group in told or (artist not in found and len(found) == limit):
                continue
            titles = found.setdefault(artist, [])
            if len(titles) < TITLES_AN_ARTIST:
                titles.append(song)
                told.add(group)
        return [
            SimilarArtist(
                self._names["artists"][artist],
                self._names["genres"][songs[0]],
                float(min(1.0, similarities[songs[0]])),
                tuple(self._names["titles"][song] for song in songs),
            )
            for artist, songs in found.items()
        ]

    def _similarities(self, text: Words) -> "NDArray[np.float64]":
        """Return the cosine of each song with a text."""
        numbers, weights = _quantise(text)
        if not len(numbers):
            return np.zeros(self.n_songs)
        parts = [slice(*ends) for ends in zip(self._ends[numbers], self._ends[numbers + 1], strict=True)]
        # Products of two numbers of eight bits: exact in 32.
        products = [
            self._weights[part] * weight for part, weight in zip(parts, weights.astype(np.float32), strict=True)
        ]
        length = float(np.sqrt((weights.astype(np.float64) ** 2).sum())) or 1.0
        songs = np.concatenate([self._songs[part] for part in parts])
        sums = np.bincount(songs, np.concatenate(products), minlength=self.n_songs)
        return np.asarray(sums / (self._lengths * length))

    def save(self, path: Path) -> str:
        """Write the index into a file; return its SHA-256."""
        blob = np.frombuffer(json.dumps(self._names, ensure_ascii=False).encode(), dtype=np.uint8)
        np.savez_compressed(
            path,
            ends=self._ends,
            songs=self._songs,
            weights=self._weights,
            artists=self._artists,
            groups=self._groups,
            names=blob,
        )
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @classmethod
    def load(cls, path: Path, sha256: str) -> Self:
        """Read what `save` wrote.

        Raises:
            OSError: there is no such file.
            ValueError: it is not the file of that checksum.
        """
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"{path}: damaged (its checksum is not the header's); train anew")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            names: dict[str, Any] = json.loads(arrays["names"].tobytes().decode())
            parts = {name: arrays[name] for name in ("ends", "songs", "weights", "artists", "groups")}
            return cls(**parts, names=names)


def _quantise(words: Words) -> "tuple[NDArray[np.intp], NDArray[np.uint8]]":
    """Return the heaviest words and their weights in 255ths; equal weights in the order of the words' numbers."""
    order = np.lexsort((words.numbers, -words.weights))[:WORDS_A_SONG]
    weights = np.round(words.weights[order] * _STEPS).astype(np.uint8)
    return words.numbers[order], weights


def _descending(similarities: "NDArray[np.float64]", first: int) -> "NDArray[np.intp]":
    """Return the songs that resemble the text at all, nearest first, so many at most."""
    candidates = np.flatnonzero(similarities > 0)
    if len(candidates) > first:
        candidates = candidates[np.argpartition(-similarities[candidates], first - 1)[:first]]
    return candidates[np.lexsort((candidates, -similarities[candidates]))]
