"""Whether the champion still does as well as its report says: the charts of the newest date are the labels."""

import numpy as np
import pandas as pd

from lyrics_assets.model.drift.champion import NOT_KNOWN, Answers, Served
from lyrics_assets.model.drift.dates import Dates, Shown
from lyrics_assets.model.drift.findings import MIN_ARTISTS, MIN_SONGS, PERFORMANCE, Findings, told, too_few
from lyrics_assets.model.evaluation import score

NAME = "performance"


def measure_performance(dates: Dates, newest: Shown, answers: Answers | None, served: Served, seed: int) -> Findings:
    """Return macro-F1 on the newest date's songs that are new to the champion, beside its report's; or why not.

    It has drifted if its 95 % interval lies wholly below the report's: `seen` is the upper end of the one, `allowed`
    the lower end of the other. Of two equal models that happens to about three in a thousand.
    """
    if answers is None:
        return Findings({}, {NAME: NOT_KNOWN})
    if "macro_f1_low" not in served.tags:
        return Findings({}, {NAME: "the champion was never evaluated: its version has no tag macro_f1_low"})
    chosen = answers.unseen[newest.recordings]
    artists = pd.Series(dates.artists[newest.recordings][chosen])
    n, n_artists = int(chosen.sum()), int(artists.nunique())
    if n < MIN_SONGS or n_artists < MIN_ARTISTS:
        return Findings({}, {NAME: too_few(n, n_artists, "new to the champion")})
    truth = np.array(list(dates.genres), dtype=np.str_)[newest.genres[chosen]]
    places = answers.probabilities[newest.texts[chosen]].argmax(axis=1)
    found = score(truth, np.array(served.scorer.classes, dtype=np.str_)[places], artists, seed)
    low, high = (float(served.tags[f"macro_f1_{end}"]) for end in ("low", "high"))
    figures = told(
        PERFORMANCE,
        found["macro_f1_interval"][1],
        low,
        n,
        "macro-F1, upper end of the 95 % interval",
        at_least=True,
        n_artists=n_artists,
        **found,
        reported={"macro_f1": float(served.tags["macro_f1"]), "macro_f1_interval": [low, high]},
    )
    return Findings({NAME: figures}, {})
