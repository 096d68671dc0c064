"""Words and themes of the songs that a genre had in the earlier period, and of those that came in the later one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lyrics_assets.lyrics.lexicon import FUNCTION_WORDS, THEMES
from lyrics_assets.lyrics.trends.history import MIN_SONGS, Bags, Genre, History, bags_of, count_artists, rounded
from lyrics_assets.lyrics.trends.statistics import (
    CHANCE,
    SHUFFLES,
    Deviations,
    Flags,
    Floats,
    Numbers,
    chance_of,
    difference_interval,
    log_odds_z,
    proportions_z,
    shuffled_sides,
)

MIN_SONGS_WITH_WORD = 4
MIN_ARTISTS_WITH_WORD = 3
"""Artists who must bring a word, or a theme: what one artist brings is no trend of a genre."""
LISTED_WORDS = 10


@dataclass(frozen=True)
class _Comparison:
    """The songs of a genre in two periods, and what is asked of them."""

    artists: Numbers
    is_later: Flags
    volumes: Floats
    """Different words of each text."""
    tested: Numbers
    """Numbers of the words that are compared."""
    words: Bags
    themes: Bags

    def words_z(self, later: Flags) -> Floats:
        """Return the z of each word if these songs were the later ones."""
        before, after = self.words.count(~later), self.words.count(later)
        return log_odds_z(before, self.volumes[~later].sum(), after, self.volumes[later].sum())

    def themes_z(self, later: Flags) -> Floats:
        """Return the z of each theme likewise."""
        n_later = int(later.sum())
        return proportions_z(self.themes.count(~later), len(later) - n_later, self.themes.count(later), n_later)


def compare_periods(history: History, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return, for each genre, which words and themes its new songs hold more and less often than those before them.

    Chance is judged over all genres together, so that a report with many of them raises no more false alarms.
    """
    vocabulary = history.texts.vocabulary()
    comparisons, words, themes = {}, {}, {}
    for name, genre in sorted(history.genres.items()):
        n_later = sum(genre.is_later)
        if min(n_later, len(genre.is_later) - n_later) >= MIN_SONGS:
            comparisons[name] = found = _comparison(genre, history, vocabulary)
            shuffles = list(shuffled_sides(found.is_later, found.artists, SHUFFLES, rng))
            words[name], themes[name] = (
                Deviations.measure(z(found.is_later), np.stack([z(later) for later in shuffles]))
                for z in (found.words_z, found.themes_z)
            )
    compared = {name: _sizes(genre) for name, genre in history.genres.items()}
    for name, found in comparisons.items():
        rows = _figures(found.words, found.words_z(found.is_later), found, words[name], _largest(words))
        named = [_named(vocabulary[word], row) for word, row in zip(found.tested, rows, strict=True)]
        named = _strongest_first([row for row in named if _artists_behind(row) >= MIN_ARTISTS_WITH_WORD])
        compared[name] |= {
            "rising": [row for row in named if row["z"] > 0][:LISTED_WORDS],
            "falling": [row for row in named if row["z"] < 0][:LISTED_WORDS],
            "themes": _theme_rows(found, themes[name], _largest(themes)),
        }
    return compared


def _sizes(genre: Genre) -> dict[str, Any]:
    """Return how many songs and artists would be compared, and nothing found yet."""
    is_later, artists = np.array(genre.is_later, dtype=bool), np.array(genre.artists, dtype=np.int64)
    return {
        "songs_before": int((~is_later).sum()),
        "songs_after": int(is_later.sum()),
        "artists_before": len(set(artists[~is_later])),
        "artists_after": len(set(artists[is_later])),
        "rising": [],
        "falling": [],
        "themes": [],
    }


def _largest(measured: dict[str, Deviations]) -> Floats:
    """Return the largest deviation of each shuffle in any genre."""
    return np.asarray(np.max([genre.largest_by_chance for genre in measured.values()], axis=0))


def _comparison(genre: Genre, history: History, vocabulary: list[str]) -> _Comparison:
    artists = np.array(genre.artists, dtype=np.int64)
    every = bags_of(genre.texts, history)
    songs = np.bincount(every.words, minlength=every.size)
    enough = (songs >= MIN_SONGS_WITH_WORD) & (count_artists(every, artists) >= MIN_ARTISTS_WITH_WORD)
    # Chosen by what both periods have together, so that the choice itself favours neither.
    tested = np.array([word for word in np.flatnonzero(enough) if _is_word(vocabulary[word])], dtype=np.int64)
    numbers = np.full(len(vocabulary), -1, dtype=np.int64)
    numbers[tested] = np.arange(len(tested))
    themes = [
        (row, THEMES.index(theme)) for row, text in enumerate(genre.texts) for theme in history.texts.themes[text]
    ]
    rows, columns = np.array(themes, dtype=np.int64).reshape(-1, 2).T
    return _Comparison(
        artists=artists,
        is_later=np.array(genre.is_later, dtype=bool),
        volumes=np.array([len(history.texts.words[text]) for text in genre.texts], dtype=float),
        tested=tested,
        words=bags_of(genre.texts, history, numbers),
        themes=Bags(rows, columns, len(THEMES)),
    )


def _figures(
    bags: Bags, z: Floats, comparison: _Comparison, measured: Deviations, largest_by_chance: Floats
) -> list[dict[str, Any]]:
    """Return, for each word or theme, its z, the counts behind it, and whether chance does as much."""
    later = comparison.is_later
    before, after = bags.count(~later), bags.count(later)
    artists_before, artists_after = (count_artists(bags.only(side), comparison.artists) for side in (~later, later))
    chances = chance_of(np.abs(measured.found), largest_by_chance)
    return [
        {
            "z": rounded(z[i]),
            "songs_before": int(before[i]),
            "songs_after": int(after[i]),
            "artists_before": int(artists_before[i]),
            "artists_after": int(artists_after[i]),
            "chance": rounded(chances[i]),
            "beyond_chance": bool(chances[i] <= CHANCE),
        }
        for i in range(bags.size)
    ]


def _named(word: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"word": word, "function_word": word in FUNCTION_WORDS} | row


def _theme_rows(comparison: _Comparison, measured: Deviations, largest_by_chance: Floats) -> list[dict[str, Any]]:
    z = comparison.themes_z(comparison.is_later)
    rows = _figures(comparison.themes, z, comparison, measured, largest_by_chance)
    n_after = int(comparison.is_later.sum())
    n_before = len(comparison.is_later) - n_after
    named = []
    for theme, row in zip(THEMES, rows, strict=True):
        before, after = (row["songs_before"], n_before), (row["songs_after"], n_after)
        growth = {
            "growth": rounded(after[0] / n_after - before[0] / n_before),
            "growth_interval": [rounded(end) for end in difference_interval(before, after)],
        }
        row["beyond_chance"] &= _artists_behind(row) >= MIN_ARTISTS_WITH_WORD
        named.append({"theme": theme} | growth | row)
    return _strongest_first(named)


def _strongest_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with those beyond chance before the others, each by z; equals by name."""
    return sorted(rows, key=lambda row: (not row["beyond_chance"], -abs(row["z"]), next(iter(row.values()))))


def _artists_behind(row: dict[str, Any]) -> int:
    """Return how many artists bring what rises, or brought what falls."""
    return int(row["artists_after" if row["z"] > 0 else "artists_before"])


def _is_word(word: str) -> bool:
    """Tell whether it is more than a letter, and no number."""
    return len(word) > 1 and word.isalpha()
