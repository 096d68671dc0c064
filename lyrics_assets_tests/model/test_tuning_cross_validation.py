"""How a setting is measured: folds of whole artists, features that are computed once."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import issparse

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model import cross_validation
from lyrics_assets.model.classifier import VECTORIZER_FIELDS, Hyperparameters, build_estimator, build_pipeline
from lyrics_assets.model.cross_validation import CrossValidation, identify
from lyrics_assets.model.evaluation import macro_f1
from lyrics_assets_tests.corpus import GENRES, TWO_GENRES, songs

SMALL = Hyperparameters(word_ngram_max=1, char_ngram_max=2)
SETTINGS = [
    SMALL,
    SMALL.model_copy(update={"C": 0.5, "balanced": False}),
    SMALL.model_copy(update={"weighting": "bm25", "C": 64.0}),
    Hyperparameters(word_features=200, char_features=500),
]


@pytest.fixture(scope="module")
def learned():
    return songs(*GENRES)


@pytest.fixture
def validation(learned, tmp_path):
    return CrossValidation(learned, n_folds=3, seed=0, folder=tmp_path / "features")


def computed(validation):
    """Return the names of the features that are kept."""
    return {place.name for place in validation._folder.iterdir() if place.is_dir()}


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("limit", [4000, 0], ids=["in the span", "sparse"])
def test_a_score_is_that_of_the_pipeline_fitted_on_the_fold(learned, validation, monkeypatch, parameters, limit):
    monkeypatch.setattr(cross_validation, "SPAN_LIMIT", limit)
    lyrics, genres = learned["lyrics"].to_numpy(), learned["genre"].to_numpy(dtype=str)
    for fold, (train, valid) in enumerate(validation.folds):
        naive = build_pipeline(parameters, seed=0).fit(lyrics[train], genres[train])
        expected = macro_f1(genres[valid], naive.predict(lyrics[valid]))
        assert validation.score(parameters, fold) == pytest.approx(expected, abs=1e-12)
        known = validation._features(parameters, fold, dense=True)
        assert issparse(known.train) is (limit == 0)


def test_in_the_span_the_model_gives_the_same_probabilities(validation, learned):
    train, _ = validation.folds[0]
    genres = learned["genre"].to_numpy(dtype=str)[train]
    dense, sparse = (validation._features(SMALL, 0, dense=dense) for dense in (True, False))
    assert dense.train.shape == (len(train), len(train))
    for setting in (SMALL, SMALL.model_copy(update={"C": 64.0})):
        here, there = (
            build_estimator(setting, 0).fit(known.train, genres).predict_proba(known.valid) for known in (dense, sparse)
        )
        np.testing.assert_allclose(here, there, atol=1e-6)


def test_songs_of_the_same_words_do_not_disturb(learned):
    twice = learned.copy()
    twice["lyrics"] = ["\n".join([*TWO_GENRES, *TWO_GENRES, lyrics[:40]]) for lyrics in twice["lyrics"]]
    twice.loc[twice.index[:20], "lyrics"] = twice["lyrics"].iloc[0]
    assert 0 <= CrossValidation(twice, 2).measure(SMALL) <= 1


def test_each_fold_is_reported_with_the_mean_so_far(validation):
    reported = []
    score = validation.measure(SMALL, lambda *so_far: reported.append(so_far))
    assert [fold for fold, _ in reported] == [0, 1, 2]
    assert reported[0][1] == validation.score(SMALL, 0)
    assert reported[-1][1] == score


def test_no_artist_and_no_near_duplicate_stands_on_both_sides_of_a_fold(learned):
    covered = learned.copy()
    covered.loc[covered.index[::7], "lyrics_group"] = "one song that everybody sings"
    validation = CrossValidation(covered, 3)
    artists, groups = covered["artist"].map(artist_key).to_numpy(), covered["lyrics_group"].to_numpy()
    examined = np.concatenate([valid for _, valid in validation.folds])
    assert sorted(examined) == list(range(len(covered)))
    for train, valid in validation.folds:
        assert not set(artists[train]) & set(artists[valid])
        assert not set(groups[train]) & set(groups[valid])
        assert len(train) + len(valid) < len(covered)


def test_settings_that_read_the_same_share_their_features(validation):
    for change in ({}, {"C": 1.0}, {"balanced": False}, {"calibration": "none"}):
        validation.measure(SMALL.model_copy(update=change))
    assert len(computed(validation)) == 3
    validation.measure(SMALL.model_copy(update={"char_ngram_max": 3}))
    assert len(computed(validation)) == 6


def test_every_field_that_the_vectorizer_reads_parts_the_features(validation):
    other = {
        "weighting": "bm25",
        "word_ngram_max": 2,
        "char_ngram_max": 3,
        "word_min_df": 3,
        "char_min_df": 4,
        "word_features": 99,
        "char_features": 99,
    }
    assert set(other) == set(VECTORIZER_FIELDS)
    for name, value in other.items():
        before = computed(validation)
        validation.score(SMALL.model_copy(update={name: value}), 0)
        assert len(computed(validation)) == len(before) + 1, name


def test_no_more_is_kept_than_allowed_and_what_was_used_last_stays(learned, tmp_path):
    def measure(cache_bytes, folder):
        validation = CrossValidation(learned, 3, folder=tmp_path / folder, cache_bytes=cache_bytes)
        scores = [validation.measure(SMALL.model_copy(update={"word_min_df": rare})) for rare in (1, 2, 3)]
        return scores, sum(file.stat().st_size for file in validation._folder.rglob("*") if file.is_file())

    scores, whole = measure(2**30, "whole")
    assert measure(whole // 3, "third") == (scores, pytest.approx(whole // 3, rel=0.2))
    assert measure(0, "none")[0] == scores


def test_two_who_ask_at_once_compute_once(learned, tmp_path, monkeypatch):
    built = []
    build = cross_validation.build_vectorizer
    monkeypatch.setattr(cross_validation, "build_vectorizer", lambda asked: built.append(asked) or build(asked))
    validation = CrossValidation(learned, 3, folder=tmp_path)
    with ThreadPoolExecutor(4) as pool:
        scores = set(pool.map(lambda _: validation.score(SMALL, 0), range(4)))
    assert len(scores) == 1
    assert built == [SMALL]


def test_features_that_are_removed_in_the_meantime_are_computed_again(validation):
    score = validation.score(SMALL, 0)
    for place in validation._folder.iterdir():
        if place.is_dir():
            for file in place.iterdir():
                file.unlink()
            place.rmdir()
    assert validation.score(SMALL, 0) == score


def test_a_temporary_folder_goes_with_its_cross_validation(learned):
    validation = CrossValidation(learned, 3)
    folder = validation._folder
    validation.score(SMALL, 0)
    assert folder.is_dir()
    del validation
    assert not folder.exists()


def test_sent_to_another_process_it_measures_the_same(learned, tmp_path):
    validation = CrossValidation(learned, 3, folder=tmp_path / "here")
    sent = pickle.loads(pickle.dumps(validation))  # noqa: S301
    assert sent._folder == validation._folder
    score = validation.score(SMALL, 0)
    state = pickle.dumps(validation)
    validation._folder.rename(tmp_path / "moved")
    elsewhere = pickle.loads(state)  # noqa: S301
    assert elsewhere._folder != validation._folder
    assert elsewhere.score(SMALL, 0) == score


def test_songs_folds_seed_and_code_tell_searches_apart(learned, monkeypatch):
    changed = learned.copy()
    changed.loc[changed.index[0], "lyrics"] += "!"
    digests = [
        identify(learned, 3, 0),
        identify(learned, 2, 0),
        identify(learned, 3, 1),
        identify(changed, 3, 0),
        identify(learned[1:], 3, 0),
    ]
    monkeypatch.setattr(cross_validation, "_CODE", (sys.modules[__name__],))
    digests.append(identify(learned, 3, 0))
    assert len(set(digests)) == len(digests)
    assert identify(learned.assign(title="other", n_words=1), 3, 0) == digests[-1]


def test_songs_without_their_groups_are_refused(learned):
    with pytest.raises(KeyError, match="lyrics_group"):
        CrossValidation(learned.drop(columns="lyrics_group"), 3)


def test_words_that_only_the_validation_songs_hold_are_unknown_to_a_fold(learned):
    marked = learned.copy()
    marked["lyrics"] += [
        f"\nxis{letter} xis{letter}" for letter in marked["artist"].map(lambda name: name.split()[0].lower())
    ]
    validation = CrossValidation(marked, 2, 0)
    for fold, (train, valid) in enumerate(validation.folds):
        known = validation._features(SMALL.model_copy(update={"word_min_df": 1}), fold, dense=False)
        assert (known.train.shape[0], known.valid.shape[0]) == (len(train), len(valid))
        assert (known.train.getnnz(axis=0) > 0).all()


def test_the_code_that_is_told_apart_is_that_of_the_project():
    assert all(Path(module.__file__).suffix == ".py" for module in cross_validation._CODE)
