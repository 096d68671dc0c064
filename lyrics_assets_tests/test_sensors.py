"""What the sensors do when something happens."""

import datetime as dt

import dagster as dg
import pytest

from lyrics_assets.definitions import build_defs
from lyrics_assets.partitions import today
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import MailError, OutboxMailer
from lyrics_assets.settings import Settings
from lyrics_assets_tests.mail_parts import REPORT, mailer_out_of_reach, opened, said, store_report


@pytest.fixture
def defs(tmp_path):
    return build_defs(Settings(home=tmp_path))


def evaluate(defs, instance, name, cursor=None):
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def(name)
    # Left open, a context closes its instance whenever it is collected, in the midst of anything.
    with dg.build_sensor_context(
        instance, cursor=cursor, repository_def=repository, sensor_name=name, resources=sensor_resources(defs, sensor)
    ) as context:
        return sensor.evaluate_tick(context)


def sensor_resources(defs, sensor):
    return {key: defs.resources[key] for key in sensor.required_resource_keys}


def materialized(instance, asset, **metadata):
    instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(asset), metadata=metadata))


def mails(tmp_path):
    return sorted((tmp_path / "outbox").glob("*.eml"))


def test_a_new_report_is_mailed_once(defs, instance, tmp_path):
    store_report(Lake(root=str(tmp_path / "lake")), "r", REPORT)
    materialized(instance, "evaluation_report", folder="reports/r")
    first = evaluate(defs, instance, "report_mail")
    assert "mailed to" in first.skip_message
    assert evaluate(defs, instance, "report_mail", cursor=first.cursor).skip_message == "nothing to mail"
    evaluate(defs, instance, "report_mail")
    (mail,) = mails(tmp_path)
    assert b"version 7" in mail.read_bytes()


def test_of_several_new_reports_each_is_mailed(defs, instance, tmp_path):
    before = evaluate(defs, instance, "report_mail")
    for name in ("r1", "r2", "r3"):
        store_report(Lake(root=str(tmp_path / "lake")), name, REPORT)
        materialized(instance, "evaluation_report", folder=f"reports/{name}")
    evaluate(defs, instance, "report_mail", cursor=before.cursor)
    assert len(mails(tmp_path)) == 3


def test_a_report_that_was_removed_does_not_keep_the_next_from_being_mailed(defs, instance, tmp_path):
    before = evaluate(defs, instance, "report_mail")
    materialized(instance, "evaluation_report", folder="reports/removed")
    materialized(instance, "evaluation_report")
    store_report(Lake(root=str(tmp_path / "lake")), "r", REPORT)
    materialized(instance, "evaluation_report", folder="reports/r")
    evaluate(defs, instance, "report_mail", cursor=before.cursor)
    assert len(mails(tmp_path)) == 1


def test_drift_is_mailed_and_tells_of_the_training_that_was_asked_for(defs, stored_instance, tmp_path):
    write_drift(tmp_path)
    materialized(stored_instance, "drift_report", drifted=["vocabulary"], date="2026-11-24")
    assert "mailed to" in evaluate(defs, stored_instance, "drift_mail").skip_message
    write_drift(tmp_path, "2026-11-25")
    materialized(stored_instance, "drift_report", drifted=["vocabulary"], date="2026-11-25")
    (request,) = evaluate(defs, stored_instance, "retrain_on_drift").run_requests
    # As the daemon does with a request.
    run = stored_instance.create_run_for_job(
        defs.resolve_job_def("training_job"), tags={"dagster/run_key": request.run_key}
    )
    evaluate(defs, stored_instance, "drift_mail")
    first, second = (
        said(opened(path))[0] for path in sorted(mails(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    )
    assert "No retraining was asked for" in first
    assert f"A retraining was asked for: http://127.0.0.1:3000/runs/{run.run_id}" in second


def write_drift(tmp_path, date="2026-11-24"):
    measures = {"vocabulary": {"seen": 0.4, "allowed": 0.35}}
    report = {"date": date, "drifted": list(measures), "measures": measures}
    Lake(root=str(tmp_path / "lake")).write_json(f"reports/drift/{date}.json", report)


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


@dg.op
def fails():
    raise ValueError("the disk is full")


@dg.job
def failing_job():
    fails()


@dg.job
def other_job():
    fails()


def fail(instance, job=failing_job):
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_failed_run_is_mailed_once_with_its_reason(defs, stored_instance, tmp_path):
    fail(stored_instance)
    first = evaluate(defs, stored_instance, "failure_mail")
    assert first.skip_message == "nothing to mail", "what failed before the sensor was turned on is past"
    result = fail(stored_instance, other_job)
    second = evaluate(defs, stored_instance, "failure_mail", cursor=first.cursor)
    evaluate(defs, stored_instance, "failure_mail", cursor=second.cursor)
    (mail,) = mails(tmp_path)
    text = said(opened(mail))[0]
    assert "other_job failed" in text
    assert "ValueError: the disk is full" in text
    assert f"http://127.0.0.1:3000/runs/{result.run_id}" in text


def test_no_failure_is_lost_while_the_mail_server_is_out_of_reach(tmp_path, instance):
    cut_off = build_defs(Settings(home=tmp_path), mailer=mailer_out_of_reach())
    cursor = evaluate(cut_off, instance, "failure_mail").cursor
    for job in (failing_job, other_job):
        fail(instance, job)
        with pytest.raises(MailError):
            evaluate(cut_off, instance, "failure_mail", cursor=cursor)
    tick = evaluate(build_defs(Settings(home=tmp_path)), instance, "failure_mail", cursor=cursor)
    assert tick.skip_message.count("mailed to") == 2
    assert len(mails(tmp_path)) == 2


def test_a_mail_that_could_not_be_delivered_does_not_have_those_before_it_sent_again(tmp_path, instance):
    class FullOutbox(OutboxMailer):
        """Takes one mail."""

        def deliver(self, message):
            if mails(tmp_path):
                raise MailError("the outbox is full")
            return super().deliver(message)

    outbox = str(tmp_path / "outbox")
    full = build_defs(Settings(home=tmp_path), mailer=FullOutbox(outbox=outbox))
    cursor = evaluate(full, instance, "failure_mail").cursor
    fail(instance, failing_job)
    fail(instance, other_job)
    with pytest.raises(MailError):
        evaluate(full, instance, "failure_mail", cursor=cursor)
    evaluate(build_defs(Settings(home=tmp_path)), instance, "failure_mail", cursor=cursor)
    assert [job in path.name for path, job in zip(mails(tmp_path), ("failing", "other"), strict=True)] == [True, True]


def test_a_failed_check_of_a_run_that_went_on_is_mailed(defs, instance, tmp_path):
    @dg.asset
    def songs():
        return None

    @dg.asset_check(asset=songs)
    def are_many():
        return dg.AssetCheckResult(passed=False, metadata={"songs": 3})

    checked = dg.Definitions(
        assets=[songs], asset_checks=[are_many], jobs=[dg.define_asset_job("job", selection="*")]
    ).resolve_job_def("job")
    cursor = evaluate(defs, instance, "failure_mail").cursor
    assert checked.execute_in_process(instance=instance).success
    evaluate(defs, instance, "failure_mail", cursor=cursor)
    (mail,) = mails(tmp_path)
    assert "check songs: are_many songs: 3" in said(opened(mail))[0]


def test_a_mail_sensor_with_a_cursor_of_another_kind_begins_anew(defs, instance):
    assert evaluate(defs, instance, "failure_mail", cursor="17").skip_message == "nothing to mail"


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


def test_two_dates_that_arrive_together_are_followed_once(defs, instance):
    store_date(instance, "2026-02-01")
    before = dg.evaluate_automation_conditions(defs, instance)
    for date in (today() - dt.timedelta(days=1), today()):
        store_date(instance, date.isoformat())
    now = dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor)
    assert now.get_num_requested(dg.AssetKey("trends_report")) == 1


def test_an_old_date_that_is_replayed_is_followed_by_nothing(defs, instance):
    store_date(instance, today().isoformat())
    before = dg.evaluate_automation_conditions(defs, instance)
    store_date(instance, "2026-02-01")
    assert dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor).total_requested == 0


def test_a_date_is_followed_once_its_check_holds_though_it_failed_in_an_earlier_run(defs, instance):
    store_date(instance, "2026-02-01")
    before = dg.evaluate_automation_conditions(defs, instance)
    store_date(instance, today().isoformat(), passed=False)
    failed = dg.evaluate_automation_conditions(defs, instance, cursor=before.cursor)
    assert failed.total_requested == 0
    store_date(instance, today().isoformat())
    mended = dg.evaluate_automation_conditions(defs, instance, cursor=failed.cursor)
    assert mended.get_num_requested(dg.AssetKey("trends_report")) == 1
