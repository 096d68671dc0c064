"""From the feature store's history to a registered model and its report."""

import datetime as dt
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.markdown import table
from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.model_mirror import ModelMirror
from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, RegisteredModel, Tracking
from lyrics_assets.resources.tuning import Tuner
from lyrics_assets.settings import ROOT

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from lyrics_assets.model.classifier import Hyperparameters
    from lyrics_assets.model.fitting import Fitted
    from lyrics_assets.model.provenance import TrainingSetFacts
    from lyrics_assets.model.report import Champion

TRAINING_SET = "training/training_set.parquet"
HYPERPARAMETERS = "training/best_hyperparameters.json"
LEARNED_SONGS = "training_songs.parquet"
"""File of a training run: which songs taught the model, without their lyrics."""
_HEADLINE = ("macro_f1", "accuracy", "mcc", "expected_calibration_error")


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

    from lyrics_assets.model.provenance import TrainingSetFacts
    from lyrics_assets.model.splits import assign_splits

    as_of, used = _window(config, feature_store.dates())
    data = feature_store.training_data(as_of, config.window_days)
    songs = data.songs.to_pandas()
    if songs["genre"].nunique() < 2:
        raise dg.Failure(f"only {', '.join(songs['genre'].unique())} is stored: a classifier needs two genres")
    songs["split"] = assign_splits(songs, config.test_share, config.seed)
    facts = TrainingSetFacts.of(
        songs,
        first_extraction_date=str(used[0]),
        last_extraction_date=str(used[-1]),
        store_version=data.version,
        window_days=config.window_days,
        test_share=config.test_share,
        split_seed=config.seed,
    )
    parted = pa.Table.from_pandas(songs, preserve_index=False)
    parted = parted.replace_schema_metadata((parted.schema.metadata or {}) | facts.to_metadata())
    lake.write_table(TRAINING_SET, parted)
    counts = songs.groupby(["genre", "split"]).size().unstack(fill_value=0)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(songs),
            "first_date": str(used[0]),
            "last_date": str(used[-1]),
            "store_version": data.version,
            "digest": facts.digest,
            "songs_by_split": {name: int(n) for name, n in songs["split"].value_counts().items()},
            "songs_by_genre": dg.MetadataValue.md(table(counts.reset_index().to_dict("records"))),
        }
    )


def _window(config: TrainingSetConfig, dates: list[dt.date]) -> tuple[dt.date, list[dt.date]]:
    """Return the newest date to learn from, and the stored dates of the window that ends there."""
    if not dates:
        raise dg.Failure(
            "the feature store is empty: materialize lyrics_features for a date first", allow_retries=False
        )
    try:
        as_of = dt.date.fromisoformat(config.as_of) if config.as_of else dates[-1]
    except ValueError as error:
        raise dg.Failure(f"as_of: {config.as_of!r} is no date; write YYYY-MM-DD", allow_retries=False) from error
    used = [date for date in dates if as_of - dt.timedelta(days=config.window_days) < date <= as_of]
    if not used:
        raise dg.Failure(
            f"no date is stored in the {config.window_days} days up to {as_of}; the store holds {dates[0]} to "
            f"{dates[-1]}",
            allow_retries=False,
        )
    return as_of, used


def _read_training_set(lake: Lake) -> "tuple[pd.DataFrame, TrainingSetFacts]":
    from lyrics_assets.model.provenance import TrainingSetFacts

    stored = lake.read_table(TRAINING_SET)
    songs = stored.to_pandas()
    return songs, TrainingSetFacts.read(stored.schema.metadata, songs)


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
            "outcomes": dict(Counter(trial.outcome for trial in trials)),
            "trials": dg.MetadataValue.md(table(rows)),
        }
    )


class ClassifierConfig(dg.Config):
    """How the songs teach."""

    half_life_days: float | None = Field(
        None,
        gt=0,
        description="A song last seen so many days before the newest counts half; unset: all count alike",
    )


def fit_release(songs: "pd.DataFrame", parameters: "Hyperparameters", half_life_days: float | None) -> "Fitted":
    """Return the classifier that is to be registered: fitted, calibrated, with the bounds of its warnings."""
    from threadpoolctl import threadpool_limits

    from lyrics_assets.model.fitting import fit_classifier
    from lyrics_assets.model.splits import recency_weights

    with threadpool_limits(1):
        return fit_classifier(
            songs, parameters, sample_weight=recency_weights(songs["extraction_date"], half_life_days)
        )


def fit(songs: "pd.DataFrame", parameters: "Hyperparameters", half_life_days: float | None) -> "Pipeline":
    """Return the same recipe fitted on other songs, for its guesses alone: not calibrated, at a fifth of the cost."""
    from threadpoolctl import threadpool_limits

    from lyrics_assets.model.classifier import build_pipeline
    from lyrics_assets.model.splits import recency_weights

    weights = recency_weights(songs["extraction_date"], half_life_days)
    # Several threads for so small sums only wait for each other: on busy cores a fit takes five times as long.
    with threadpool_limits(1):
        return build_pipeline(parameters).fit(songs["lyrics"], songs["genre"], classifier__sample_weight=weights)


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
    context: dg.AssetExecutionContext, config: ClassifierConfig, lake: Lake, tracking: dg.ResourceParam[Tracking]
) -> dg.MaterializeResult:
    """The fitted and calibrated pipeline, from raw text to probabilities, compiled and registered as the challenger.

    Uses the best hyperparameters of the last search, or the recipe's defaults if there was none.
    """
    from lyrics_assets.model.classifier import Hyperparameters
    from lyrics_assets.model.promotion import learned_songs
    from lyrics_assets.model.provenance import code_version
    from lyrics_assets.model.scorer import Scorer, largest_difference

    songs, facts = _read_training_set(lake)
    train, test = songs[songs["split"] == "train"], songs[songs["split"] == "test"]
    found = lake.read_json(HYPERPARAMETERS)["parameters"] if lake.exists(HYPERPARAMETERS) else {}
    parameters = Hyperparameters(**found)
    fitted = fit_release(train, parameters, config.half_life_days)
    learned = io.BytesIO()
    learned_songs(train).to_parquet(learned, compression="zstd")
    chosen = {name: getattr(facts, name) for name in ("window_days", "test_share", "split_seed")}
    model = tracking.register(
        Scorer.compile(fitted.pipeline, fitted.bounds, train),
        parameters={**parameters.model_dump(), "half_life_days": config.half_life_days, **chosen},
        metrics={
            "n_train": len(train),
            "fit_seconds": fitted.seconds,
            "calibration_seconds": fitted.fold_seconds,
        },
        tags={
            **facts.to_tags(),
            "hyperparameters": parameters.model_dump_json(),
            **({"half_life_days": str(config.half_life_days)} if config.half_life_days else {}),
            "code_version": code_version(ROOT),
            "fit_seconds": f"{fitted.seconds:.2f}",
            "dagster_run_id": context.run.run_id,
            "trained_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        },
        files={LEARNED_SONGS: learned.getvalue()},
    )
    scorer = tracking.load(model)
    difference = largest_difference(fitted.pipeline, scorer, list(test["lyrics"]))
    return dg.MaterializeResult(
        metadata={
            "version": model.version,
            "n_train": len(train),
            "n_features": scorer.n_features,
            "fit_seconds": round(fitted.seconds, 2),
            "calibration_seconds": round(fitted.fold_seconds, 2),
            "parameters": parameters.model_dump(),
            "dataset_digest": facts.digest,
            "code_version": model.tags["code_version"],
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="reloads_and_agrees",
                passed=difference <= 1e-6,
                metadata={"largest_difference": difference, "allowed": 1e-6, "lyrics_compared": len(test)},
            )
        ],
    )


class EvaluationConfig(dg.Config):
    """What the report measures beside the challenger, and how much a challenger may lose."""

    original_script: bool = Field(True, description="Fit the original script's pipeline, with its search, too")
    random_split: bool = Field(True, description="Fit once more on a random split, the optimistic figure")
    learning_curve_max_songs: int = Field(
        20_000, ge=0, description="Training songs above which no learning curve is measured; 0 for none at all"
    )
    tolerance: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Macro-F1 below the champion's that the one-sided 95 % bound of the gain may reach",
    )
    seed: int = Field(0, description="Of every bootstrap, random split and search")


@dg.asset(group_name="training", deps=[training_set, genre_classifier], kinds={"html", "matplotlib"})
def evaluation_report(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    lake: Lake,
    tracking: dg.ResourceParam[Tracking],
    model_mirror: dg.ResourceParam[ModelMirror],
) -> dg.MaterializeResult:
    """How good the challenger is for artists that it never heard, beside plain baselines and the champion.

    The challenger becomes the champion if it beats guessing and is shown to be no worse on the same songs.
    """
    from lyrics_assets.model.classifier import Hyperparameters
    from lyrics_assets.model.report import Options, evaluate_release, report_files, report_metrics

    songs, facts = _read_training_set(lake)
    challenger, champion = tracking.get(CHALLENGER), tracking.find(CHAMPION)
    _must_have_learned_from(facts, challenger)
    parameters = Hyperparameters.model_validate_json(challenger.tags["hyperparameters"])
    half_life = float(challenger.tags["half_life_days"]) if "half_life_days" in challenger.tags else None
    report = evaluate_release(
        songs,
        tracking.load(challenger),
        _rival(champion, challenger, tracking),
        lambda part: fit(part, parameters, half_life),
        Options(**config.model_dump()),
    )
    if champion and champion.version == challenger.version:
        report["promotion"] = {"promoted": True, "reason": "it is the champion already", "tolerance": config.tolerance}
    report |= {"model_version": challenger.version, "run_id": context.run.run_id, "model_tags": challenger.tags}
    files = report_files(report)
    folder = f"reports/{context.run.run_id}"
    for name, content in files.items():
        lake.write_bytes(f"{folder}/{name}", content)
    metrics, tags = report_metrics(report), _evaluation_tags(report)
    tracking.log_evaluation(challenger, metrics, files, tags)
    with tracking.files(challenger) as scorer_files:
        headline = {name: metrics[name] for name in _HEADLINE}
        mirrored = model_mirror.publish(scorer_files, challenger.version, headline, challenger.tags | tags)
    if report["promotion"]["promoted"]:
        tracking.promote(challenger, champion.version if champion else None)
    return dg.MaterializeResult(
        metadata={
            **{name: report[name] for name in _HEADLINE},
            "macro_f1_interval": report["macro_f1_interval"],
            "n_test": report["n_test"],
            "model_version": challenger.version,
            "promotion": report["promotion"]["reason"],
            "report": dg.MetadataValue.path(lake.url(f"{folder}/report.html")),
            "folder": folder,
            **({"mirrored_at": dg.MetadataValue.url(mirrored)} if mirrored else {}),
        }
    )


def _must_have_learned_from(facts: "TrainingSetFacts", challenger: RegisteredModel) -> None:
    """Refuse to examine a model on a training set that is not its own: its test songs may have taught it."""
    learned = challenger.tags.get("dataset_digest", "unknown")
    if learned != facts.digest:
        raise dg.Failure(
            f"version {challenger.version} learned from training set {learned}, but the one that is there now is "
            f"{facts.digest}: materialize genre_classifier again",
            allow_retries=False,
        )


def _rival(champion: RegisteredModel | None, challenger: RegisteredModel, tracking: Tracking) -> "Champion | None":
    """Return the champion with what it learned from; None if there is none or if it is the challenger itself."""
    from lyrics_assets.model.report import Champion

    if champion is None or champion.version == challenger.version:
        return None
    return Champion(tracking.load(champion), read_learned_songs(tracking, champion), champion.version)


def read_learned_songs(tracking: Tracking, model: RegisteredModel) -> "pd.DataFrame | None":
    """Return `promotion.learned_songs` of a version's training; None if its run has no such file."""
    import pandas as pd

    content = tracking.read_file(model, LEARNED_SONGS)
    return pd.read_parquet(io.BytesIO(content)) if content else None


def _evaluation_tags(report: dict[str, Any]) -> dict[str, str]:
    """Return what a version of the registry says of its evaluation."""
    low, high = report["macro_f1_interval"]
    figures = {**{name: report[name] for name in _HEADLINE}, "macro_f1_low": low, "macro_f1_high": high}
    return {
        **{name: f"{value:.6f}" for name, value in figures.items()},
        "n_test": str(report["n_test"]),
        "promoted": str(report["promotion"]["promoted"]).lower(),
        "promotion": report["promotion"]["reason"],
    }
