"""Extractions: what one came to, in a form that two can be compared in; a parser that no longer knows the markup."""

import re
import shutil

from lyrics_assets.definitions import build_resources
from lyrics_assets.settings import ROOT


def extracted(settings, date):
    """Return a date's raw songs but for the times and the sandbox's port, its stored rows, and all stored dates."""
    resources = build_resources(settings)
    raw = {}
    for source in ("letras", "vagalume"):
        text = resources["lake"].read_bytes(f"raw/{source}/{date}.jsonl").decode()
        raw[source] = re.sub(r'"fetched_at": "[^"]*"|127\.0\.0\.1:\d+', "", text)
    store = resources["feature_store"]
    return raw, store.read_date(date).sort_by("song_id").to_pylist(), store.dates()


def broken_project(folder, known=r"_ORIGINAL = \(.*?\)", instead='_ORIGINAL = ("gone",)'):
    """Copy the Scrapy project into a folder, with another text where a pattern stands in its parser of Letras.

    By default it no longer knows any element that holds a lyric.
    """
    shutil.copytree(ROOT / "scrapy_project", folder / "scrapy_project")
    shutil.copy(ROOT / "scrapy.cfg", folder)
    parser = folder / "scrapy_project" / "pages" / "letras.py"
    text, found = re.subn(known, instead, parser.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found
    parser.write_text(text, encoding="utf-8")
    return folder
