"""Songbooks of any size, made of seeded random words: for costs, not for scores."""

import json
import random
from pathlib import Path

from scrapy_project.genres import GENRE_NAMES
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, load_songbook

SONGS_PER_ARTIST = 5
LINES, WORDS_A_LINE = 24, 6
_SYLLABLES = ("ba", "ca", "do", "fé", "ga", "la", "mor", "na", "rio", "sol", "tão", "ve", "xo", "zé", "ção", "lu")


def write_songbook(path: Path, songs_per_genre: int, seed: int = 0) -> Path:
    """Write a songbook with that many songs in each of the 15 genres, all of them on both sites; return its path.

    A larger songbook of the same seed begins with the songs of a smaller one, genre by genre.
    """
    with path.open("w", encoding="utf-8") as file:
        for genre in GENRE_NAMES:
            source = random.Random(f"{seed} {genre}")
            words = ["".join(source.choices(_SYLLABLES, k=source.randint(1, 4))) for _ in range(2000)]
            for number in range(songs_per_genre):
                lines = (" ".join(source.choices(words, k=WORDS_A_LINE)) for _ in range(LINES))
                song = {
                    "title": f"{genre} canção {number}",
                    "artist": f"{genre} artista {number // SONGS_PER_ARTIST}",
                    "genre": genre,
                    "lyrics": "\n".join(lines),
                    "sites": ["letras", "vagalume"],
                }
                file.write(json.dumps(song, ensure_ascii=False) + "\n")
    return path


class LyricWriter:
    """Writes lyrics of any number, each different, out of the words of the packaged songbook's Portuguese lines."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._words = [
            word
            for song in load_songbook(PACKAGED_SONGBOOK)
            for line in (song.lyrics or "").split("\n")
            for word in line.split()
        ]

    def write(self, number: int) -> str:
        """Return a lyric of four stanzas of eight lines, one of them a refrain that comes twice: about 1.2 kB."""
        source = random.Random(f"{self._seed} {number}")
        stanzas = ["\n".join(" ".join(source.choices(self._words, k=WORDS_A_LINE)) for _ in range(8)) for _ in range(3)]
        return "\n\n".join([stanzas[0], stanzas[1], stanzas[2], stanzas[1]])
