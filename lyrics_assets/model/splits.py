"""Which songs teach and which songs examine: whole artists on one side, because a songwriter is always a new artist."""

import hashlib
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
    alone, a later artist with a lower place takes the seat over). Training songs whose text nearly repeats
    a test song's (covers, live versions, spellings of a name) are left out.

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
    """Yield (train rows, validation rows) as positions; whole artists on one side, genres as even as that allows."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = songs["artist"].map(artist_key)
    folds = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    yield from folds.split(songs, songs["genre"], groups)
