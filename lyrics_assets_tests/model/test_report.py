"""The evaluation report of a release."""

import base64
import html
import json
import re

import pytest

from lyrics_assets.model.classifier import build_pipeline
from lyrics_assets.model.report import confusion_picture, decide_promotion, evaluate_release, predict, render_html
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.model.splits import TEST, TRAIN, assign_splits
from lyrics_assets_tests.corpus import GENRES, SMALL, songs

# What the tests share is measured once: they run in one process.

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def parted():
    learned = songs(*GENRES)
    splits = assign_splits(learned, 0.3, 1)
    return learned[splits == TRAIN], learned[splits == TEST]


@pytest.fixture(scope="module")
def challenger(parted):
    train, _ = parted
    return Scorer.compile(build_pipeline(SMALL).fit(train["lyrics"], train["genre"]))


@pytest.fixture(scope="module")
def champion(parted):
    """A model that knows only two genres, so that it is worse."""
    train = parted[0][parted[0]["genre"].isin(GENRES[:2])]
    return Scorer.compile(build_pipeline(SMALL).fit(train["lyrics"], train["genre"]))


@pytest.fixture(scope="module")
def report(parted, challenger, champion):
    tags = {"first_extraction_date": "2026-11-20", "last_extraction_date": "2026-11-24"}
    return evaluate_release(*parted, challenger, champion) | {"model_version": 7, "run_id": "r", "model_tags": tags}


def test_the_report_is_plain_json(report):
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_report_counts_songs_and_artists_of_both_sides(report, parted):
    train, test = parted
    assert (report["n_train"], report["n_test"]) == (len(train), len(test))
    assert report["n_test_artists"] == test["artist"].nunique()
    assert sum(row["support"] for row in report["per_genre"].values()) == len(test)
    assert sum(map(sum, report["confusion_matrix"]["rows_are_truth"])) == len(test)


def test_a_better_challenger_shows_its_gain_and_is_promoted(report):
    assert report["champion"]["gain"] == pytest.approx(report["macro_f1"] - report["champion"]["macro_f1"])
    low, high = report["champion"]["gain_interval"]
    assert 0 < low < report["champion"]["gain"] < high
    assert report["promotion"]["promoted"]


def test_the_figures_are_those_of_the_scorer(report, parted, challenger):
    _, test = parted
    guesses = [next(iter(challenger.probabilities(text))) for text in test["lyrics"]]
    assert report["accuracy"] == pytest.approx((test["genre"] == guesses).mean())


def test_the_environment_names_time_memory_and_libraries(report):
    environment = report["environment"]
    assert environment["seconds"] > 0
    assert environment["peak_memory_mb"] > 10
    assert set(environment["libraries"]) >= {"scikit-learn", "numpy"}


def test_predictions_keep_the_rows_of_the_songs(parted, challenger):
    _, test = parted
    shares = predict(challenger, test)
    assert shares.index.equals(test.index)
    assert sorted(shares.columns) == sorted(GENRES)
    first = test.index[0]
    assert shares.loc[first].to_dict() == challenger.probabilities(test.loc[first, "lyrics"])


def judged(macro_f1, champion=None, guessing=0.1):
    return decide_promotion(
        {"macro_f1": macro_f1, "baselines": {"majority genre": {"macro_f1": guessing}}, "champion": champion}
    )


def test_the_first_model_that_beats_guessing_is_promoted():
    assert judged(0.2) == {"promoted": True, "reason": "the first model that beats guessing"}


@pytest.mark.parametrize("champion", [None, {"macro_f1": 0.05, "gain": 0.05, "gain_interval": [0.01, 0.1]}])
def test_a_model_no_better_than_guessing_is_never_promoted(champion):
    decision = judged(0.1, champion)
    assert not decision["promoted"]
    assert "no better than always the same genre (macro-F1 0.100)" in decision["reason"]


@pytest.mark.parametrize(("low", "high", "promoted"), [(0.01, 0.2, True), (-0.1, 0.1, True), (-0.2, -0.01, False)])
def test_a_challenger_is_refused_only_if_it_is_surely_worse(low, high, promoted):
    gain = (low + high) / 2
    decision = judged(0.5, {"macro_f1": 0.5 - gain, "gain": gain, "gain_interval": [low, high]})
    assert decision["promoted"] is promoted
    assert f"{gain:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}" in decision["reason"]


def test_the_picture_is_a_png_of_some_size(report):
    picture = confusion_picture(report)
    assert picture.startswith(PNG_SIGNATURE)
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width > 500
    assert height > 500


def test_a_picture_can_be_made_of_a_genre_without_songs():
    counts = {"genres": ["Funk", "MPB"], "rows_are_truth": [[0, 0], [1, 2]]}
    assert confusion_picture({"confusion_matrix": counts}).startswith(PNG_SIGNATURE)


@pytest.fixture(scope="module")
def page(report):
    return render_html(report, PNG_SIGNATURE + b"picture")


def test_the_page_shows_the_figures(page, report):
    shown = html.unescape(page)
    for figure in (report["macro_f1"], *report["macro_f1_interval"], report["accuracy"], report["mcc"]):
        assert f"{figure:.3f}" in shown
    assert f"{report['champion']['macro_f1']:.3f}" in shown
    assert report["promotion"]["reason"] in shown
    assert f"examined on {report['n_test']} songs" in shown
    assert "model version 7" in shown
    assert "2026-11-20 to 2026-11-24" in shown
    for name in (*GENRES, *report["slices"], *report["baselines"]):
        assert name in shown


def test_the_page_needs_no_other_file(page):
    assert base64.b64encode(PNG_SIGNATURE + b"picture").decode() in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "<script" not in page


def test_neither_page_nor_report_holds_a_line_of_a_lyric(page, report):
    shown = (page + json.dumps(report, ensure_ascii=False)).casefold()
    lines = {line.casefold() for text in songs(*GENRES)["lyrics"] for line in text.split("\n") if len(line.split()) > 2}
    assert len(lines) > 500
    assert [line for line in lines if line in shown] == []


def test_what_a_tag_says_is_shown_as_text(report):
    tags = {"first_extraction_date": "<script>", "last_extraction_date": ""}
    assert "<script" not in render_html(report | {"model_tags": tags}, b"")


def test_the_page_of_a_first_release_shows_no_champion(page, report):
    assert "champion so far" in page
    assert "champion so far" not in render_html(report | {"champion": None}, b"")
