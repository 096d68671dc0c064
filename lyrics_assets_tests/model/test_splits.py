"""Which songs teach and which songs examine."""

import numpy as np
import pandas as pd
import pytest

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model.splits import (
    LEFT_OUT,
    TEST,
    TRAIN,
    artist_folds,
    artist_position,
    assign_splits,
    random_split,
    recency_weights,
    share_of_artists,
)
from lyrics_assets_tests.corpus import songs


def made_up(n_artists=200, genres=("Samba", "MPB", "Rock")):
    """Return two songs each of many artists."""
    rows = [
        {"artist": f"Artista {n}", "genre": genres[n % len(genres)], "lyrics_group": f"letra {n} {k}"}
        for n in range(n_artists)
        for k in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_an_artist_stands_on_one_side_only(seed):
    learned = songs()
    splits = assign_splits(learned, 0.25, seed)
    sides = splits[splits != LEFT_OUT].groupby(learned["artist"].map(artist_key)).nunique()
    assert set(splits) >= {TRAIN, TEST}
    assert (sides == 1).all()


def test_spellings_of_an_artist_stand_on_the_same_side():
    spellings = ["Chitãozinho & Xororó", "Chitaozinho e Xororo", "CHITÃOZINHO E XORORÓ"]
    assert len({artist_position(name, 1) for name in spellings}) == 1
    pairs = pd.DataFrame({"artist": spellings, "genre": ["MPB"] * 3, "lyrics_group": ["um", "dois", "tres"]})
    assert assign_splits(pd.concat([made_up(), pairs], ignore_index=True), 0.25, 1)[-3:].nunique() == 1


def test_about_the_share_of_artists_that_was_asked_for_examines():
    learned = made_up(2000)
    assert (assign_splits(learned, 0.25, 3) == TEST).mean() == pytest.approx(0.25, abs=0.04)


def test_an_artist_whose_place_is_the_share_itself_does_not_examine():
    learned = made_up()
    place = artist_position("Artista 7", 1)
    splits = assign_splits(learned, place, 1)
    assert set(splits[learned["artist"] == "Artista 7"]) == {TRAIN}
    examining = learned.loc[splits == TEST, "artist"]
    assert examining.map(lambda name: artist_position(name, 1)).max() < place


def test_no_song_changes_sides_when_songs_are_added():
    everything = made_up(300)
    before = everything[everything["artist"].map(lambda name: int(name.split()[1]) < 150)]
    assert assign_splits(everything, 0.25, 1)[before.index].equals(assign_splits(before, 0.25, 1))


def test_no_song_changes_sides_when_the_rows_are_shuffled():
    learned = songs()
    shuffled = learned.sample(frac=1, random_state=0)
    assert assign_splits(shuffled, 0.25, 1)[learned.index].equals(assign_splits(learned, 0.25, 1))


def test_another_seed_parts_the_artists_otherwise():
    learned = made_up()
    assert not assign_splits(learned, 0.25, 1).equals(assign_splits(learned, 0.25, 2))


@pytest.mark.parametrize("seed", range(5))
def test_every_genre_with_two_artists_is_examined_and_taught(seed):
    learned = songs()
    splits = assign_splits(learned, 0.05, seed)
    of_genre = learned.groupby("genre")
    several = [genre for genre, rows in of_genre if rows["artist"].map(artist_key).nunique() > 1]
    assert set(learned.loc[splits == TEST, "genre"]) >= set(several)
    assert set(learned.loc[splits == TRAIN, "genre"]) == set(learned["genre"])


def test_in_a_genre_without_an_examiner_the_artist_of_the_lowest_place_is_taken():
    two = pd.DataFrame({"artist": ["Um", "Dois"], "genre": "Samba", "lyrics_group": ["a", "b"]})
    lowest = min(two["artist"], key=lambda name: artist_position(name, 1))
    assert list(two.loc[assign_splits(two, 1e-9, 1) == TEST, "artist"]) == [lowest]


def test_a_genre_of_one_artist_only_teaches():
    assert set(assign_splits(pd.DataFrame({"artist": ["Um"], "genre": ["Samba"], "lyrics_group": ["a"]}), 1e-9, 1)) == {
        TRAIN
    }


def test_training_songs_whose_text_nearly_repeats_a_test_song_are_left_out():
    learned = made_up()
    splits = assign_splits(learned, 0.25, 1)
    of_test, own = (learned.loc[splits[splits == side].index[0], "lyrics_group"] for side in (TEST, TRAIN))
    teacher = learned.loc[splits[splits == TRAIN].index[0], "artist"]
    copies = pd.DataFrame(
        {"artist": teacher, "genre": "Samba", "lyrics_group": [of_test, own, "só dele"]},
        index=["copy of a test song", "copy of its own", "new"],
    )
    parted = assign_splits(pd.concat([learned, copies]), 0.25, 1)
    assert list(parted[copies.index]) == [LEFT_OUT, TRAIN, TRAIN]
    assert parted[learned.index].equals(splits)


def test_splits_keep_the_index_of_the_songs():
    learned = made_up(20).set_index(pd.Index(range(100, 140)))
    splits = assign_splits(learned, 0.25, 1)
    assert splits.index.equals(learned.index)
    assert splits.name == "split"


def test_places_are_in_the_unit_interval_and_stay_for_ever():
    places = [artist_position(f"Artista {n}", 1) for n in range(500)]
    assert all(0 <= place < 1 for place in places)
    assert np.mean(places) == pytest.approx(0.5, abs=0.05)
    assert artist_position("Dona Aurora", 1) == pytest.approx(0.3800001854, abs=1e-9)


def test_folds_keep_artists_whole_and_validate_every_song_once():
    learned = songs("Samba", "Funk", "Gospel")
    keys = learned["artist"].map(artist_key).to_numpy()
    folds = list(artist_folds(learned, 3, 0))
    assert len(folds) == 3
    for train, valid in folds:
        assert not set(keys[train]) & set(keys[valid])
        assert set(learned["genre"].to_numpy()[valid]) == {"Samba", "Funk", "Gospel"}
    assert sorted(np.concatenate([valid for _, valid in folds])) == list(range(len(learned)))


def test_the_same_seed_gives_the_same_folds():
    learned = songs("Samba", "Funk")
    first, again, other = ([valid.tolist() for _, valid in artist_folds(learned, 3, seed)] for seed in (0, 0, 1))
    assert first == again != other


def test_a_fold_learns_no_text_that_nearly_repeats_one_of_its_validation_songs():
    learned = made_up(60)
    learned.loc[learned.index % 10 == 0, "lyrics_group"] = "sung by everybody"
    folds = list(artist_folds(learned, 3, 0))
    groups = learned["lyrics_group"].to_numpy()
    for train, valid in folds:
        assert not set(groups[train]) & set(groups[valid])
    # Nothing else is left out.
    assert all(len(train) + len(valid) >= len(learned) - 12 for train, valid in folds)
    assert sorted(np.concatenate([valid for _, valid in folds])) == list(range(len(learned)))


def test_songs_without_groups_of_texts_are_folded_by_artist_alone():
    learned = made_up(60).drop(columns="lyrics_group")
    assert all(len(train) + len(valid) == len(learned) for train, valid in artist_folds(learned, 3, 0))


def test_a_random_split_draws_songs_and_not_artists():
    train, test = random_split(400, 100, seed=0)
    assert (len(train), len(test)) == (300, 100)
    assert sorted([*train, *test]) == list(range(400))
    artists = made_up()["artist"].to_numpy()
    assert set(artists[train]) & set(artists[test])
    assert random_split(400, 100, seed=0)[1].tolist() == test.tolist() != random_split(400, 100, seed=1)[1].tolist()


def test_a_larger_share_of_artists_holds_the_smaller_one_and_every_genre():
    learned = made_up()
    quarter, half, whole = (share_of_artists(learned, share, seed=0) for share in (0.25, 0.5, 1))
    assert whole.all()
    assert (half | ~quarter).all()
    for mask, share in ((quarter, 0.25), (half, 0.5)):
        assert learned.loc[mask, "artist"].nunique() == pytest.approx(200 * share, abs=3)
        assert set(learned.loc[mask, "genre"]) == set(learned["genre"])
        # Whole artists.
        assert not set(learned.loc[mask, "artist"]) & set(learned.loc[~mask, "artist"])


def test_which_artists_are_the_share_depends_on_the_seed():
    learned = made_up()
    first, again, other = (share_of_artists(learned, 0.25, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_song_of_one_half_life_ago_counts_half_and_the_mean_is_one():
    dates = pd.Series(["2026-11-24", "2026-11-14", "2026-11-04", "2026-11-24"])
    weights = recency_weights(dates, half_life_days=10)
    assert weights / weights[0] == pytest.approx([1, 0.5, 0.25, 1])
    assert weights.mean() == pytest.approx(1)
    assert recency_weights(dates, None) is None
