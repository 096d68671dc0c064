"""Which songs teach and which songs examine: whole artists on one side, because a songwriter is always a new artist."""

import hashlib
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lyrics_assets.lyrics.identity import artist_key

TRAIN, TEST, LEFT_OUT = "train", "test", "left_out"


def artist_position(artist: str, seed: int) -> float:
    """Return the artist's place in [0, 1), the same for ever: no song changes sides as the data grows."""
    digest = hashlib.blake2b(f"{seed}\x1f{artist_key(artist)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def assign_splits(songs: pd.DataFrame, test_share: float, seed: int) -> pd.Series:
    """Return ``train``, ``test`` or ``left_out`` for each song.

    An artist is on the test side if its place is below `test_share`. In a genre of few artists that may leave nobody:
    then the one with the lowest place is taken, so that every genre with two artists is examined (in such a genre
    alone, a later artist with a lower place takes the seat over). More even shares of the genres would make artists
    change sides as songs are added. Training songs whose text nearly repeats a test song's (covers, live versions,
    spellings of a name) are left out.

    Args:
        songs: columns artist, genre, lyrics_group; any index.
        test_share: expected share of artists on the test side, in (0, 1).
        seed: of the artists' places.
    """
    artists = songs["artist"].map(artist_key)
    places = {key: artist_position(key, seed) for key in artists.unique()}
    test_artists = {key for key, place in places.items() if place < test_share}
    for _, of_genre in artists.groupby(songs["genre"]):
        names = of_genre.unique()
        if len(names) > 1 and not test_artists.intersection(names):
            test_artists.add(min(names, key=places.__getitem__))
    is_test = artists.isin(test_artists)
    groups = songs["lyrics_group"]
    copies = ~is_test & groups.isin(set(groups[is_test]))
    return pd.Series(np.select([is_test, copies], [TEST, LEFT_OUT], TRAIN), index=songs.index, name="split")


def artist_folds(songs: pd.DataFrame, n_folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (train rows, validation rows) as positions, by the same rule as `assign_splits`.

    Whole artists are on one side, genres as even as that allows. Rows whose lyrics_group, if the songs have that
    column, also stands among the validation rows teach nothing in that fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    artists = songs["artist"].map(artist_key)
    groups = songs["lyrics_group"].to_numpy() if "lyrics_group" in songs else None
    folds = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    for train, valid in folds.split(songs, songs["genre"], artists):
        yield (train if groups is None else train[~np.isin(groups[train], groups[valid])]), valid


def random_split(n_songs: int, n_test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (train rows, test rows) as positions, drawn song by song: optimistic, for artists stand on both sides."""
    order = np.random.default_rng(seed).permutation(n_songs)
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def share_of_artists(songs: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """Return which rows are of the first artists of each genre: so many that they are the share, at least one.

    A larger share holds all the artists of a smaller one.

    Args:
        songs: columns artist, genre.
        share: of the artists, in (0, 1].
        seed: of the artists' order.
    """
    artists = songs["artist"].map(artist_key)
    taken: set[str] = set()
    for _, of_genre in artists.groupby(songs["genre"]):
        names = sorted(of_genre.unique(), key=lambda key: artist_position(key, seed))
        taken.update(names[: math.ceil(share * len(names))])
    return artists.isin(taken).to_numpy()


def recency_weights(dates: pd.Series, half_life_days: float | None) -> np.ndarray | None:
    """Return how much each song counts: half for each half-life before the newest date; the mean is 1.

    Args:
        dates: the date on which each song was last seen.
        half_life_days: None makes all songs count alike, which is returned as None.
    """
    if half_life_days is None:
        return None
    days = pd.to_datetime(dates)
    age = (days.max() - days).dt.days.to_numpy(dtype=float)
    weights = 0.5 ** (age / half_life_days)
    # The penalty of Logistic Regression stands against the sum of the weights: its strength is to stay.
    return np.asarray(weights / weights.mean())
