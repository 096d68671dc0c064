"""What a search for hyperparameters costs, beside refitting everything for each trial."""

import os
import random
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, side_by_side
from lyrics_assets.model.classifier import build_pipeline
from lyrics_assets.model.cross_validation import CrossValidation, mean
from lyrics_assets.model.evaluation import macro_f1
from lyrics_assets.model.sweeps import Sweep, parse_sweep
from lyrics_assets.model.tuning import Trial, search_songs
from lyrics_assets.model.workers import cores, this_process

Result = TypeVar("Result")

N_FOLDS, SEED = 3, 0
GENRES, SONGS_PER_ARTIST = 10, 5
SWEEP = {
    "method": "random",
    "metric": {"name": "macro_f1", "goal": "maximize"},
    "parameters": {
        "weighting": {"values": ["tfidf_sublinear", "bm25"]},
        "word_ngram_max": {"values": [1, 2]},
        "C": {"distribution": "log_uniform_values", "min": 1.0, "max": 64.0},
        "balanced": {"values": [True, False]},
    },
}


class Sizes(NamedTuple):
    """What is measured."""

    songs: tuple[int, ...]
    trials: int


QUICK, FULL = Sizes((200,), 8), Sizes((1_000, 2_000), 20)


def make_songs(count: int, seed: int = 0) -> pd.DataFrame:
    """Return lyrics of random words, of which each genre has a hundred that it likes better than the others do."""
    writer, rows = LyricWriter(seed), []
    words = sorted(set(writer.write(0).split()) | set(writer.write(1).split()))
    for number in range(count):
        artist = number // SONGS_PER_ARTIST
        genre = artist % GENRES
        liked = words[genre::GENRES][:100]
        own = " ".join(random.Random(f"{seed} {number}").choices(liked, k=12))
        rows.append((f"Artista {artist}", f"Gênero {genre}", f"{writer.write(number)}\n{own}", str(number)))
    return pd.DataFrame(rows, columns=["artist", "genre", "lyrics", "lyrics_group"])


def refit(songs: pd.DataFrame, trials: list[Trial]) -> list[float]:
    """Return the score of each trial, each vectorized and fitted by itself in each fold, on one thread as the search.

    With a thread for each core they would take longer, much longer beside other work.
    """
    lyrics, genres = songs["lyrics"].to_numpy(dtype=object), songs["genre"].to_numpy(dtype=str)
    scores = []
    for trial in trials:
        folds = []
        for train, valid in CrossValidation(songs, N_FOLDS, SEED).folds:
            with threadpool_limits(1):
                pipeline = build_pipeline(trial.parameters, SEED).fit(lyrics[train], genres[train])
                folds.append(macro_f1(genres[valid], pipeline.predict(lyrics[valid])))
        scores.append(mean(folds))
    return scores


def measure_size(count: int, sweep: Sweep) -> list[Figure]:
    """Measure the searches and then the refits of the same trials, on that many songs."""
    songs, seconds, found = make_songs(count), {}, []
    for name, workers in (("one process", this_process), ("one process a core", cores(os.cpu_count() or 1))):
        work = partial(search_songs, sweep, songs, N_FOLDS, SEED, workers=workers)
        trials, seconds[name], processor = timed(work)
        found.append((trials, processor))
    (trials, processor), (again, _) = found
    if trials != again:
        raise SystemExit("the searches disagree")
    scores, naive, naive_processor = timed(partial(refit, songs, trials))
    largest = max(abs(trial.macro_f1 - score) for trial, score in zip(trials, scores, strict=True))
    figures = [Figure(f"search, {name}", value, "s", "") for name, value in seconds.items()]
    figures.append(Figure("naive refits, one process", naive, "s", ""))
    ratios = {name: value / naive for name, value in seconds.items()}
    ratios["processor time of one process"] = processor / naive_processor
    figures += [Figure(f"search / naive, {name}", ratio, "", "", "at most 0.333") for name, ratio in ratios.items()]
    return [*figures, Figure("largest difference of a trial's macro-F1", largest, "", "", "at most 0.005")]


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return what the work returns, its seconds, and its seconds of processor time in this process.

    The latter is what to look at on a machine that is busy with other things.
    """
    started, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - started, time.process_time() - processor


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    sweep = parse_sweep(SWEEP | {"run_cap": sizes.trials})
    columns = [measure_size(size, sweep) for size in sizes.songs]
    songs = "; ".join(f"{size:,}" for size in sizes.songs)
    return side_by_side(columns, f"{songs} songs, {sizes.trials} trials of {N_FOLDS} folds")
