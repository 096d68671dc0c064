"""What the classifier costs and brings: fitting as songs grow, one lyric, the files; beside plainer models' scores."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.child import found_by
from benchmarks.corpus import LyricWriter
from benchmarks.figures import Figure, side_by_side
from scrapy_project.genres import GENRE_NAMES
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, load_songbook

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from lyrics_assets.model.scorer import Scorer


class Sizes(NamedTuple):
    """What is measured."""

    fitted_songs: tuple[int, ...]
    calibrated_songs: tuple[int, ...]
    """Of those, what is fitted with calibration too."""
    learned_songs: int
    """That the scorer of one lyric has learned from."""
    features: int
    """N-grams that it knows at most."""
    lyrics: int
    """That are answered one by one."""
    similar_songs: tuple[int, ...]
    """In which similar artists are searched."""
    splits: int


QUICK = Sizes((1_000,), (), 1_000, 20_000, 100, (1_000,), 2)
FULL = Sizes((1_000, 10_000, 100_000), (1_000, 10_000), 8_000, 100_000, 200, (10_000, 100_000), 5)
ROUNDS = 5
"""In which pipeline and scorer answer in turn, so that a machine that is slower for a while slows both."""

FIT = """
import json, sys, time
from lyrics_assets.memory import peak_of_process
from benchmarks.scorer import write_songs
from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
from lyrics_assets.model.fitting import fit_classifier
songs = write_songs(int(sys.argv[1]))
started, cpu = time.perf_counter(), time.process_time()
if sys.argv[2] == "calibrated":
    pipeline = fit_classifier(songs, Hyperparameters()).pipeline
else:
    pipeline = build_pipeline(Hyperparameters()).fit(songs["lyrics"], songs["genre"])
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
peak = peak_of_process() / 2**20
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "features": pipeline[-1].coef_.shape[1]}))
"""

LOAD = """
import json, sys, time
from pathlib import Path
started = time.perf_counter()
from lyrics_assets.model.scorer import Scorer
imported = time.perf_counter()
Scorer.load(Path(sys.argv[1]), with_songs=sys.argv[2] == "songs").probabilities("samba")
print(json.dumps({"import": imported - started, "load": time.perf_counter() - imported}))
"""


def write_songs(number: int, seed: int = 0) -> pd.DataFrame:
    """Return made-up songs of about 240 words: common words, lines of the genre, and words that few songs share.

    Columns artist, title, genre, lyrics, lyrics_group. The vocabulary grows with the songs, as a real one does.
    """
    writer, source = LyricWriter(seed), random.Random(seed)
    lines: dict[str, list[str]] = {}
    for song in load_songbook(PACKAGED_SONGBOOK):
        lines.setdefault(song.genre, []).extend((song.lyrics or song.original).split("\n"))
    syllables = ("ba", "ca", "do", "fé", "ga", "la", "mor", "na", "rio", "sol", "tão", "ve", "xo", "zé", "ção", "lu")
    rare = ["".join(source.choices(syllables, k=source.randint(2, 5))) for _ in range(60_000)]
    rows = []
    for place in range(number):
        genre = GENRE_NAMES[place % len(GENRE_NAMES)]
        own = "\n".join(source.choices(lines[genre], k=6))
        # The pool is drawn from unevenly: a few of its words are in many songs, most in few.
        few = " ".join(rare[int(len(rare) * source.random() ** 3)] for _ in range(12))
        rows.append(
            {
                "artist": f"{genre} artista {place // 75}",
                "title": f"Canção {place}",
                "genre": genre,
                "lyrics": f"{writer.write(place)}\n{own}\n{few}",
                "lyrics_group": str(place),
            }
        )
    return pd.DataFrame(rows)


def measure_fit(songs: tuple[int, ...], calibrated_songs: tuple[int, ...]) -> list[Figure]:
    """Measure fitting, each in a process of its own, as the songs grow."""
    plain = [found_by(FIT, number, "plain") for number in songs]
    calibrated = [found_by(FIT, number, "calibrated") for number in calibrated_songs]

    def figure(name: str, runs: list[dict[str, float]], key: str, unit: str) -> Figure:
        on = "; ".join(f"{number:,}" for number in songs[: len(runs)])
        return Figure(name, tuple(run[key] for run in runs), unit, f"{on} songs, 15 genres")

    figures = [
        figure("n-grams", plain, "features", ""),
        figure("fit", plain, "seconds", "s"),
        figure("fit: processor time", plain, "cpu", "s"),
        figure("fit: peak memory", plain, "peak_mb", "MB"),
    ]
    if calibrated:
        figures.append(figure("fit with calibration (five fits): processor time", calibrated, "cpu", "s"))
    return figures


def measure_one_lyric(sizes: Sizes) -> list[Figure]:
    """Measure one lyric by pipeline and by scorer, on lyrics that neither has seen, and the scorer's files."""
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer, largest_difference

    learned = write_songs(sizes.learned_songs)
    words = sizes.features * 3 // 4
    budget = Hyperparameters(word_min_df=1, char_min_df=1, word_features=words, char_features=sizes.features - words)
    # What it learned does not matter here: a weak penalty would only take longer.
    pipeline = build_pipeline(budget.model_copy(update={"C": 0.1})).fit(learned["lyrics"], learned["genre"])
    scorer = Scorer.compile(pipeline, songs=learned)
    lyrics = list(write_songs(sizes.lyrics, seed=1)["lyrics"])
    with tempfile.TemporaryDirectory() as folder:
        scorer.save(Path(folder))
        rounds = [_one_round(pipeline, Scorer.load(Path(folder), with_songs=False), lyrics) for _ in range(ROUNDS)]
        slow, first, again = (statistics.median(column) for column in zip(*rounds, strict=True))
        times = (statistics.median(of[0] / of[1] for of in rounds), statistics.median(of[0] / of[2] for of in rounds))
        loaded = [found_by(LOAD, folder, "alone") for _ in range(3)]
        size = (Path(folder) / "scorer.npz").stat().st_size / 1e6
    difference = largest_difference(pipeline, scorer, lyrics)
    on = f"{sizes.lyrics} lyrics of 240 words, {scorer.n_features:,} n-grams, 15 genres"
    in_rounds = f"{on}, median of {ROUNDS} rounds"
    kept = f"{scorer.n_features:,} n-grams, 15 genres, new processes"
    return [
        Figure("one lyric: scikit-learn pipeline", slow, "ms", in_rounds),
        Figure("one lyric: scorer, words that it never read; words read before", (first, again), "ms", in_rounds),
        Figure("pipeline / scorer, the same two", times, "times", in_rounds, "at least 3"),
        Figure("one lyric: scorer with warnings", _median_ms(scorer.judge, lyrics), "ms", on),
        Figure("one lyric: with each word and line explained", _median_ms(scorer.explain, lyrics), "ms", on),
        Figure("largest difference from the pipeline", difference, "", on, "at most 1e-6", at_any_size=True),
        Figure("cold load of the scorer", min(run["load"] for run in loaded), "s", kept, "under 0.3"),
        Figure("import of the scorer before it", min(run["import"] for run in loaded), "s", kept),
        Figure("scorer on disk", size, "MB", kept),
    ]


def _one_round(pipeline: "Pipeline", scorer: "Scorer", lyrics: Sequence[str]) -> tuple[float, float, float]:
    """Return the milliseconds of the pipeline, of a scorer that has read nothing, and of it once it has read them."""
    slow = _median_ms(lambda text: pipeline.predict_proba([text]), lyrics)
    return slow, _median_ms(scorer.probabilities, lyrics), _median_ms(scorer.probabilities, lyrics)


def measure_similar_artists(sizes: Sizes) -> list[Figure]:
    """Measure the search for similar artists as the training songs grow."""
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer

    teachers = write_songs(sizes.learned_songs // 2)
    pipeline = build_pipeline(Hyperparameters(C=0.1)).fit(teachers["lyrics"], teachers["genre"])
    lyrics = list(write_songs(sizes.lyrics, seed=1)["lyrics"])
    columns = []
    for number in sizes.similar_songs:
        songs = write_songs(number)
        started = time.perf_counter()
        scorer = Scorer.compile(pipeline, songs=songs)
        built = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            scorer.save(Path(folder))
            size = (Path(folder) / "neighbours.npz").stat().st_size / number
            loads = {with_songs: min(_load_seconds(folder, with_songs) for _ in range(3)) for with_songs in (0, 1)}
        columns.append(
            [
                Figure("one lyric: similar artists", _median_ms(scorer.similar_artists, lyrics), "ms", ""),
                Figure("index of songs: build", built, "s", ""),
                Figure("index of songs: load", loads[1] - loads[0], "s", ""),
                Figure("index of songs: on disk", size, "bytes a song", ""),
            ]
        )
    return side_by_side(columns, f"{'; '.join(f'{number:,}' for number in sizes.similar_songs)} songs")


def _load_seconds(folder: str, with_songs: int) -> float:
    return found_by(LOAD, folder, "songs" if with_songs else "alone")["load"]


def measure_scores(splits: int) -> list[Figure]:
    """Score three recipes on songs of new artists of the songbook; each fit holds the search for its settings."""
    from lyrics_assets.lyrics.dataset import build_dataset
    from lyrics_assets.model.splits import TEST, TRAIN, assign_splits

    songs = pd.DataFrame(build_dataset(_raw_songbook(), pd.Timestamp("2026-11-24").date()).songs.to_pylist())
    recipes: dict[str, Callable[[pd.DataFrame], Any]] = {
        "the original script": _fit_original,
        "LinearSVC, grid of 24 settings": _fit_linear_svc,
        "this pipeline, its defaults": _fit_ours,
    }
    figures = []
    for name, fit in recipes.items():
        scores, seconds, milliseconds, n_test = [], [], [], 0
        for seed in range(1, splits + 1):
            split = assign_splits(songs, 0.25, seed)
            train, test = songs[split == TRAIN], songs[split == TEST]
            started = time.perf_counter()
            model = fit(train)
            seconds.append(time.perf_counter() - started)
            scores.append(_macro_f1(test["genre"], model.predict(test["lyrics"])))
            milliseconds.append(_median_ms(_answer(model), list(test["lyrics"])))
            n_test += len(test)
        on = f"songbook, {len(songs)} songs, {splits} splits by artist, {n_test} test songs"
        score = (statistics.mean(scores), statistics.stdev(scores))
        figures += [
            Figure(f"{name}: macro-F1; its standard deviation over the splits", score, "", on),
            Figure(f"{name}: fit with its search", statistics.mean(seconds), "s", on),
            Figure(f"{name}: one lyric", statistics.mean(milliseconds), "ms", on),
        ]
    return figures


def _raw_songbook() -> list[dict[str, Any]]:
    return [
        {
            "source": "letras",
            "genre": song.genre,
            "title": song.title,
            "artist": song.artist,
            "url": f"https://letras.example/{number}/",
            "rank": 1,
            "lyrics": song.lyrics or song.original,
            "is_translation": song.language != "pt",
            "original_language": song.language,
        }
        for number, song in enumerate(load_songbook(PACKAGED_SONGBOOK))
    ]


def _fit_original(train: pd.DataFrame) -> Any:
    """Return the original script's model, with the random search of 15 trials that it was given."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from lyrics_assets.lyrics.lexicon import FUNCTION_WORDS
    from lyrics_assets.model.baselines import guess_by_original_script

    _, settings = guess_by_original_script(train, train.iloc[:1])
    words = TfidfVectorizer(
        strip_accents="unicode", stop_words=sorted(FUNCTION_WORDS), max_features=settings["max_features"]
    )
    model = make_pipeline(words, LogisticRegression(C=settings["C"], max_iter=1000))
    return model.fit(train["lyrics"], train["genre"].to_numpy(dtype=str))


def _fit_linear_svc(train: pd.DataFrame) -> Any:
    """Return words by TF-IDF with a LinearSVC, the best of a grid by cross-validation of whole artists."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    from lyrics_assets.model.splits import artist_folds

    model = Pipeline([("words", TfidfVectorizer(strip_accents="unicode")), ("classifier", LinearSVC())])
    grid = {
        "words__ngram_range": [(1, 1), (1, 2)],
        "words__max_df": [0.75, 1.0],
        "words__sublinear_tf": [False, True],
        "classifier__C": [0.1, 1.0, 10.0],
    }
    search = GridSearchCV(model, grid, scoring="f1_macro", cv=list(artist_folds(train, 3, 0)))
    return search.fit(train["lyrics"], train["genre"].to_numpy(dtype=str))


def _fit_ours(train: pd.DataFrame) -> Any:
    from lyrics_assets.model.classifier import Hyperparameters
    from lyrics_assets.model.fitting import fit_classifier

    return fit_classifier(train, Hyperparameters()).pipeline


def _answer(model: Any) -> Callable[[str], object]:
    """Return what answers one lyric when the model is served: of ours the scorer, of the others the pipeline."""
    from lyrics_assets.model.classifier import CalibratedClassifier
    from lyrics_assets.model.scorer import Scorer

    if isinstance(getattr(model, "named_steps", {}).get("classifier"), CalibratedClassifier):
        return Scorer.compile(model).probabilities
    return lambda text: model.predict([text])


def _macro_f1(truth: Sequence[str], guess: Sequence[str]) -> float:
    from lyrics_assets.model.evaluation import macro_f1

    return macro_f1(np.asarray(truth, dtype=str), np.asarray(guess, dtype=str))


def _median_ms(work: Callable[[str], object], lyrics: Sequence[str]) -> float:
    """Return processor time: one lyric keeps one thread busy, and a busy machine must not count."""
    milliseconds = []
    for text in lyrics:
        started = time.process_time()
        work(text)
        milliseconds.append(1000 * (time.process_time() - started))
    return statistics.median(milliseconds)


def measure(sizes: Sizes) -> list[Figure]:
    """Return all figures."""
    return (
        measure_one_lyric(sizes)
        + measure_similar_artists(sizes)
        + measure_fit(sizes.fitted_songs, sizes.calibrated_songs)
        + measure_scores(sizes.splits)
    )
