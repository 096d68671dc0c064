"""The recipe by which an artist is taken out, as the paper on data and ethics gives it, does so and nothing else."""

import datetime as dt
import json
import os
import re
import subprocess
import sys

import pytest

from lyrics_assets.assets.extraction import raw_name
from lyrics_assets.definitions import build_resources
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests.charts import Charts, date_table
from scrapy_project.archive import Archive, Page
from scrapy_project.sandbox.catalogue import slugify

DATE = dt.date(2026, 11, 20)
WANTED, OTHER = "Marreta Elétrica", "Dona Aurora"
PAPER = ROOT / "docs" / "data-and-ethics.md"


@pytest.fixture
def home(tmp_path):
    """Fill a home with two artists: raw songs of a site and of a file without addresses, a dataset, pages."""
    settings = Settings(home=tmp_path / "home")
    lake, store = (build_resources(settings)[name] for name in ("lake", "feature_store"))
    rows = next(Charts(0, songs_a_genre=2, n_words=40).days())
    rows = [row | {"artist": WANTED if number % 2 else OTHER} for number, row in enumerate(rows)]
    for source, url in (("letras", "https://letras.example/{}/{}/"), ("museu", "")):
        songs = [
            {"artist": row["artist"], "title": row["title"], "url": url.format(slugify(row["artist"]), number)}
            for number, row in enumerate(rows)
        ]
        lines = "".join(json.dumps(song, ensure_ascii=False) + "\n" for song in songs)
        lake.write_bytes(raw_name(source, str(DATE)), lines.encode())
    table = date_table(rows, DATE)
    lake.write_table(f"lyrics/{DATE}.parquet", table)
    store.replace_date(table)
    archive = Archive(settings.archive)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    for artist in (WANTED, OTHER):
        address = f"https://letras.example/{slugify(artist)}/0/"
        archive.store(artist, DATE, "letras", Page(address, 200, {}, b"page", now))
    archive.close()
    return settings


def recipe():
    (code,) = re.findall(r"```python\n(.*?)```", PAPER.read_text(encoding="utf-8"), re.DOTALL)
    return code


def artists(settings):
    """Return who is in each place that holds songs."""
    lake, store = (build_resources(settings)[name] for name in ("lake", "feature_store"))
    places = {
        source: {song["artist"] for song in lake.read_json_lines(raw_name(source, str(DATE)))}
        for source in ("letras", "museu")
    }
    places["dataset"] = set(lake.read_table(f"lyrics/{DATE}.parquet")["artist"].to_pylist())
    archive = Archive(settings.archive)
    places["pages"] = {artist for artist in (WANTED, OTHER) if archive.find(artist, DATE)}
    archive.close()
    places["store"] = set(store.read_date(DATE, ["artist"])["artist"].to_pylist())
    return places


def test_the_recipe_takes_the_artist_out_of_every_place_and_leaves_the_others(home, tmp_path):
    everywhere = ("letras", "museu", "dataset", "pages", "store")
    assert artists(home) == {key: {WANTED, OTHER} for key in everywhere}
    script = tmp_path / "remove_artist.py"
    script.write_text(recipe(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, WANTED.upper()],
        env=os.environ | {"LYRICS_HOME": str(home.home)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert artists(home) == {key: {OTHER} for key in everywhere}
