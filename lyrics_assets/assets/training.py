"""From the feature store's history to a registered model and its report."""

import datetime as dt
import json
import time

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.markdown import table
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, Tracking
from lyrics_assets.resources.tuning import Tuner

TRAINING_SET = "training/training_set.parquet"
HYPERPARAMETERS = "training/best_hyperparameters.json"


class TrainingSetConfig(dg.Config):
    """Which part of the history teaches, and how artists are parted."""

    as_of: str | None = Field(None, description="Newest extraction date to learn from, ISO; the newest stored if unset")
    window_days: int = Field(30, ge=1, description="Days of history up to as_of; of each song the newest row counts")
    test_share: float = Field(0.25, gt=0, lt=1, description="Expected share of artists that only examine")
    seed: int = Field(1, description="Of the artists' assignment; keep it, so that no song changes sides")


@dg.asset(group_name="training", deps=[lyrics_features], kinds={"deltalake", "parquet"})
def training_set(
    config: TrainingSetConfig, lake: Lake, feature_store: dg.ResourceParam[FeatureStore]
) -> dg.MaterializeResult:
    """Songs of the last dates, newest row of each, parted into train and test by whole artists.

    A songwriter is always a new artist, so nobody whom the model will be examined on may teach it.
    """
    import pyarrow as pa

    from lyrics_assets.model.splits import assign_splits

    dates = feature_store.dates()
    if not dates:
        raise dg.Failure("the feature store is empty: materialize lyrics_features for a date first")
    as_of = dt.date.fromisoformat(config.as_of) if config.as_of else dates[-1]
    data = feature_store.training_data(as_of, config.window_days)
    songs = data.songs.to_pandas()
    if songs["genre"].nunique() < 2:
        raise dg.Failure(f"only {', '.join(songs['genre'].unique())} is stored: a classifier needs two genres")
    songs["split"] = assign_splits(songs, config.test_share, config.seed)
    used = [date for date in dates if as_of - dt.timedelta(days=config.window_days) < date <= as_of]
    lake.write_table(TRAINING_SET, pa.Table.from_pandas(songs, preserve_index=False))
    counts = songs.groupby(["genre", "split"]).size().unstack(fill_value=0)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(songs),
            "first_date": str(used[0]),
            "last_date": str(used[-1]),
            "store_version": data.version,
            "songs_by_split": {name: int(n) for name, n in songs["split"].value_counts().items()},
            "songs_by_genre": dg.MetadataValue.md(table(counts.reset_index().to_dict("records"))),
        }
    )


@dg.asset(group_name="training", deps=[training_set], kinds={"optuna"})
def best_hyperparameters(lake: Lake, tuner: dg.ResourceParam[Tuner]) -> dg.MaterializeResult:
    """The setting of sweep.yaml that does best in cross-validation by whole artists, on the training songs alone."""
    songs = lake.read_table(TRAINING_SET).to_pandas()
    trials = tuner.search(songs[songs["split"] == "train"].reset_index(drop=True))
    best = trials[0]
    rows = [{**trial.parameters.model_dump(), "macro_f1": trial.macro_f1} for trial in trials]
    lake.write_json(HYPERPARAMETERS, {"parameters": best.parameters.model_dump(), "trials": rows})
    return dg.MaterializeResult(
        metadata={
            "cross_validated_macro_f1": best.macro_f1,
            "parameters": best.parameters.model_dump(),
            "trials": dg.MetadataValue.md(table(rows)),
        }
    )


@dg.asset(
    group_name="training",
    deps=[training_set, best_hyperparameters],
    check_specs=[
        dg.AssetCheckSpec(
            "reloads_and_agrees",
            asset="genre_classifier",
            blocking=True,
            description="The registered model, loaded back, gives the fitted pipeline's probabilities within 1e-6.",
        )
    ],
    kinds={"scikitlearn", "mlflow"},
)
def genre_classifier(
    context: dg.AssetExecutionContext, lake: Lake, tracking: dg.ResourceParam[Tracking]
) -> dg.MaterializeResult:
    """The fitted pipeline, from raw text to Logistic Regression, compiled and registered as the challenger.

    Uses the best hyperparameters of the last search, or the recipe's defaults if there was none.
    """
    from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
    from lyrics_assets.model.scorer import Scorer, largest_difference

    songs = lake.read_table(TRAINING_SET).to_pandas()
    train, test = songs[songs["split"] == "train"], songs[songs["split"] == "test"]
    found = lake.read_json(HYPERPARAMETERS)["parameters"] if lake.exists(HYPERPARAMETERS) else {}
    parameters = Hyperparameters(**found)
    started = time.perf_counter()
    pipeline = build_pipeline(parameters).fit(train["lyrics"], train["genre"])
    seconds = time.perf_counter() - started
    dates = songs["extraction_date"]
    model = tracking.register(
        Scorer.compile(pipeline),
        parameters=parameters.model_dump(),
        metrics={"n_train": len(train), "fit_seconds": seconds},
        tags={
            "first_extraction_date": str(dates.min()),
            "last_extraction_date": str(dates.max()),
            "dagster_run_id": context.run_id,
            "trained_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "n_train": str(len(train)),
        },
    )
    scorer = tracking.load(model)
    difference = largest_difference(pipeline, scorer, list(test["lyrics"]))
    return dg.MaterializeResult(
        metadata={
            "version": model.version,
            "n_train": len(train),
            "n_features": scorer.n_features,
            "fit_seconds": round(seconds, 2),
            "parameters": parameters.model_dump(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="reloads_and_agrees",
                passed=difference <= 1e-6,
                metadata={"largest_difference": difference, "allowed": 1e-6, "lyrics_compared": len(test)},
            )
        ],
    )


@dg.asset(group_name="training", deps=[training_set, genre_classifier], kinds={"html", "matplotlib"})
def evaluation_report(
    context: dg.AssetExecutionContext, lake: Lake, tracking: dg.ResourceParam[Tracking]
) -> dg.MaterializeResult:
    """How good the challenger is for artists that it never heard, beside plain baselines and the champion.

    The challenger becomes the champion if it beats guessing and is not worse than the champion on the same songs.
    """
    from lyrics_assets.model.report import confusion_picture, evaluate_release, render_html

    songs = lake.read_table(TRAINING_SET).to_pandas()
    challenger, champion = tracking.get(CHALLENGER), tracking.find(CHAMPION)
    report = evaluate_release(
        songs[songs["split"] == "train"],
        songs[songs["split"] == "test"],
        tracking.load(challenger),
        tracking.load(champion) if champion and champion.version != challenger.version else None,
    )
    report |= {"model_version": challenger.version, "run_id": context.run_id, "model_tags": challenger.tags}
    picture = confusion_picture(report)
    files = {
        "report.json": json.dumps(report, ensure_ascii=False, indent=2).encode(),
        "report.html": render_html(report, picture).encode(),
        "confusion_matrix.png": picture,
    }
    folder = f"reports/{context.run_id}"
    for name, content in files.items():
        lake.write_bytes(f"{folder}/{name}", content)
    headline = {name: report[name] for name in ("macro_f1", "accuracy", "mcc", "expected_calibration_error")}
    low, high = report["macro_f1_interval"]
    tracking.log_evaluation(challenger, {**headline, "macro_f1_low": low, "macro_f1_high": high}, files)
    if report["promotion"]["promoted"]:
        tracking.promote(challenger)
    return dg.MaterializeResult(
        metadata={
            **headline,
            "macro_f1_interval": report["macro_f1_interval"],
            "n_test": report["n_test"],
            "model_version": challenger.version,
            "promotion": report["promotion"]["reason"],
            "report": dg.MetadataValue.path(lake.url(f"{folder}/report.html")),
            "folder": folder,
        }
    )
