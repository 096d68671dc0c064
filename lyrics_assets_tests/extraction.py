"""What an extraction came to, in a form that two of them can be compared in."""

import re

from lyrics_assets.definitions import build_resources


def extracted(settings, date):
    """Return a date's raw songs but for the times and the sandbox's port, its stored rows, and all stored dates."""
    resources = build_resources(settings)
    raw = {}
    for source in ("letras", "vagalume"):
        text = resources["lake"].read_bytes(f"raw/{source}/{date}.jsonl").decode()
        raw[source] = re.sub(r'"fetched_at": "[^"]*"|127\.0\.0\.1:\d+', "", text)
    store = resources["feature_store"]
    return raw, store.read_date(date).sort_by("song_id").to_pylist(), store.dates()
