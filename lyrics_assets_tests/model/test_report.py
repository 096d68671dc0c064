"""The evaluation report of a release."""

import base64
import html
import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from lyrics_assets.model.baselines import MAJORITY, ORIGINAL
from lyrics_assets.model.classifier import build_pipeline
from lyrics_assets.model.figures import (
    calibration_picture,
    calibration_svg,
    confusion_picture,
    learning_curve_picture,
    learning_curve_svg,
)
from lyrics_assets.model.fitting import fit_classifier
from lyrics_assets.model.promotion import learned_songs
from lyrics_assets.model.report import (
    Champion,
    Options,
    evaluate_release,
    measure_uncertainty,
    predict,
    render_html,
    report_files,
    report_metrics,
)
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.model.splits import LEFT_OUT, TEST, TRAIN, assign_splits
from lyrics_assets_tests.corpus import GENRES, SMALL, songs

# What the tests share is measured once: they run in one process.

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TAGS = {
    "first_extraction_date": "2026-11-20",
    "last_extraction_date": "2026-11-24",
    "store_version": "commit 12",
    "dataset_digest": "0123456789abcdef0123456789abcdef",
    "code_version": "0.1.0+g0123456789ab",
    "rows": "96",
}


def fit(part):
    with threadpool_limits(1):
        return build_pipeline(SMALL).fit(part["lyrics"], part["genre"])


@pytest.fixture(scope="module")
def learned():
    learned = songs(*GENRES)
    learned["split"] = assign_splits(learned, 0.3, 1)
    learned.loc[learned.index[learned["split"] == TRAIN][0], "split"] = LEFT_OUT
    return learned


@pytest.fixture(scope="module")
def parted(learned):
    return learned[learned["split"] == TRAIN], learned[learned["split"] == TEST]


@pytest.fixture(scope="module")
def challenger(parted):
    return Scorer.compile(fit(parted[0]))


@pytest.fixture(scope="module")
def champion(parted):
    """A model that knows only two genres, so that it is worse."""
    train = parted[0][parted[0]["genre"].isin(GENRES[:2])]
    return Champion(Scorer.compile(fit(train)), learned_songs(train), 3)


@pytest.fixture(scope="module")
def report(learned, challenger, champion):
    found = evaluate_release(learned, challenger, champion, fit, Options())
    return found | {"model_version": 7, "run_id": "r", "model_tags": TAGS}


@pytest.fixture(scope="module")
def small(learned, challenger):
    """The report of a first release, of which only what must be was measured."""
    options = Options(original_script=False, random_split=False, learning_curve_max_songs=0)
    found = evaluate_release(learned, challenger, None, fit, options)
    return found | {"model_version": 1, "run_id": "r", "model_tags": TAGS}


def test_the_report_is_plain_json(report, small):
    for found in (report, small):
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_report_keeps_its_contract(report):
    assert set(report) >= {
        "macro_f1",
        "macro_f1_interval",
        "accuracy",
        "accuracy_interval",
        "mcc",
        "mcc_interval",
        "expected_calibration_error",
        "calibration_curve",
        "per_genre",
        "confusion_matrix",
        "slices",
        "mistakes",
        "random_split",
        "learning_curve",
        "baselines",
        "champion",
        "promotion",
        "uncertainty",
        "n_train",
        "n_test",
        "environment",
    }
    assert set(report["environment"]) == {"seconds", "peak_memory_mb", "python", "libraries"}
    assert {"macro_f1", "macro_f1_interval", "accuracy", "seconds"} <= set(report["baselines"][MAJORITY])


def test_the_report_counts_songs_and_artists_of_both_sides(report, parted):
    train, test = parted
    assert (report["n_train"], report["n_test"], report["n_left_out"]) == (len(train), len(test), 1)
    assert report["n_test_artists"] == test["artist"].nunique()
    assert sum(row["support"] for row in report["per_genre"].values()) == len(test)
    assert sum(map(sum, report["confusion_matrix"]["rows_are_truth"])) == len(test)
    assert sum(row["n"] for row in report["calibration_curve"]) == len(test)
    right = sum(report["confusion_matrix"]["rows_are_truth"][n][n] for n in range(len(GENRES)))
    assert len(report["mistakes"]) == min(15, len(test) - right)


def test_a_better_challenger_shows_its_gain_and_is_promoted(report):
    assert report["champion"]["version"] == 3
    assert report["champion"]["gain"] == pytest.approx(report["macro_f1"] - report["champion"]["macro_f1"])
    low, high = report["champion"]["gain_interval"]
    assert 0 < low < report["champion"]["gain"] < high
    assert report["promotion"]["promoted"]


def test_the_figures_are_those_of_the_scorer(report, parted, challenger):
    _, test = parted
    guesses = [next(iter(challenger.probabilities(text))) for text in test["lyrics"]]
    assert report["accuracy"] == pytest.approx((test["genre"] == guesses).mean())


def test_the_report_tells_what_came_of_the_warnings_on_the_test_songs(report, parted, challenger):
    _, test = parted
    answers = [challenger.judge(text) for text in test["lyrics"]]
    warned = report["uncertainty"]["warned"]
    quiet = [not answer.warnings for answer in answers]
    assert warned["none"]["songs"] == sum(quiet)
    right = [answer.genre == genre for answer, genre in zip(answers, test["genre"], strict=True)]
    assert warned["none"]["accuracy"] == pytest.approx(np.mean(np.array(right)[quiet]))
    codes = {code for answer in answers for code in answer.warnings}
    assert set(warned) == codes | {"none"}


def test_the_report_shows_the_tables_that_the_bounds_were_chosen_by(report, parted):
    fitted = fit_classifier(parted[0], SMALL)
    scorer = Scorer.compile(fitted.pipeline, fitted.bounds)
    uncertainty = measure_uncertainty(scorer, parted[1])
    assert uncertainty["coverage"] == list(fitted.bounds.coverage)
    page = render_html({**report, "uncertainty": uncertainty}, PNG_SIGNATURE)
    for row in uncertainty["coverage"]:
        assert f"{row['songs']} songs</small></td><td>{row['min_margin']:.3f}</td>" in page
    assert f"a text under {fitted.bounds.min_words} words" in page
    assert "These bounds are guesses" in render_html(report, PNG_SIGNATURE)


def test_the_random_split_and_the_learning_curve_use_the_same_recipe(report, learned, parted):
    split = report["random_split"]
    assert (split["n_train"], split["n_test"]) == (len(learned) - len(parted[1]), len(parted[1]))
    assert split["n_test_of_known_artists"] > 0
    points = report["learning_curve"]["points"]
    assert [point["share"] for point in points] == [0.25, 0.5, 0.75, 1]
    assert (points[-1]["macro_f1"], points[-1]["n_train"]) == (report["macro_f1"], report["n_train"])


def test_what_is_not_asked_for_is_not_measured(small):
    assert small["random_split"] is None
    assert small["learning_curve"]["points"] == []
    assert ORIGINAL not in small["baselines"]
    assert small["champion"] is None


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


@pytest.fixture(scope="module")
def files(report):
    return report_files(report)


def test_the_files_are_the_figures_the_page_and_the_pictures(files, report):
    assert sorted(files) == [
        "calibration.svg",
        "confusion_matrix.png",
        "learning_curve.svg",
        "report.html",
        "report.json",
    ]
    assert json.loads(files["report.json"]) == report
    assert files["report.html"].startswith(b"<!doctype html>")


def test_without_a_learning_curve_there_is_no_picture_of_one(small, files):
    assert set(files) - set(report_files(small)) == {"learning_curve.svg"}


def test_the_metrics_have_names_that_a_tracking_server_allows(report):
    metrics = report_metrics(report)
    assert all(re.fullmatch(r"[a-z0-9_/]+", name) for name in metrics)
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert (metrics["macro_f1"], metrics["macro_f1_low"]) == (report["macro_f1"], report["macro_f1_interval"][0])
    assert metrics["f1/forro"] == report["per_genre"]["Forró"]["f1"]
    assert metrics["baseline/majority_genre"] == report["baselines"][MAJORITY]["macro_f1"]
    assert metrics["gain_over_champion"] == report["champion"]["gain"]
    assert metrics["random_split_macro_f1"] == report["random_split"]["macro_f1"]


def test_the_metrics_of_a_first_release_tell_of_no_champion(small):
    assert not [name for name in report_metrics(small) if "champion" in name or "random" in name]


def test_the_confusion_matrix_is_a_png_of_some_size(files):
    picture = files["confusion_matrix.png"]
    assert picture.startswith(PNG_SIGNATURE)
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width > 500
    assert height > 500


def test_a_picture_can_be_made_of_a_genre_without_songs():
    counts = {"genres": ["Funk", "MPB"], "rows_are_truth": [[0, 0], [1, 2]]}
    assert confusion_picture({"confusion_matrix": counts}).startswith(PNG_SIGNATURE)


@pytest.mark.parametrize("draw", [calibration_svg, learning_curve_svg])
def test_the_curves_are_drawings_with_a_mark_for_each_point_inside_the_frame(report, draw):
    points = report["calibration_curve"] if draw is calibration_svg else report["learning_curve"]["points"]
    root = ET.fromstring(draw(points))  # noqa: S314  our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    circles = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(circles) == len(points)
    _, _, width, height = map(float, root.get("viewBox").split())
    assert all(0 < float(node.get("cx")) < width and 0 < float(node.get("cy")) < height for node in circles)
    assert all("songs" in node[0].text for node in circles)


def marked(png):
    """Return the share of a picture's pixels that are of the colour of its marks."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return float(((blue > red + 60) & (blue > green)).mean())


@pytest.mark.parametrize("draw", [calibration_picture, learning_curve_picture])
def test_a_mail_gets_the_curves_as_pictures_with_a_mark_for_each_point(report, draw):
    points = report["calibration_curve"] if draw is calibration_picture else report["learning_curve"]["points"]
    assert len(points) > 1
    assert draw(points).startswith(PNG_SIGNATURE)
    assert 0 < marked(draw(points[:1])) < marked(draw(points)) < 0.2


def test_without_points_the_calibration_is_an_empty_frame():
    assert marked(calibration_picture([])) == 0


def test_a_learning_curve_of_one_point_that_is_always_right_can_be_drawn():
    point = {"share": 1.0, "n_train": 5, "macro_f1": 1.0, "macro_f1_interval": [1.0, 1.0]}
    ET.fromstring(learning_curve_svg([point]))  # noqa: S314  our own


@pytest.fixture(scope="module")
def page(report):
    return render_html(report, PNG_SIGNATURE + b"picture")


def test_the_page_shows_the_figures(page, report):
    shown = html.unescape(page)
    for figure in (report["macro_f1"], *report["macro_f1_interval"], report["accuracy"], report["mcc"]):
        assert f"{figure:.3f}" in shown
    assert f"{report['champion']['macro_f1']:.3f}" in shown
    assert f"{report['random_split']['macro_f1']:.3f}" in shown
    assert "optimistic" in shown
    assert report["promotion"]["reason"] in shown
    assert f"examined on {report['n_test']} songs" in shown
    assert "model version 7" in shown
    assert "2026-11-20 to 2026-11-24" in shown
    for name in (*GENRES, *report["slices"], *report["baselines"]):
        assert name in shown
    for mistake in report["mistakes"]:
        assert mistake["title"] in shown
        assert mistake["artist"] in shown


def test_the_page_says_what_the_model_came_from(page):
    for name in ("store_version", "dataset_digest", "code_version"):
        assert TAGS[name] in page


def test_the_page_needs_no_other_file(page):
    assert base64.b64encode(PNG_SIGNATURE + b"picture").decode() in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    assert page.count("<svg") == 2


def test_neither_page_nor_report_nor_picture_holds_a_line_of_a_lyric(files):
    shown = "".join(files[name].decode() for name in files if not name.endswith(".png")).casefold()
    titles = " ".join(songs(*GENRES)["title"]).casefold()
    lines = {line.casefold() for text in songs(*GENRES)["lyrics"] for line in text.split("\n") if len(line.split()) > 2}
    assert len(lines) > 500
    # A refrain may be the title too.
    assert [line for line in lines if line in shown and line not in titles] == []


def test_what_a_tag_or_a_title_says_is_shown_as_text(report):
    tags = {"first_extraction_date": "<script>", "last_extraction_date": ""}
    mistakes = [report["mistakes"][0] | {"title": "<script>"}] if report["mistakes"] else []
    assert "<script" not in render_html(report | {"model_tags": tags, "mistakes": mistakes}, b"")


def test_the_page_of_a_first_release_shows_no_champion_and_no_curve(page, small):
    assert "champion so far" in page
    first = render_html(small, b"")
    assert "champion so far" not in first
    assert f"Not measured: {small['learning_curve']['skipped']}" in first
    assert "optimistic" not in first


def test_the_page_of_a_model_without_a_mistake_says_so(report):
    assert f"None among {report['n_test']} songs" in render_html(report | {"mistakes": []}, b"")


def test_the_page_of_a_refused_challenger_says_why(report):
    refused = {"promoted": False, "reason": "worse than the champion", "tolerance": 0.02}
    assert "<b>Stays challenger:</b> worse than the champion." in render_html(report | {"promotion": refused}, b"")
