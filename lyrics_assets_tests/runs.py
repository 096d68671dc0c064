"""Three runs of one date, on songs whose every title and artist is hostile; two files look at what they leave."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import SMALL, Finished, run_lyrics, start_lyrics
from lyrics_assets_tests.corpus import write_songbook
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, load_songbook

HOSTILE_TAG = "<img src=x onerror=alert(1)>"
HOSTILE_MARKUP = f"{HOSTILE_TAG} [bold]![x](http://a.example/x.png) |"
"""A tag, a terminal's markup, a picture and a cell of Markdown."""


class Runs(NamedTuple):
    """A home, and how the runs of one date ended in it."""

    home: Path
    together: list[Finished]
    """Of two that began together."""
    left: dict
    """What those left: `contents` of the home."""
    third: Finished


def hostile_songs():
    """Return the packaged songs of three genres with markup in front of every title and artist."""
    return [
        {
            "title": f"{HOSTILE_MARKUP} {song.title}",
            "artist": f"{HOSTILE_MARKUP} {song.artist}",
            "genre": song.genre,
            "genres": list(song.genres),
            "lyrics": song.lyrics,
        }
        for song in load_songbook(PACKAGED_SONGBOOK)
        if song.genre in SMALL["LYRICS_GENRES"].split(",") and song.lyrics
    ]


def contents(home):
    """Return what today's runs left in a home."""
    resources = build_resources(Settings(home=home))
    return {
        "models": [model.version for model in resources["tracking"].versions()],
        "bentos": len(resources["bento_store"].tags()),
        "dates": resources["feature_store"].dates(),
        "songs": resources["feature_store"].read_date(today(), ["song_id"])["song_id"].to_pylist(),
        "mails": len(list((home / "outbox").glob("*.eml"))),
    }


def run_three_times(folder):
    """Run today in a home in that folder: two runs that begin at once, and then a third."""
    home, songbook = folder / "home", write_songbook(folder / "songs.jsonl", hostile_songs())
    command = ("run", "--home", home, "--songbook", songbook)
    processes = [start_lyrics(*command, output=subprocess.PIPE, **SMALL) for _ in range(2)]
    told = [process.communicate(timeout=200) for process in processes]
    together = [Finished(process.returncode, *texts) for process, texts in zip(processes, told, strict=True)]
    return Runs(home, together, contents(home), run_lyrics(*command, **SMALL))
