"""Songs to test with: the packaged songbook as raw songs, as the dataset of a date, and models that learned from it."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from lyrics_assets.lyrics.dataset import Dataset, build_dataset
from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
from lyrics_assets.model.scorer import Scorer
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, Song, load_songbook

DATE = dt.date(2026, 11, 24)
TWO_GENRES = ("Gospel", "Samba")
GENRES = ("Forró", "Funk", "Gospel", "Samba")
SMALL = Hyperparameters(word_ngram_max=2, char_ngram_max=3, word_min_df=1, char_min_df=2)
"""Hyperparameters of a model that is fitted in a moment."""

VERSE = (
    "Eu quero ver o sol nascer de novo na janela\n"
    "A gente vai cantar até o dia clarear na rua\n\n"
    "Meu coração não sabe mais esperar por você"
)
"""A made-up Portuguese text, long enough for the dataset: 3 lines, 28 words."""


def write_songbook(path: Path, songs: Iterable[Mapping[str, Any]]) -> Path:
    """Write a songbook for a sandbox, whatever its songs are; return its path."""
    path.write_text("".join(json.dumps(song, ensure_ascii=False) + "\n" for song in songs), encoding="utf-8")
    return path


def raw_song(**fields: Any) -> dict[str, Any]:
    """Return a made-up song in the raw-song contract, with these fields changed."""
    song: dict[str, Any] = {
        "source": "letras",
        "genre": "Samba",
        "title": "Janela",
        "artist": "Dona Aurora",
        "url": "https://letras.example/dona-aurora/janela/",
        "rank": 1,
        "lyrics": VERSE,
        "is_translation": False,
        "original_language": None,
        "composers": [],
        "views": None,
        "artist_genres": [],
        "fetched_at": "2026-11-24T08:00:00+00:00",
    }
    return song | fields


@cache
def songbook() -> tuple[Song, ...]:
    """Return the songs of the packaged songbook."""
    return tuple(load_songbook(PACKAGED_SONGBOOK))


def raw_songs(*genres: str) -> list[dict[str, Any]]:
    """Return the songbook as both sites show it, a row for each site and each genre; all genres if none is named."""
    ranks: dict[tuple[str, str], int] = {}
    rows = []
    for song in songbook():
        for source in song.sites:
            for genre in song.genres:
                if genres and genre not in genres:
                    continue
                ranks[source, genre] = rank = ranks.get((source, genre), 0) + 1
                rows.append(
                    raw_song(
                        source=source,
                        genre=genre,
                        title=song.title,
                        artist=song.artist,
                        url=f"https://{source}.example/{len(rows)}/",
                        rank=rank if source == "letras" else None,
                        lyrics=song.lyrics or song.original,
                        is_translation=song.language != "pt" and bool(song.lyrics),
                        original_language=song.language if source == "letras" else None,
                        composers=list(song.composers),
                    )
                )
    return rows


@cache
def dataset(*genres: str, date: dt.date = DATE) -> Dataset:
    """Return the dataset of the songbook, of these genres or all."""
    return build_dataset(raw_songs(*genres), date)


def songs(*genres: str) -> pd.DataFrame:
    """Return the songbook's dataset as a frame, whose lists are Python's; the caller may change it."""
    return pd.DataFrame(dataset(*genres).songs.to_pylist())


@cache
def pipeline(*genres: str) -> Pipeline:
    """Return a small pipeline that learned these genres of the songbook; nobody may fit it again."""
    learned = songs(*genres)
    return build_pipeline(SMALL).fit(learned["lyrics"], learned["genre"])


@cache
def scorer(*genres: str) -> Scorer:
    """Return the compiled `pipeline` of these genres."""
    return Scorer.compile(pipeline(*genres))
