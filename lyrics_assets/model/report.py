"""The evaluation report of a release: its figures, its promotion, its pictures and its page."""

import base64
import json
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.memory import peak_of_process
from lyrics_assets.model.baselines import measure_baselines
from lyrics_assets.model.evaluation import evaluate, guesses
from lyrics_assets.model.experiments import Fit, measure_learning_curve, measure_random_split
from lyrics_assets.model.figures import calibration_svg, confusion_picture, learning_curve_svg
from lyrics_assets.model.promotion import TOLERANCE, compare, decide_promotion
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.model.splits import TEST, TRAIN

NO_WARNING = "none"
"""Stands for the songs whose answer carries no warning."""
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "mlflow", "dagster")


class Champion(NamedTuple):
    """The model that is served so far."""

    scorer: Scorer
    learned: pd.DataFrame | None
    """`promotion.learned_songs` of its training; None if that is not known."""
    version: int | None = None


class Options(NamedTuple):
    """What the evaluation is to measure beside the model itself."""

    original_script: bool = True
    """Run the original script's pipeline with its search as a baseline."""
    random_split: bool = True
    """Fit once more on a random split."""
    learning_curve_max_songs: int = 20_000
    """Training songs above which no learning curve is measured; 0 for none at all."""
    tolerance: float = TOLERANCE
    """Macro-F1 that a challenger may lose against the champion."""
    seed: int = 0
    """Of every bootstrap, split and search."""


def evaluate_release(
    songs: pd.DataFrame, challenger: Scorer, champion: Champion | None, fit: Fit, options: Options | None = None
) -> dict[str, Any]:
    """Return the whole report as JSON values: the challenger's figures, and those of others on the same songs.

    Args:
        songs: the training set; columns of the dataset and split.
        challenger: the model to judge, which learned from the songs whose split is ``train``.
        champion: the model that is served, None if there is none yet or if it is this one.
        fit: the challenger's recipe, for the random split and the learning curve.
        options: what to measure.
    """
    from threadpoolctl import threadpool_limits

    options = options or Options()
    # Of so small matrices several threads only wait for each other: on busy cores a fit takes five times as long.
    with threadpool_limits(1):
        return _evaluate_release(songs, challenger, champion, fit, options)


def _evaluate_release(
    songs: pd.DataFrame, challenger: Scorer, champion: Champion | None, fit: Fit, options: Options
) -> dict[str, Any]:
    started = time.perf_counter()
    seed = options.seed
    train, test = songs[songs["split"] == TRAIN], songs[songs["split"] == TEST]
    probabilities = predict(challenger, test)
    report = evaluate(test, probabilities, seed)
    report |= {
        "n_train": len(train),
        "n_train_artists": int(train["artist"].map(artist_key).nunique()),
        "n_left_out": len(songs) - len(train) - len(test),
    }
    report["uncertainty"] = measure_uncertainty(challenger, test)
    report["random_split"] = measure_random_split(songs, len(test), fit, seed) if options.random_split else None
    report["learning_curve"] = measure_learning_curve(train, test, report, fit, seed, options.learning_curve_max_songs)
    report["baselines"] = measure_baselines(
        train, test, guesses(probabilities), seed, original_script=options.original_script
    )
    report["champion"] = None
    if champion is not None:
        rival = compare(test, probabilities, predict(champion.scorer, test), champion.learned, seed)
        report["champion"] = {"version": champion.version, **rival}
    report["promotion"] = decide_promotion(report, options.tolerance)
    report["environment"] = {
        "seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": round(peak_of_process() / 2**20),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return report


def predict(scorer: Scorer, songs: pd.DataFrame) -> pd.DataFrame:
    """Return the probabilities of each song, same rows, one column a genre."""
    rows = [scorer.probabilities(text) for text in songs["lyrics"]]
    return pd.DataFrame(rows, index=songs.index, columns=scorer.classes)


def measure_uncertainty(scorer: Scorer, test: pd.DataFrame) -> dict[str, Any]:
    """Return the bounds of a model's warnings with the tables they were chosen by, and what came of them on the test.

    `warned` has, for each warning and for none, the test songs and the share whose most probable genre is theirs. The
    tables are of out-of-fold training songs: no test song had a say in the bounds.
    """
    answers = [scorer.judge(text) for text in test["lyrics"]]
    rows = pd.DataFrame(
        {
            "warning": [answer.warnings or (NO_WARNING,) for answer in answers],
            "hit": [next(iter(answer.probabilities)) for answer in answers] == test["genre"].to_numpy(dtype=str),
        }
    ).explode("warning")
    warned = {
        str(name): {"songs": len(hits), "accuracy": float(hits.mean())}
        for name, hits in rows.groupby("warning", sort=False)["hit"]
    }
    bounds = scorer.bounds.to_json()
    return {name: value for name, value in bounds.items() if name != "prior"} | {"warned": warned}


def report_files(report: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a report by name: the figures as JSON, the page, the pictures."""
    picture = confusion_picture(report)
    files = {
        "report.json": json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False).encode(),
        "report.html": render_html(report, picture).encode(),
        "confusion_matrix.png": picture,
        "calibration.svg": calibration_svg(report["calibration_curve"]).encode(),
    }
    if report["learning_curve"]["points"]:
        files["learning_curve.svg"] = learning_curve_svg(report["learning_curve"]["points"]).encode()
    return files


def report_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a report under the names that a tracking server allows, intervals as _low and _high."""
    metrics: dict[str, float] = {"n_test": report["n_test"], "n_test_artists": report["n_test_artists"]}
    for name in ("macro_f1", "accuracy", "mcc", "expected_calibration_error"):
        metrics |= _with_interval(name, report[name], report[f"{name}_interval"])
    for genre, row in report["per_genre"].items():
        metrics |= _with_interval(f"f1/{_plain(genre)}", row["f1"], row["f1_interval"])
    for name, row in report["baselines"].items():
        metrics |= _with_interval(f"baseline/{_plain(name)}", row["macro_f1"], row["macro_f1_interval"])
    if (split := report["random_split"]) is not None:
        metrics |= _with_interval("random_split_macro_f1", split["macro_f1"], split["macro_f1_interval"])
    champion = report["champion"]
    if champion is not None and champion["gain"] is not None:
        metrics |= _with_interval("gain_over_champion", champion["gain"], champion["gain_interval"])
    return metrics


def _with_interval(name: str, value: float, ends: list[float] | None) -> dict[str, float]:
    return {name: value} | ({f"{name}_low": ends[0], f"{name}_high": ends[1]} if ends else {})


def _plain(name: str) -> str:
    from lyrics_assets.lyrics.text import normalise

    return normalise(name).replace(" ", "_")


def render_html(report: Mapping[str, Any], picture: bytes) -> str:
    """Return the report as one self-contained page; `picture` is the confusion matrix to take along."""
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    points = report["learning_curve"]["points"]
    return environment.get_template("report.html.j2").render(
        report=report,
        picture=base64.b64encode(picture).decode("ascii"),
        # Made by `figures`, which escapes what it is given.
        calibration=Markup(calibration_svg(report["calibration_curve"])),  # noqa: S704
        learning_curve=Markup(learning_curve_svg(points)) if points else None,  # noqa: S704
    )
