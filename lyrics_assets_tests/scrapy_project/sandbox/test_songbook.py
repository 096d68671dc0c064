"""The packaged songbook is big and varied enough to learn from."""

import unicodedata
from collections import defaultdict

import pytest

from scrapy_project.genres import GENRE_NAMES
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, SITES, Song, load_songbook

FOREIGN_GENRES = ("Country", "Heavy Metal", "Hip Hop", "K-Pop", "Pop", "R&B", "Reggaeton", "Rock")


@pytest.fixture(scope="module")
def packaged() -> list[Song]:
    return load_songbook(PACKAGED_SONGBOOK)


def texts(song: Song) -> list[str]:
    return [text for text in (song.lyrics, song.original) if text]


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("genre", GENRE_NAMES)
def test_a_genre_has_enough_songs_and_artists(packaged: list[Song], genre: str) -> None:
    songs = [song for song in packaged if song.genre == genre]
    assert len(songs) >= 24
    assert len({song.artist for song in songs}) >= 8


def test_a_lyric_has_12_to_40_lines(packaged: list[Song]) -> None:
    assert not [song.key for song in packaged for text in texts(song) if not 12 <= len(lines(text)) <= 40]


def test_no_two_songs_share_a_line(packaged: list[Song]) -> None:
    songs_of: defaultdict[str, set[str]] = defaultdict(set)
    for song in packaged:
        for text in texts(song):
            for line in lines(text):
                words = "".join(letter if letter.isalnum() else " " for letter in line.casefold()).split()
                if len(words) >= 3:
                    songs_of[" ".join(words)].add(song.key)
    assert {line: keys for line, keys in songs_of.items() if len(keys) > 1} == {}


def test_accents_are_composed(packaged: list[Song]) -> None:
    for song in packaged:
        for text in (song.title, song.artist, *song.composers, *texts(song)):
            assert unicodedata.is_normalized("NFC", text), song.key


@pytest.mark.parametrize("genre", FOREIGN_GENRES)
def test_about_half_of_the_songs_of_a_foreign_genre_are_foreign(packaged: list[Song], genre: str) -> None:
    songs = [song for song in packaged if song.genre == genre]
    assert 0.4 <= sum(bool(song.original) for song in songs) / max(1, len(songs)) <= 0.6


def test_about_a_fifth_of_the_songs_stand_on_both_sites(packaged: list[Song]) -> None:
    assert 0.15 <= sum(song.sites == SITES for song in packaged) / len(packaged) <= 0.25
