"""What the sensors do when something happens."""

import dagster as dg
import pytest

from lyrics_assets.definitions import build_defs
from lyrics_assets.partitions import today
from lyrics_assets.resources.lake import Lake
from lyrics_assets.settings import Settings

REPORT = {
    "macro_f1": 0.4,
    "macro_f1_interval": [0.3, 0.5],
    "model_version": 7,
    "n_test": 70,
    "n_test_artists": 20,
    "n_train": 200,
    "promotion": {"promoted": True, "reason": "the first model that beats guessing"},
}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def defs(tmp_path):
    return build_defs(Settings(home=tmp_path))


def evaluate(defs, instance, name, cursor=None):
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def(name)
    context = dg.build_sensor_context(
        instance, cursor=cursor, repository_def=repository, sensor_name=name, resources=sensor_resources(defs, sensor)
    )
    return sensor.evaluate_tick(context)


def sensor_resources(defs, sensor):
    return {key: defs.resources[key] for key in sensor.required_resource_keys}


def materialized(instance, asset, **metadata):
    instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(asset), metadata=metadata))


def test_a_new_report_is_mailed_once(defs, instance, tmp_path):
    lake = Lake(root=str(tmp_path / "lake"))
    lake.write_json("reports/r/report.json", REPORT)
    lake.write_bytes("reports/r/report.html", b"<html></html>")
    lake.write_bytes("reports/r/confusion_matrix.png", b"\x89PNG")
    materialized(instance, "evaluation_report", folder="reports/r")
    first = evaluate(defs, instance, "report_mail")
    assert "mailed to" in first.skip_message
    evaluate(defs, instance, "report_mail", cursor=first.cursor)
    evaluate(defs, instance, "report_mail")
    (mail,) = (tmp_path / "outbox").glob("*.eml")
    assert b"version 7" in mail.read_bytes()


def test_drift_asks_for_one_training_a_date(defs, instance):
    materialized(instance, "drift_report", drifted=["vocabulary"], date="2026-11-24")
    (request,) = evaluate(defs, instance, "retrain_on_drift").run_requests
    assert request.run_key == "drift-2026-11-24"
    assert request.tags["reason"] == "drift: vocabulary"


def test_no_drift_asks_for_nothing(defs, instance):
    materialized(instance, "drift_report", drifted=[], date="2026-11-24")
    tick = evaluate(defs, instance, "retrain_on_drift")
    assert tick.run_requests == []
    assert tick.skip_message == "no drift"


def test_a_failed_run_is_mailed_with_its_reason(instance, defs, tmp_path):
    @dg.op
    def fails():
        raise ValueError("the disk is full")

    @dg.job(name="some_job")
    def some_job():
        fails()

    result = some_job.execute_in_process(instance=instance, raise_on_error=False)
    failure_mail = defs.get_repository_def().get_sensor_def("failure_mail")
    context = dg.build_run_status_sensor_context(
        sensor_name="failure_mail",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources=sensor_resources(defs, failure_mail),
    )
    failure_mail(context.for_run_failure())
    (mail,) = (tmp_path / "outbox").glob("*.eml")
    assert b"some_job failed" in mail.read_bytes()
    assert result.run_id.encode() in mail.read_bytes()


def store_date(instance, date, passed=True):
    key = dg.AssetKey("lyrics_features")
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=date))
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key, check_name="every_row_was_stored", passed=passed, blocking=True, metadata={}
    )
    instance.report_runless_asset_event(evaluation)


@pytest.mark.parametrize(("passed", "follows"), [(True, True), (False, False)])
def test_monitoring_follows_today_whatever_dates_were_missed_unless_a_blocking_check_failed(
    defs, instance, passed, follows
):
    store_date(instance, "2026-02-01")
    before = dg.evaluate_automation_conditions(defs, instance)
    store_date(instance, today().isoformat(), passed)
    now = dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor)
    assert now.get_num_requested(dg.AssetKey("trends_report")) == int(follows)
    again = dg.evaluate_automation_conditions(defs, instance, cursor=now.cursor)
    assert again.total_requested == 0
