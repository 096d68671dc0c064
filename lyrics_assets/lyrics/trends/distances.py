"""How far the vocabularies of the genres are apart on the newest date, and whether they have moved since the first."""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lyrics_assets.lyrics.trends.history import MIN_SONGS, History, bags_of, rounded
from lyrics_assets.lyrics.trends.statistics import (
    CHANCE,
    SHUFFLES,
    Deviations,
    Floats,
    Numbers,
    chance_of,
    pairwise_jensen_shannon,
    shuffled_sides,
)

DISTANCE_WORDS = 2000
"""The words, those in the most songs, by which genres are told apart."""
_DEALS = 20
"""How often two genres' songs are dealt anew to learn what small numbers alone put between them."""


def distances(history: History, dates: Sequence[dt.date], rng: np.random.Generator) -> dict[str, Any]:
    """Return how far the genres' vocabularies are apart on the newest date, and how that moved since the first."""
    first, newest = dates[0], dates[-1]
    names = [name for name, genre in sorted(history.genres.items()) if len(genre.ends.get(newest, {})) >= MIN_SONGS]
    found: dict[str, Any] = {
        "date": newest.isoformat(),
        "first_date": first.isoformat() if first != newest else None,
        "words": 0,
        "genres": {name: len(history.genres[name].ends[newest]) for name in names},
        "pairs": [],
    }
    if len(names) < 2:
        return found
    numbers = _widespread_words(history, names)
    found["words"] = int(numbers.max()) + 1
    stocks = {name: history.genres[name].ends[newest] for name in names}
    counts = np.stack([_count_all(list(stocks[name]), history, numbers) for name in names])
    pairs = list(itertools.combinations(names, 2))
    found["pairs"] = [
        {
            "genres": list(pair),
            "distance": rounded(distance),
            "by_chance": rounded(_distance_by_chance(stocks[pair[0]], stocks[pair[1]], history, numbers, rng)),
            "change": None,
        }
        for pair, distance in zip(pairs, pairwise_jensen_shannon(counts), strict=True)
    ]
    lasting = [name for name in names if len(history.genres[name].ends.get(first, {})) >= MIN_SONGS]
    if first != newest and len(lasting) > 1:
        changes = _distance_changes(history, lasting, first, newest, numbers, rng)
        for row in found["pairs"]:
            row["change"] = changes.get(tuple(row["genres"]))
    return found


def _widespread_words(history: History, names: list[str]) -> Numbers:
    """Return a new number for each of the DISTANCE_WORDS words in the most songs of both ends; -1 for the others."""
    size = len(history.texts.vocabulary())
    songs = np.zeros(size)
    for name in names:
        for stock in history.genres[name].ends.values():
            songs += np.bincount(bags_of(list(stock), history).words, minlength=size)
    kept = np.argsort(-songs, kind="stable")[: min(DISTANCE_WORDS, int((songs > 0).sum()))]
    numbers = np.full(size, -1, dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    return numbers


def _count_all(texts: list[int], history: History, numbers: Numbers) -> Floats:
    return bags_of(texts, history, numbers).count(np.ones(len(texts), dtype=bool))


def _distance_by_chance(
    one: dict[int, int], other: dict[int, int], history: History, numbers: Numbers, rng: np.random.Generator
) -> float:
    """Return the mean distance of as many songs as two genres have, dealt from both together: that of small numbers."""
    texts, artists = [*one, *other], np.array([*one.values(), *other.values()], dtype=np.int64)
    is_other = np.arange(len(texts)) >= len(one)
    bags = bags_of(texts, history, numbers)
    dealt = [
        pairwise_jensen_shannon(np.stack([bags.count(~side), bags.count(side)]))[0]
        for side in shuffled_sides(is_other, artists, _DEALS, rng)
    ]
    return float(np.mean(dealt))


def _distance_changes(
    history: History, names: list[str], first: dt.date, newest: dt.date, numbers: Numbers, rng: np.random.Generator
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return, for each pair, its distance on the first date and whether it moved more than chance moves it.

    By chance: the songs that stand on one of both dates only are dealt anew to both.
    """
    ends = [tuple(history.genres[name].ends[date] for date in (first, newest)) for name in names]
    dealt = zip(*(_dealt_counts(before, now, history, numbers, rng) for before, now in ends), strict=True)
    # Row 0 is as it was found, the others are shuffles; one is held at a time.
    distances = np.stack([[pairwise_jensen_shannon(counts) for counts in np.stack(deal, axis=1)] for deal in dealt])
    moves = distances[:, 1] - distances[:, 0]
    off = Deviations.measure(moves[0], moves[1:])
    chances = chance_of(np.abs(off.found), off.largest_by_chance)
    return {
        (names[a], names[b]): {
            "first_distance": rounded(distances[0, 0, i]),
            "songs_before": [len(ends[a][0]), len(ends[b][0])],
            "songs_after": [len(ends[a][1]), len(ends[b][1])],
            "moved": rounded(moves[0, i]),
            "moved_by_chance": [rounded(end) for end in np.percentile(moves[1:, i], [2.5, 97.5])],
            "chance": rounded(chances[i]),
            "beyond_chance": bool(chances[i] <= CHANCE),
        }
        for i, (a, b) in enumerate(itertools.combinations(range(len(names)), 2))
    }


def _dealt_counts(
    before: dict[int, int], now: dict[int, int], history: History, numbers: Numbers, rng: np.random.Generator
) -> Iterator[Floats]:
    """Yield the counts of each word on both dates, a row each: first as they are, then as chance deals the songs."""
    both = _count_all([text for text in before if text in now], history, numbers)
    moving = {text: artist for text, artist in (before | now).items() if (text in before) != (text in now)}
    bags, is_new = bags_of(list(moving), history, numbers), np.array([text in now for text in moving], dtype=bool)
    artists = np.array(list(moving.values()), dtype=np.int64)
    for side in itertools.chain([is_new], shuffled_sides(is_new, artists, SHUFFLES, rng)):
        yield both + np.stack([bags.count(~side), bags.count(side)])
