"""The asset pipeline_costs and its check, on a real instance, a real lake and a real home."""

import datetime as dt

import dagster as dg
import pytest

from lyrics_assets import checks
from lyrics_assets.assets.monitoring import pipeline_costs
from lyrics_assets.costs.accounts import REPORT
from lyrics_assets.costs.history import Table
from lyrics_assets.resources.home import Home
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.prediction_history import PredictionHistory
from lyrics_assets.runs import open_instance
from lyrics_assets_tests.test_costs import QUIET, made_up


@dg.asset
def other():
    """Write some songs."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 12, "songs": 13})


@pytest.fixture
def home(tmp_path):
    log = tmp_path / "home" / "predictions" / "2026-11-25.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"model_version": 1, "milliseconds": 2.5}\n' * 4, encoding="utf-8")
    return tmp_path / "home"


@pytest.fixture
def lake(home):
    return Lake(root=str(home / "lake"))


@pytest.fixture
def instance(home):
    with open_instance(home) as instance:
        yield instance


def materialize(instance, home, lake):
    log = PredictionHistory(folder=str(home / "predictions"))
    resources = {"lake": lake, "home": Home(folder=str(home)), "prediction_history": log}
    result = dg.materialize([pipeline_costs, checks.no_step_costs_more], instance=instance, resources=resources)
    (event,) = result.asset_materializations_for_node("pipeline_costs")
    (evaluation,) = result.get_asset_check_evaluations()
    return event.metadata, evaluation


def test_the_runs_that_ended_are_reported_and_the_report_is_shown(instance, home, lake):
    dg.materialize([other], instance=instance)
    metadata, evaluation = materialize(instance, home, lake)
    report = lake.read_json(REPORT)
    assert list(report["steps"]) == ["other"], "its own run is still going"
    assert report["latency"][0]["answers"] == 4
    assert report["stores"]["predictions"]["bytes"] > 0
    assert (metadata["new_runs"].value, metadata["runs"].value) == (1, 1)
    assert "| other | 1 | " in metadata["steps"].value
    assert "| 2026-11-25 | 1 | 4 | 2.5 | 2.5 | 2.5 |" in metadata["latency"].value
    assert "](data:image/png;base64," in metadata["stores_plot"].value
    assert metadata["report"].value == lake.url("reports/costs/report.html")
    assert b"Costs of the pipeline" in lake.read_bytes("reports/costs/report.html")
    assert lake.read_bytes("reports/costs/stores.png").startswith(b"\x89PNG")
    assert (evaluation.passed, evaluation.metadata["without_enough_runs"].value) == (True, 1)


def test_the_next_time_it_reports_itself_too(instance, home, lake):
    for n, runs in ((0, 0), (1, 1), (1, 2)):
        metadata, _ = materialize(instance, home, lake)
        assert (metadata["new_runs"].value, metadata["runs"].value) == (n, runs)
    assert set(lake.read_json(REPORT)["steps"]) == {"pipeline_costs", "pipeline_costs_no_step_costs_more"}
    samples = {row["measured_at"] for row in Table.of_stores(lake).read()}
    assert len(samples) == 3
    assert len(Table.of_latency(lake).read()) == 1


@pytest.mark.parametrize(("newest", "holds"), [(9.2, True), (27.0, False)])
def test_the_check_warns_of_what_has_grown(instance, home, lake, newest, holds):
    now = dt.datetime.now(dt.UTC)
    costs = [*QUIET, newest]
    Table.of_steps(lake).put(
        made_up(started_at=now - dt.timedelta(days=len(costs) - day), cpu_s=cost, rows_out=300)
        for day, cost in enumerate(costs)
    )
    metadata, evaluation = materialize(instance, home, lake)
    assert evaluation.passed is holds
    assert ("cost_more_than_before" in metadata) is not holds
    assert evaluation.metadata["grown"].value == ([] if holds else ["lyrics"])
    assert evaluation.metadata["compared"].value == 1
    assert holds or evaluation.severity == dg.AssetCheckSeverity.WARN
    assert holds or "lyrics costs 3.0 times its norm" in evaluation.metadata["because"].value
