"""Histories to find trends in: songs made of the songbook's lines, dates of them as the feature store holds them."""

import datetime as dt
from functools import cache

import numpy as np
import pyarrow as pa

from lyrics_assets.lyrics.identity import lyrics_hash, song_id
from lyrics_assets.lyrics.schema import SCHEMA
from lyrics_assets.lyrics.text import count_lines, count_words, normalise
from lyrics_assets.lyrics.trends.report import measure_trends
from lyrics_assets_tests.corpus import songbook

FIRST = dt.date(2026, 1, 10)
PLANTED = "zunzunzum"
"""A word of no song."""


@cache
def lines_of(genre):
    """Return every line of the songbook's Portuguese texts of a genre."""
    texts = [song.lyrics for song in songbook() if song.genre == genre and song.lyrics]
    return [line for text in texts for line in text.split("\n") if line.strip()]


def make_songs(genre, count, seed, *, named="", artists=20, plant=None, share=1.0, lines=16):
    """Return rows of the feature group but for their date: songs of lines drawn from the songbook.

    Args:
        genre: of the songs and of their lines.
        count: how many songs.
        seed: of the lines and of who sings; the same arguments give the same songs.
        named: begins the titles, so that songs of another call are others.
        artists: how many sing them, by the same names in every call.
        plant: words that a share of the songs holds besides.
        share: that share.
        lines: of a song.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        drawn = [str(line) for line in rng.choice(lines_of(genre), lines)]
        if plant and number < count * share:
            drawn.append(plant)
        rows.append(
            make_song(f"{named} {number + 1}", f"{genre} {rng.integers(artists)}", genre, "\n".join(drawn), number + 1)
        )
    return rows


def make_song(title, artist, genre, lyrics, rank=1, **fields):
    """Return a row of the feature group but for its date."""
    return {
        "song_id": song_id(artist, title),
        "title": title,
        "artist": artist,
        "genre": genre,
        "genres": [genre],
        "sources": ["letras"],
        "is_translation": False,
        "original_language": None,
        "portuguese_share": 1.0,
        "rank": rank,
        "lyrics": lyrics,
        "lyrics_group": lyrics_hash(lyrics),
        "n_lines": count_lines(lyrics),
        "n_words": count_words(lyrics),
    } | fields


def day(number):
    """Return the date so many days after the first."""
    return FIRST + dt.timedelta(days=number)


def store_table(rows, date):
    """Return the rows of a date as the feature store holds them."""
    return pa.Table.from_pylist([row | {"extraction_date": date} for row in rows], schema=SCHEMA)


def trends_of(history, **options):
    """Return the trends of rows by day."""
    dates = [day(number) for number in history]
    tables = {day(number): store_table(rows, day(number)) for number, rows in history.items()}
    return measure_trends(dates, tables.__getitem__, **options)


def lines_told(text, rows):
    """Return the lines of the rows' lyrics, two words or more, that stand in a text, whatever parts their words.

    A line that is the title of a song is told as a title.
    """
    told = f" {' '.join(normalise(text).split())} "
    titles = {normalise(row["title"]) for row in rows}
    lines = {line for row in rows for line in normalise(row["lyrics"]).split("\n")}
    return sorted(line for line in lines - titles if " " in line and f" {line} " in told)
