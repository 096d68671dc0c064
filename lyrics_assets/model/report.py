"""The evaluation report of a release: its figures, its promotion, its picture and its page."""

import base64
import io
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lyrics_assets.lyrics.identity import artist_key
from lyrics_assets.model.evaluation import baselines, evaluate, macro_f1, resample_groups
from lyrics_assets.model.scorer import Scorer

_LIBRARIES = ("scikit-learn", "numpy", "pandas", "mlflow", "dagster")


def evaluate_release(
    train: pd.DataFrame, test: pd.DataFrame, challenger: Scorer, champion: Scorer | None, seed: int = 0
) -> dict[str, Any]:
    """Return the whole report as JSON values: the challenger's figures, baselines and champion on the same songs.

    Args:
        train: the songs that the challenger learned from; columns genre, lyrics.
        test: songs of other artists; columns of the dataset.
        challenger: the model to judge.
        champion: the model that is served, None if there is none yet.
        seed: of the bootstrap.
    """
    started = time.perf_counter()
    probabilities = predict(challenger, test)
    report = evaluate(test, probabilities, seed)
    report |= {"n_train": len(train), "n_train_artists": int(train["artist"].map(artist_key).nunique())}
    report["baselines"] = baselines(train, test)
    report["champion"] = None
    if champion is not None:
        report["champion"] = compare(test, probabilities, predict(champion, test), seed)
    report["promotion"] = decide_promotion(report)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report["environment"] = {
        "seconds": round(time.perf_counter() - started, 2),
        # Linux counts kilobytes, macOS bytes.
        "peak_memory_mb": round(peak / (1024 if sys.platform == "linux" else 1024**2)),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return report


def predict(scorer: Scorer, songs: pd.DataFrame) -> pd.DataFrame:
    """Return the probabilities of each song, same rows, one column a genre."""
    return pd.DataFrame([scorer.probabilities(text) for text in songs["lyrics"]], index=songs.index)


def compare(test: pd.DataFrame, challenger: pd.DataFrame, champion: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return the champion's macro-F1 and the challenger's gain over it, with the paired 95 % interval by artist."""
    truth = test["genre"].to_numpy(dtype=str)
    new, old = (np.asarray(frame.idxmax(axis=1), dtype=np.str_) for frame in (challenger, champion))
    samples = resample_groups(test["artist"].map(artist_key), seed)
    gains = [macro_f1(truth[rows], new[rows]) - macro_f1(truth[rows], old[rows]) for rows in samples]
    low, high = np.percentile(gains, [2.5, 97.5])
    return {
        "macro_f1": macro_f1(truth, old),
        "gain": macro_f1(truth, new) - macro_f1(truth, old),
        "gain_interval": [float(low), float(high)],
    }


def decide_promotion(report: dict[str, Any]) -> dict[str, Any]:
    """Return whether the challenger is to be served, and why: better than guessing, not worse than the champion."""
    guessing = report["baselines"]["majority genre"]["macro_f1"]
    if report["macro_f1"] <= guessing:
        return {"promoted": False, "reason": f"no better than always the same genre (macro-F1 {guessing:.3f})"}
    champion = report["champion"]
    if champion is None:
        return {"promoted": True, "reason": "the first model that beats guessing"}
    low, high = champion["gain_interval"]
    interval = f"gain over the champion {champion['gain']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}"
    if high < 0:
        return {"promoted": False, "reason": f"worse than the champion on the same songs: {interval}"}
    return {"promoted": True, "reason": f"not worse than the champion on the same songs: {interval}"}


def confusion_picture(report: dict[str, Any]) -> bytes:
    """Return the confusion matrix as a PNG; shades are shares of each true genre, numbers are songs."""
    from matplotlib.figure import Figure

    genres = report["confusion_matrix"]["genres"]
    counts = np.array(report["confusion_matrix"]["rows_are_truth"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8.6, 7.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(genres)), genres, rotation=45, ha="right")
    axes.set_yticks(range(len(genres)), genres)
    axes.set(xlabel="predicted genre", ylabel="true genre")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if shares[row, column] > 0.5 else "#1b2a41"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def render_html(report: dict[str, Any], picture: bytes) -> str:
    """Return the report as one self-contained page."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("report.html.j2").render(
        report=report, picture=base64.b64encode(picture).decode("ascii")
    )
