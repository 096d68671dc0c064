"""What is watched when a new date has come: trends of the genres, drift from the served model, costs of the steps."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.markdown import table
from lyrics_assets.assets.preparation import lyrics_features
from lyrics_assets.assets.training import evaluation_report, read_learned_songs
from lyrics_assets.partitions import today
from lyrics_assets.resources.feature_store import FeatureStore
from lyrics_assets.resources.home import Home
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.prediction_history import PredictionHistory
from lyrics_assets.resources.tracking import CHAMPION, Tracking

# The newest date only: an asset that followed every date would wait for ever for one that was missed.
_newest_date = dg.AssetDep(lyrics_features, partition_mapping=dg.LastPartitionMapping())

# A failed blocking check stops its own run only, so the condition must ask for the checks itself.
_checks_passed = dg.AutomationCondition.all_deps_blocking_checks_passed()
_follow = dg.AutomationCondition.eager() & _checks_passed

# A challenger that lost to guessing leaves the champion where it was, which is watched all the same.
_follow_champion = dg.AutomationCondition.eager() & _checks_passed.ignore(dg.AssetSelection.assets(evaluation_report))

_DRIFT = "reports/drift"
_NEWEST_DRIFT = f"{_DRIFT}/newest.json"

if TYPE_CHECKING:
    from lyrics_assets.model.drift.champion import Served


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


class DriftConfig(dg.Config):
    """Which date is judged, and how far is too far."""

    date: str | None = Field(None, description="Date to judge, YYYY-MM-DD; the newest stored one if unset")
    false_alarm_rate: float = Field(
        0.01, gt=0, lt=1, description="Share of quiet dates on which any measure of songs may be beyond its bound"
    )
    floor: float = Field(0.05, ge=0, lt=1, description="Distance, 0 to 1, up to which nothing counts as drift")
    max_dates: int = Field(30, ge=1, description="Dates, of those that the champion learned from, read at most")
    draws: int = Field(500, ge=100, description="Of the bootstrap, from which the bounds are learned")
    seed: int = Field(0, description="Of the draws")
    max_data_age_days: int = Field(3, ge=0, description="Days since the newest date from which on it is warned")
    max_model_age_days: int = Field(30, ge=0, description="Days since the champion was trained, likewise")
    traffic_days: int = Field(7, ge=4, description="Last UTC days whose answers of the service are compared")
    traffic_past_days: int = Field(28, ge=14, description="Days before those, with which they are compared")
    min_answers: int = Field(200, ge=1, description="Answers in the last days, and in those before, to say anything")
    earlier_reports: int = Field(60, ge=0, description="Reports of dates before that the page draws")


@dg.asset(
    group_name="monitoring",
    deps=[_newest_date, evaluation_report],
    automation_condition=_follow_champion,
    kinds={"numpy", "scipy"},
)
def drift_report(
    config: DriftConfig,
    lake: Lake,
    feature_store: dg.ResourceParam[FeatureStore],
    tracking: dg.ResourceParam[Tracking],
    prediction_history: PredictionHistory,
) -> dg.MaterializeResult:
    """How far the newest songs are from what the champion learned from, how well it tells them, and what it is asked.

    What training can mend is drift; old data, an old champion and other traffic are warnings.
    """
    from lyrics_assets.model.drift.dates import COLUMNS
    from lyrics_assets.model.drift.findings import Options
    from lyrics_assets.model.drift.page import measure_rows, render_html
    from lyrics_assets.model.drift.report import add, learned_dates, measure_ages, measure_drift
    from lyrics_assets.model.drift.traffic import measure_traffic, traffic_window

    stored = feature_store.dates()
    date = _date_to_judge(config, stored)
    served = _served(tracking)
    chosen = config.model_dump(exclude={"date", "max_dates", "draws", "earlier_reports"})
    options = Options(n_draws=config.draws, **chosen)
    learned = learned_dates(stored, served, config.max_dates)
    report = measure_drift(date, learned, lambda day: feature_store.read_date(day, COLUMNS), served, options)
    is_newest = date == stored[-1]
    now = dt.datetime.now(dt.UTC)
    add(report, measure_ages(stored[-1], today(), now, served, options))
    until = now.date() if is_newest else date
    add(report, measure_traffic(prediction_history.answers(*traffic_window(until, options)), until, options))
    page = render_html(report, _earlier_reports(lake, date, config.earlier_reports))
    shown_at = lake.write_bytes(f"{_DRIFT}/{date}.html", page.encode())
    address = lake.write_json(f"{_DRIFT}/{date}.json", report)
    # Who judges an old date again learns about that date: what was found on a later one stays the newest.
    if is_newest or not lake.exists(_NEWEST_DRIFT) or lake.read_json(_NEWEST_DRIFT)["date"] <= str(date):
        lake.write_json(_NEWEST_DRIFT, report)
    rows = measure_rows(report)
    return dg.MaterializeResult(
        metadata={
            "date": str(date),
            "is_newest": is_newest,
            "songs": report["songs"],
            "model_version": served.version,
            "drifted": report["drifted"],
            "warned": report["warned"],
            "measures": dg.MetadataValue.md(table(rows)),
            "not_measured": report["not_measured"],
            "page": dg.MetadataValue.path(shown_at),
            "report": dg.MetadataValue.path(address),
            "seconds": report["seconds"],
        }
    )


def _date_to_judge(config: DriftConfig, stored: list[dt.date]) -> dt.date:
    if not stored:
        raise dg.Failure("the feature store holds no date: materialize lyrics_features first", allow_retries=False)
    if config.date is None:
        return stored[-1]
    if config.date not in map(str, stored):
        held = f"the store holds {stored[0]} to {stored[-1]}"
        raise dg.Failure(f"date: {config.date!r} is not stored; {held}", allow_retries=False)
    return dt.date.fromisoformat(config.date)


def _served(tracking: Tracking) -> "Served":
    """Return the champion with what it learned from."""
    from lyrics_assets.model.drift.champion import Served

    champion = tracking.get(CHAMPION)
    learned = read_learned_songs(tracking, champion)
    return Served(champion.version, tracking.load(champion), champion.tags, learned)


def _earlier_reports(lake: Lake, date: dt.date, most: int) -> list[dict[str, Any]]:
    """Return the last reports of dates before, oldest first."""
    dates = (name.rsplit("/", 1)[-1].removesuffix(".json") for name in lake.names(_DRIFT) if name.endswith(".json"))
    before = sorted(found for found in dates if found < str(date))
    return [lake.read_json(f"{_DRIFT}/{found}.json") for found in before[len(before) - most :]]


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
    context: dg.AssetExecutionContext,
    config: CostsConfig,
    lake: Lake,
    home: Home,
    prediction_history: PredictionHistory,
) -> dg.MaterializeResult:
    """What the steps of all runs that have ended took: time, CPU, memory, songs, pages; with sizes and latencies.

    The history lies in the lake (costs/) and outlives the runs that it tells of.
    """
    from lyrics_assets.costs.accounts import update

    now = dt.datetime.now(dt.UTC)
    done = update(context.instance, lake, home, Path(prediction_history.folder), now, config.window_days)
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
