"""A classifier that knows how far to trust itself."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from lyrics_assets.model import fitting
from lyrics_assets.model.calibration import Calibration
from lyrics_assets.model.classifier import build_pipeline
from lyrics_assets.model.fitting import fit_classifier
from lyrics_assets.model.scorer import Scorer, largest_difference
from lyrics_assets.model.uncertainty import CUT_LENGTHS, Bounds
from lyrics_assets_tests.corpus import GENRES, SMALL, TWO_GENRES, songs


@cache
def fitted(calibration="temperature"):
    return fit_classifier(songs(*GENRES), SMALL.model_copy(update={"calibration": calibration}))


def unlikelihood(probabilities, genres):
    columns = np.searchsorted(probabilities.columns, genres)
    return -np.log(probabilities.to_numpy()[np.arange(len(genres)), columns]).mean()


def test_every_song_has_probabilities_of_a_model_that_had_not_seen_it():
    learned = songs(*GENRES)
    found = fitted().out_of_fold
    assert list(found.index) == list(learned.index)
    assert list(found.columns) == list(GENRES)
    assert found.sum(axis=1).to_numpy() == pytest.approx(1)
    own = (found.to_numpy().argmax(axis=1) == np.searchsorted(GENRES, learned["genre"])).mean()
    assert 0.3 < own < 0.95, "the songs that it learned are told nearly always, new ones are not"


@pytest.mark.parametrize("method", ["temperature", "sigmoid"])
def test_calibration_makes_the_true_genres_likelier(method):
    genres = songs(*GENRES)["genre"].to_numpy(dtype=str)
    assert unlikelihood(fitted(method).out_of_fold, genres) < unlikelihood(fitted("none").out_of_fold, genres)


@pytest.mark.parametrize("method", ["none", "temperature", "sigmoid"])
def test_the_result_is_one_pipeline_that_the_scorer_agrees_with(method):
    found = fitted(method)
    compiled = Scorer.compile(found.pipeline, found.bounds)
    texts = [*songs(*GENRES)["lyrics"], "", "samba", "Senhor!", "xq zw"]
    assert largest_difference(found.pipeline, compiled, texts) <= 1e-6
    assert compiled.bounds == found.bounds


def test_a_clone_that_learns_again_is_calibrated_alike():
    learned = songs(*GENRES)
    again = clone(fitted().pipeline).fit(learned["lyrics"], learned["genre"])
    assert np.array_equal(again.predict_proba(learned["lyrics"]), fitted().pipeline.predict_proba(learned["lyrics"]))


def test_the_same_seed_gives_the_same_calibration():
    again = fit_classifier(songs(*GENRES), SMALL)
    assert again.calibration == fitted().calibration
    assert again.bounds == fitted().bounds


def test_short_texts_are_trusted_less_and_about_as_far_as_they_were_right():
    found = fitted()
    assert found.calibration.fade > 0.2
    assert [row["words"] for row in found.bounds.lengths] == [*CUT_LENGTHS, 0]
    for row in found.bounds.lengths:
        assert row["confidence"] == pytest.approx(row["accuracy"], abs=0.15)


def test_no_artist_and_no_near_duplicate_is_on_both_sides(monkeypatch):
    seen = []
    fit = fitting._fit
    monkeypatch.setattr(
        fitting, "_fit", lambda pipeline, learned, weights: seen.append(learned) or fit(pipeline, learned, weights)
    )
    learned = songs(*TWO_GENRES)
    learned.loc[[0, 30], "lyrics_group"] = "the same text"
    fit_classifier(learned, SMALL)
    *folds, whole = seen
    assert len(whole) == len(learned)
    assert len(folds) == 4
    for part in folds:
        kept = learned.drop(part.index)
        assert not set(part["artist"]) & set(kept["artist"])
        assert not set(part["lyrics_group"]) & (set(kept["lyrics_group"]) - {"the same text"})
    assert all((0 in part.index) == (30 in part.index) or part.index.isin([0, 30]).sum() == 0 for part in folds)


def test_songs_weigh_in_the_folds_too():
    learned = songs(*TWO_GENRES)
    weights = np.where(learned["genre"] == "Samba", 3.0, 1.0)
    parameters = SMALL.model_copy(update={"balanced": False})
    plain, weighed = (fit_classifier(learned, parameters, sample_weight=w) for w in (None, weights))
    assert weighed.out_of_fold["Samba"].mean() > plain.out_of_fold["Samba"].mean()
    text = ["hoje eu acordei"]
    assert weighed.pipeline.decision_function(text)[0, 1] > plain.pipeline.decision_function(text)[0, 1]


def test_one_genre_alone_cannot_be_learned():
    with pytest.raises(ValueError, match="only Samba to learn: a classifier needs two genres"):
        fit_classifier(songs("Samba"), SMALL)


def test_no_song_at_all_cannot_be_learned():
    with pytest.raises(ValueError, match="only nothing to learn"):
        fit_classifier(songs(*TWO_GENRES).iloc[:0], SMALL)


def few(genre, artists):
    """Return made-up songs of a genre, one an artist."""
    return pd.DataFrame(
        [
            {"artist": artist, "genre": genre, "lyrics": f"polca polca rala coxa {artist}", "lyrics_group": f"{artist}"}
            for artist in artists
        ]
    )


@pytest.mark.parametrize("artists", [["Um", "Dois"], ["Um", "Um"]], ids=["two artists", "one artist"])
def test_a_genre_of_two_songs_is_learned(artists):
    learned = pd.concat([songs(*TWO_GENRES), few("Polca", artists)], ignore_index=True)
    found = fit_classifier(learned, SMALL)
    assert list(found.pipeline.classes_) == ["Gospel", "Polca", "Samba"]
    assert next(iter(Scorer.compile(found.pipeline).probabilities("polca rala coxa"))) == "Polca"
    assert found.bounds.prior["Polca"] == pytest.approx(2 / len(learned))
    # No model that had not heard its only artist could have told it.
    assert (learned.loc[found.out_of_fold.index, "genre"] == "Polca").sum() == (2 if len(set(artists)) == 2 else 0)


def test_what_a_fold_could_not_have_learned_is_not_judged_by_it():
    """Each genre has one artist alone, so that a fold that keeps one back knows the other two genres at most."""
    learned = pd.concat([few(genre, [genre] * 3) for genre in ("Polca", "Samba", "Valsa")], ignore_index=True)
    learned["lyrics_group"] = learned.index.astype(str)
    found = fit_classifier(learned, SMALL.model_copy(update={"char_min_df": 1}), n_folds=3)
    assert list(found.pipeline.classes_) == ["Polca", "Samba", "Valsa"]
    assert len(found.out_of_fold) == 0


def test_a_fold_that_is_left_with_one_genre_is_passed_over():
    learned = pd.concat([few("Polca", ["Um"] * 4), few("Samba", ["Dois", "Três", "Quatro"])], ignore_index=True)
    learned["lyrics_group"] = learned.index.astype(str)
    found = fit_classifier(learned, SMALL.model_copy(update={"char_min_df": 1}), n_folds=2)
    assert set(learned.loc[found.out_of_fold.index, "genre"]) == {"Samba"}


def test_two_songs_of_one_artist_are_learned_without_calibration():
    learned = pd.concat([few("Polca", ["Um"]), few("Samba", ["Um"])], ignore_index=True)
    found = fit_classifier(learned, SMALL.model_copy(update={"char_min_df": 1}))
    assert found.calibration == Calibration()
    assert found.bounds == Bounds({"Polca": 0.5, "Samba": 0.5})
    assert len(found.out_of_fold) == 0
    assert Scorer.compile(found.pipeline, found.bounds).judge("polca").genre is None


def test_a_pipeline_without_folds_is_the_same_but_for_the_calibration():
    learned = songs(*GENRES)
    plain = build_pipeline(SMALL).fit(learned["lyrics"], learned["genre"])
    assert np.array_equal(plain[-1].coef_, fitted().pipeline[-1].coef_)
