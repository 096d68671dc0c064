"""What is watched when a new date has come: trends of the genres, drift from the served model, costs of the steps."""

from typing import Any

import dagster as dg

from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.assets.training import TRAINING_SET, genre_classifier, training_set
from lyrics_assets.markdown import table
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.tracking import CHAMPION, Tracking

# The newest date only: an asset that followed every date would wait for ever for one that was missed.
_newest_date = dg.AssetDep(lyrics_features, partition_mapping=dg.LastPartitionMapping())

# A failed blocking check stops its own run only, so the condition must ask for the checks itself.
_follow = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


@dg.asset(group_name="monitoring", deps=[_newest_date], automation_condition=_follow, kinds={"pandas"})
def trends_report(lake: Lake, feature_store: dg.ResourceParam[FeatureStore]) -> dg.MaterializeResult:
    """Songs that entered, stayed and left each genre, and words that rise, between the two newest dates."""
    from lyrics_assets.lyrics.trends import movements, rising_words

    dates = feature_store.dates()
    if len(dates) < 2:
        return dg.MaterializeResult(metadata={"note": f"{len(dates)} dates stored; a trend needs two"})
    earlier, later = (feature_store.read_date(date).to_pandas() for date in dates[-2:])
    moved = movements(earlier, later).to_dict("records")
    words = rising_words(earlier, later)
    report = {"from": str(dates[-2]), "to": str(dates[-1]), "movements": moved, "rising_words": words}
    address = lake.write_json(f"reports/trends/{dates[-1]}.json", report)
    return dg.MaterializeResult(
        metadata={
            "from": str(dates[-2]),
            "to": str(dates[-1]),
            "movements": dg.MetadataValue.md(table(moved)),
            "rising_words": dg.MetadataValue.md(table(words) if words else "none beyond chance (z > 1.96)"),
            "report": dg.MetadataValue.path(address),
        }
    )


@dg.asset(
    group_name="monitoring",
    deps=[_newest_date, training_set, genre_classifier],
    automation_condition=_follow,
    kinds={"pandas"},
)
def drift_report(
    lake: Lake, feature_store: dg.ResourceParam[FeatureStore], tracking: dg.ResourceParam[Tracking]
) -> dg.MaterializeResult:
    """How far the newest date is from what the champion learned from: genres, vocabulary, unknown words, length."""
    from lyrics_assets.model.drift import DriftBounds, measure_drift

    songs = lake.read_table(TRAINING_SET).to_pandas()
    newest = feature_store.dates()[-1]
    report = measure_drift(
        songs[songs["split"] == "train"],
        feature_store.read_date(newest).to_pandas(),
        tracking.load(tracking.get(CHAMPION)),
        DriftBounds(),
    )
    report["date"] = str(newest)
    lake.write_json("reports/drift/newest.json", report)
    address = lake.write_json(f"reports/drift/{newest}.json", report)
    rows = [{"measure": name, **figures} for name, figures in report["measures"].items()]
    return dg.MaterializeResult(
        metadata={
            "date": str(newest),
            "songs": report["n_newest"],
            "measures": dg.MetadataValue.md(table(rows)),
            "drifted": report["drifted"],
            "report": dg.MetadataValue.path(address),
        }
    )


@dg.asset(group_name="monitoring", deps=[_newest_date], automation_condition=_follow, kinds={"dagster"})
def pipeline_costs(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Wall seconds of each step of the last hundred runs, from Dagster's own event log."""
    rows = _step_costs(context.instance, limit=100)
    address = lake.write_json("reports/costs.json", rows)
    return dg.MaterializeResult(
        metadata={
            "steps": dg.MetadataValue.md(table(rows) if rows else "no finished step yet"),
            "report": dg.MetadataValue.path(address),
        }
    )


def _step_costs(instance: dg.DagsterInstance, limit: int) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {}
    for run in instance.get_runs(limit=limit):
        for step in instance.get_run_step_stats(run.run_id):
            if step.start_time and step.end_time:
                seconds.setdefault(step.step_key, []).append(step.end_time - step.start_time)
    return [
        {
            "step": name,
            "runs": len(values),
            "last_s": round(values[0], 2),
            "mean_s": round(sum(values) / len(values), 2),
            "max_s": round(max(values), 2),
        }
        for name, values in sorted(seconds.items())
    ]
