"""Single words that stand out on the newest date: those that no learned date had, and those whose share moved most."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import rel_entr

from lyrics_assets.model.drift.dates import Dates, Numbers, Shown

LISTED = 20
MIN_SONGS_WITH_WORD, MIN_ARTISTS_WITH_WORD = 3, 3
"""A word of fewer is a name, or one artist's own."""


def find_words(dates: Dates, learned: Iterable[Shown], newest: Shown) -> dict[str, list[dict[str, Any]]]:
    """Return the words that are ``new``, and those that have ``risen`` and ``fallen``, most striking first.

    A song counts once for a word. How much a word moved is its part in the distance of both sides' vocabularies.
    """
    bags, names = dates.bags(), list(dates.words)
    before = np.concatenate([shown.texts for shown in learned])
    songs_before = np.bincount(before, minlength=len(dates.lyrics)) @ bags
    songs_now = np.bincount(newest.texts, minlength=len(dates.lyrics)) @ bags
    artists_now = _count_artists(bags[newest.texts], dates.artists[newest.recordings])
    is_word = np.array([len(name) > 1 and name.isalpha() for name in names], dtype=bool)
    is_new = is_word & (songs_before == 0)
    is_new &= (songs_now >= MIN_SONGS_WITH_WORD) & (artists_now >= MIN_ARTISTS_WITH_WORD)
    share_before, share_now = songs_before / len(before), songs_now / len(newest.texts)
    moved, grown = _parts_of_divergence(songs_before, songs_now)
    moved *= is_word & (songs_before > 0)

    def rows(chosen: NDArray[np.bool_], weight: NDArray[np.float64]) -> list[dict[str, Any]]:
        found = np.flatnonzero(chosen)
        return [
            {
                "word": names[word],
                "songs": int(songs_now[word]),
                "artists": int(artists_now[word]),
                "share_before": float(share_before[word]),
                "share_now": float(share_now[word]),
            }
            for word in found[np.argsort(-weight[found], kind="stable")][:LISTED]
        ]

    return {
        "new": rows(is_new, share_now),
        "risen": rows((moved > 0) & grown & (share_now > share_before), moved),
        "fallen": rows((moved > 0) & ~grown & (share_now < share_before), moved),
    }


def _count_artists(bags: csr_array, artists: Numbers) -> Numbers:
    """Return of how many artists the songs with each word are."""
    of_song = csr_array((np.ones(len(artists), dtype=np.float32), (artists, np.arange(len(artists)))))
    return np.bincount((of_song @ bags).indices, minlength=bags.shape[1])


def _parts_of_divergence(
    before: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what each word adds to the Jensen-Shannon divergence of two rows of counts, and whether its part grew."""
    p, q = before / before.sum(), now / now.sum()
    middle = (p + q) / 2
    return np.asarray(rel_entr(p, middle) + rel_entr(q, middle)), np.asarray(q > p)
