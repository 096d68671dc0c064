"""What is watched when a new date has come: trends of the genres, drift from the served model, costs of the steps."""

import datetime as dt
from typing import Any

import dagster as dg
from pydantic import Field

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


class TrendsConfig(dg.Config):
    """Which dates the trends look at."""

    since: str | None = Field(None, description="First date, YYYY-MM-DD; if unset, window_days up to the newest date")
    window_days: int = Field(90, ge=2, description="Days up to the newest date, unless since is set")
    recent_days: int = Field(28, ge=1, description="Days of the later period, whose new songs are set against the rest")


@dg.asset(group_name="monitoring", deps=[_newest_date], automation_condition=_follow, kinds={"numpy", "matplotlib"})
def trends_report(
    config: TrendsConfig, lake: Lake, feature_store: dg.ResourceParam[FeatureStore]
) -> dg.MaterializeResult:
    """How the genres change over the store's dates: songs that come and go, words and themes, distances between genres.

    Only single words and counts are shown, with titles and artists of songs that came or went: no lyric is reproduced.
    """
    from lyrics_assets.lyrics.trends import page as trends_page
    from lyrics_assets.lyrics.trends.history import COLUMNS
    from lyrics_assets.lyrics.trends.report import measure_trends, window

    since = dt.date.fromisoformat(config.since) if config.since else None
    stored = feature_store.dates()
    dates, previous = window(stored, since, days=config.window_days)
    if not dates:
        held = f"its dates end on {stored[-1]}, before {since}" if stored else "it holds no date"
        raise dg.Failure(f"no trend in the feature store: {held}; materialize lyrics_features", allow_retries=False)
    report = measure_trends(dates, lambda date: feature_store.read_date(date, COLUMNS), previous, config.recent_days)
    folder = f"reports/trends/{dates[-1]}"
    lake.write_json(f"{folder}/report.json", report)
    page = lake.write_bytes(f"{folder}/report.html", trends_page.render_html(report).encode())
    return dg.MaterializeResult(metadata=_trends_metadata(report) | {"report": dg.MetadataValue.path(page)})


def _trends_metadata(report: dict[str, Any]) -> dict[str, Any]:
    """Return the key figures, the tables and the plots of a trends report."""
    from lyrics_assets.lyrics.trends import page as trends_page

    newest = report["total"]["series"][-1]
    tables = {
        "genres": trends_page.genre_rows(report),
        "words": trends_page.word_rows(report),
        "themes": trends_page.theme_rows(report),
        "moved_genres": trends_page.distance_rows(report),
    }
    plots = {name: trends_page.as_markdown_image(name, png) for name, png in trends_page.pictures(report).items()}
    return {
        "from": report["dates"][0],
        "to": report["dates"][-1],
        "dates": len(report["dates"]),
        "compared": trends_page.periods(report),
        "songs": newest["songs"],
        **{name: newest[name] for name in ("entered", "left") if newest[name] is not None},
        "translated_share": newest["translated_share"],
        "words_beyond_chance": len(tables["words"]),
        "themes_beyond_chance": len(tables["themes"]),
        **{name: dg.MetadataValue.md(table(rows) if rows else "none beyond chance") for name, rows in tables.items()},
        **{f"{name}_plot": dg.MetadataValue.md(plot) for name, plot in plots.items()},
        **({"note": " ".join(report["notes"])} if report["notes"] else {}),
        "seconds": report["seconds"],
    }


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
