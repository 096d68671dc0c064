"""What is watched when a new date has come: trends of the genres, drift from the served model, costs of the steps."""

import datetime as dt
from typing import Any

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.assets.training import TRAINING_SET, genre_classifier, training_set
from lyrics_assets.markdown import table
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.home import Home
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


class CostsConfig(dg.Config):
    """Which time the costs are shown of."""

    window_days: int = Field(90, ge=1, description="Days up to now; the history that is kept is longer")


@dg.asset(
    group_name="monitoring",
    deps=[_newest_date],
    automation_condition=_follow,
    kinds={"dagster", "parquet", "matplotlib"},
    # Of two collections at once, the one that writes last would forget what the other has found.
    pool="cost_history",
)
def pipeline_costs(
    context: dg.AssetExecutionContext, config: CostsConfig, lake: Lake, home: Home
) -> dg.MaterializeResult:
    """What the steps of all runs that have ended took: time, CPU, memory, songs, pages; with sizes and latencies.

    The history lies in the lake (costs/) and outlives the runs that it tells of.
    """
    from lyrics_assets.costs.accounts import update

    done = update(context.instance, lake, home, dt.datetime.now(dt.UTC), config.window_days)
    return dg.MaterializeResult(
        metadata=_costs_metadata(done.report, done.pictures)
        | {"new_runs": done.new_runs, "report": dg.MetadataValue.path(done.page)}
    )


def _costs_metadata(report: dict[str, Any], pictures: dict[str, bytes]) -> dict[str, Any]:
    """Return the key figures, the tables and the plots of a report of costs."""
    from lyrics_assets.costs import page as costs_page
    from lyrics_assets.lyrics.trends.page import as_markdown_image

    tables = {
        "steps": costs_page.step_rows(report),
        "dates": costs_page.date_rows(report),
        "stores": costs_page.store_rows(report),
        "latency": costs_page.latency_rows(report),
        "failures": costs_page.failure_rows(report),
    }
    disk = report["disk"] or {}
    figures = {
        "runs": report["runs"],
        "cpu_seconds": round(report["cpu_s"], 1),
        "bytes_in_stores": disk.get("used_by_stores"),
        "bytes_free": disk.get("free"),
        "days_until_disk_full": disk.get("days_until_full"),
        "cost_more_than_before": costs_page.grown_sentences(report) or None,
    }
    return {
        **{name: value for name, value in figures.items() if value is not None},
        **{name: dg.MetadataValue.md(table(rows)) for name, rows in tables.items() if rows},
        **{f"{name}_plot": dg.MetadataValue.md(as_markdown_image(name, png)) for name, png in pictures.items()},
    }
